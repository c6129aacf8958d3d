/* SPDX-License-Identifier: Apache-2.0 */
/* rouse-engine: options, wiring, loop. */
#include <stdio.h>

#include "engine.h"

int main(int argc, char **argv)
{
    struct engine_conf conf = {0};
    struct err err = {0};
    struct engine *e;
    int code = 0;
    struct service *s = service_start(&engine_spec, argc, argv, &conf, &code);
    if (s == NULL)
        return code;
    if (engine_new(&conf, s, &e, &err) != 0) {
        fprintf(stderr, "rouse-engine: %s\n", err.text);
        service_free(&s);
        return 2;
    }
    engine_run(e);
    engine_free(&e);
    service_free(&s);
    return 0;
}

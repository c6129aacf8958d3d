/* SPDX-License-Identifier: Apache-2.0 */
/* rouse-dispatcher: options, wiring, loop. */
#include "dispatcher.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct dispatcher_conf conf = {0};
    struct err err = {0};
    struct dispatcher *x;
    int code = 0;
    struct service *s = service_start(&dispatcher_spec, argc, argv, &conf, &code);
    if (!s)
        return code;
    if (dispatcher_new(&conf, s, &x, &err)) {
        fprintf(stderr, "rouse-dispatcher: %s\n", err.text);
        service_free(&s);
        return 2;
    }
    dispatcher_run(x);
    dispatcher_free(&x);
    service_free(&s);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rouse-ingest: options, wiring, loop. */
#include <stdio.h>

#include "ingest.h"

int main(int argc, char **argv)
{
    struct ingest_conf conf = {0};
    struct err err = {0};
    struct ingest *in;
    int code = 0;
    struct service *s = service_start(&ingest_spec, argc, argv, &conf, &code);
    if (!s)
        return code;
    if (ingest_new(&conf, s, &in, &err) != 0) {
        (void)fprintf(stderr, "rouse-ingest: %s\n", err.text);
        service_free(&s);
        return 2;
    }
    ingest_run(in);
    ingest_free(&in);
    service_free(&s);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* err: one error as a value.  The first one wins, so a cleanup path cannot hide the cause. */
#include "base.h"

#include <stdio.h>

__attribute__((format(printf, 4, 0))) static int
err_vset(struct err *err, enum err_kind kind, const char *code, const char *fmt, va_list ap)
{
    if (!err || err->kind != ERR_NONE)
        return -1;
    err->kind = kind;
    (void)snprintf(err->code, sizeof err->code, "%s", code);
    (void)vsnprintf(err->text, sizeof err->text, fmt, ap);
    return -1;
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)err_vset(err, kind, "", fmt, ap);
    va_end(ap);
    return -1;
}

int err_code(struct err *err, enum err_kind kind, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)err_vset(err, kind, code, fmt, ap);
    va_end(ap);
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char was[sizeof err->text];
    char front[sizeof err->text / 2];
    va_list ap;
    if (!err || err->kind == ERR_NONE)
        return -1;
    va_start(ap, fmt);
    (void)vsnprintf(front, sizeof front, fmt, ap);
    va_end(ap);
    memcpy(was, err->text, sizeof was);
    size_t n = strlen(front);
    memcpy(err->text, front, n);
    (void)snprintf(err->text + n, sizeof err->text - n, ": %.*s", (int)(sizeof err->text - n - 3),
                   was);
    return -1;
}

void err_clear(struct err *err)
{
    memset(err, 0, sizeof *err);
}

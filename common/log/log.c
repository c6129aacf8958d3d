/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one line on stderr, written with one write(2) so that lines of several processes sharing a
 * file do not mix.  A format is "key=%x key=%x"; the values are cut out again after formatting and
 * quoted where they need it, so a caller cannot inject a line or a key.
 */
#include "log.h"

#include "time.h"

#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static struct {
    const char *service;
    enum log_level least;
    int64_t (*now_ms)(void);
} self = {"rouse", LOG_LEVEL_INFO, NULL};

static const char *const names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

void log_init(const char *service, enum log_level least, int64_t (*now_ms)(void))
{
    self.service = service;
    self.least = least;
    self.now_ms = now_ms;
}

int log_level_parse(const char *name, enum log_level *out)
{
    for (size_t i = 0; i < BASE_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    return -1;
}

static bool plain(struct str v)
{
    if (v.n == 0)
        return false;
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return false;
    }
    return true;
}

static void add_value(struct buf *b, struct str v)
{
    if (plain(v)) {
        buf_addstr(b, v);
        return;
    }
    buf_addc(b, '"');
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c == '"' || c == '\\')
            buf_addf(b, "\\%c", c);
        else if (c == '\n')
            buf_adds(b, "\\n");
        else if (c < ' ' || c == 0x7f)
            buf_addf(b, "\\x%02x", c);
        else
            buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

static void add_pair(struct buf *b, const char *key, struct str value)
{
    buf_addc(b, ' ');
    buf_adds(b, key);
    buf_addc(b, '=');
    add_value(b, value);
}

/* One "key=%spec" at a time, so that a value may hold anything.  Only the conversions that log calls
 * use are known: the rest of the format is handed to vsnprintf as it is. */
static void add_pairs(struct buf *b, const char *fmt, va_list ap)
{
    char text[LINE_MAX_BYTES], one[64];
    while (*fmt) {
        fmt += strspn(fmt, " ");
        size_t n = strcspn(fmt, " "), eq = strcspn(fmt, "=");
        if (n == 0 || n >= sizeof one || eq >= n)
            break;
        memcpy(one, fmt, n);
        one[n] = one[eq] = '\0';
        char *spec = one + eq + 1;
        if (spec[0] == '"' && one[n - 1] == '"' && n > eq + 2) { /* quoting is our business */
            spec++;
            one[n - 1] = '\0';
        }
        char last = spec[strlen(spec) - 1];
        int stars = 0;
        for (const char *p = spec; *p; p++)
            stars += *p == '*';
        int longs = 0;
        for (const char *p = spec; *p; p++)
            longs += *p == 'l' || *p == 'j' || *p == 'z';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        if (spec[0] != '%')
            (void)snprintf(text, sizeof text, "%s", spec);
        else if (last == 's' && stars) {
            int width = va_arg(ap, int);
            (void)snprintf(text, sizeof text, spec, width, va_arg(ap, const char *));
        } else if (last == 's')
            (void)snprintf(text, sizeof text, spec, va_arg(ap, const char *));
        else if (last == 'f' || last == 'g' || last == 'e')
            (void)snprintf(text, sizeof text, spec, va_arg(ap, double));
        else if (longs)
            (void)snprintf(text, sizeof text, spec, va_arg(ap, long));
        else
            (void)snprintf(text, sizeof text, spec, va_arg(ap, int));
#pragma GCC diagnostic pop
        add_pair(b, one, str_c(text));
        fmt += n;
    }
}

static void line_begin(struct buf *b, enum log_level l, const char *event)
{
    char at[40] = "-";
    buf_init(b, LINE_MAX_BYTES);
    if (self.now_ms)
        (void)time_format_ms(self.now_ms(), at);
    buf_addf(b, "%s %s %s event=%s", names[l], at, self.service, event);
}

static void line_end(struct buf *b)
{
    buf_addc(b, '\n');
    if (b->over) { /* too long: say so instead of losing the line's end */
        b->over = false;
        b->max += 8;
        buf_adds(b, " …\n");
    }
    ssize_t done = write(STDERR_FILENO, b->p, b->n);
    (void)done; /* nowhere left to say that it failed */
    buf_free(b);
}

static void log_at(enum log_level l, const char *event, const char *fmt, va_list ap)
{
    struct buf b;
    if (l < self.least)
        return;
    line_begin(&b, l, event);
    add_pairs(&b, fmt, ap);
    line_end(&b);
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *event, const char *fmt, ...)                                             \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        log_at(level, event, fmt, ap);                                                             \
        va_end(ap);                                                                                \
    }
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)

void log_err(enum log_level l, const char *event, const struct err *err, const char *fmt, ...)
{
    static const char *const kinds[] = {
        [ERR_NONE] = "none", [ERR_INPUT] = "input", [ERR_AGAIN] = "again", [ERR_FATAL] = "fatal"};
    struct buf b;
    va_list ap;
    if (l < self.least)
        return;
    line_begin(&b, l, event);
    va_start(ap, fmt);
    add_pairs(&b, fmt, ap);
    va_end(ap);
    add_pair(&b, "kind", str_c(kinds[err->kind]));
    if (err->code[0])
        add_pair(&b, "code", str_c(err->code));
    if (err->file[0])
        add_pair(&b, "file", str_c(err->file));
    if (err->line)
        buf_addf(&b, " line=%d", err->line);
    add_pair(&b, "error", str_c(err->text));
    line_end(&b);
}

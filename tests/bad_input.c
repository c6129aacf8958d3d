/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bad_input ROUSE: what no author of rules writes and what a disk may hold all the same.  Each case is
 * built in a directory of its own and given to `rouse check`, which must end by itself with the right
 * code and status in bounded memory.  Prints what each took.  Time is not judged, but for a child that
 * hangs; memory is, with room for what sanitizers add.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANGS_AFTER 120 /* seconds */
#if defined(__SANITIZE_ADDRESS__)
#define ROOM 3 /* times as much memory */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROOM 3
#endif
#endif
#ifndef ROOM
#define ROOM 1
#endif

static char work[64];

/* ---- building -------------------------------------------------------------------------------- */

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static FILE *make(const char *name)
{
    FILE *f = fopen(name, "wb");
    if (!f)
        die(name);
    return f;
}

static void many(FILE *f, long n, const char *text)
{
    for (long i = 0; i < n; i++)
        (void)fputs(text, f);
}

static void whole(const char *name, const char *text)
{
    FILE *f = make(name);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void repeated(const char *name, const char *before, long n, const char *text,
                     const char *after)
{
    FILE *f = make(name);
    (void)fputs(before, f);
    many(f, n, text);
    (void)fputs(after, f);
    (void)fclose(f);
}

/* `fmt` with the numbers from 0, n times. */
static void numbered(const char *name, const char *before, int n, const char *fmt)
{
    FILE *f = make(name);
    (void)fputs(before, f);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (int i = 0; i < n; i++)
        (void)fprintf(f, fmt, i);
#pragma GCC diagnostic pop
    (void)fclose(f);
}

static void make_link(const char *to, const char *name)
{
    if (symlink(to, name) != 0)
        die(name);
}

static void make_dir(const char *name)
{
    if (mkdir(name, 0700) != 0)
        die(name);
}

static void make_pipe(const char *name)
{
    if (mkfifo(name, 0600) != 0)
        die(name);
}

static const char house[] = "policy: {tz: Asia/Shanghai}\n"
                            "events: {buy: {member: m, fields: {s: string, l: [string]}}}\n";
static const char with_table[] = "policy: {tz: Asia/Shanghai}\n"
                                 "tables: {t: {file: t.csv, key: k, fields: {v: int}}}\n";

static void brackets(void)
{
    repeated("x.yaml", "", 100000, "[", "");
}
static void braces(void)
{
    repeated("x.yaml", "", 100000, "{", "");
}
static void dashes(void)
{
    repeated("x.yaml", "", 50000, "- ", "");
}
static void questions(void)
{
    repeated("x.yaml", "", 50000, "? ", "");
}
static void aliases(void)
{
    FILE *f = make("x.yaml");
    (void)fputs("a0: &a0 [x, x, x, x, x, x, x, x, x]\n", f);
    for (int i = 1; i < 30; i++)
        (void)fprintf(f, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    (void)fclose(f);
}
static void ten_megabytes(void)
{
    repeated("x.yaml", house, 500000, "# twenty bytes here\n", "");
}
static void long_line(void)
{
    repeated("x.yaml", "rules: {}\n# ", 10000000, "x", "\n");
}
static void line_of_a_megabyte(void)
{
    repeated("x.yaml", "rules: {a: ", 1000000, "x", "}\n");
}
static void long_key(void)
{
    repeated("x.yaml", "", 1000000, "x", ": 1\n");
}
static void escapes(void)
{
    repeated("x.yaml", "rules: {a: \"", 100000, "\\U0001F600", "\"}\n");
}
static void nul(void)
{
    FILE *f = make("x.yaml");
    (void)fwrite("rules: {}\n\0", 1, 11, f);
    (void)fclose(f);
}
static void latin(void)
{
    whole("x.yaml", "rules: {} # caf\xe9\n");
}
static void utf16(void)
{
    FILE *f = make("x.yaml");
    (void)fwrite("\xff\xfer\0u\0l\0e\0s\0:\0", 1, 14, f);
    (void)fclose(f);
}
static void nodes(void)
{
    repeated("x.yaml", "tables: {t: {list: [", 300000, "x,", "]}}\n");
}
static void duplicates(void)
{
    repeated("x.yaml", "rules:\n", 60000, "  a: {}\n", "");
}
static void unknown_sections(void)
{
    numbered("x.yaml", house, 20000, "#\nrules%d: {trigger: byu}\n");
}
static void unknown_events(void)
{
    FILE *f = make("x.yaml");
    (void)fputs(house, f);
    (void)fputs("rules:\n", f);
    for (int i = 0; i < 20000; i++)
        (void)fprintf(f, "  r%d: {trigger: byu, do: []}\n", i);
    (void)fclose(f);
}
static void deep_expression(void)
{
    FILE *f = make("x.yaml");
    (void)fputs(house, f);
    (void)fputs("rules: {r: {trigger: buy, do: [], if: \"", f);
    many(f, 1000, "(");
    (void)fputs("true", f);
    many(f, 1000, ")");
    (void)fputs("\"}}\n", f);
    (void)fclose(f);
}
static void dear_expression(void)
{
    FILE *f = make("x.yaml");
    (void)fputs(house, f);
    (void)fputs("rules: {r: {trigger: buy, do: [], if: \"event.l.exists(a, event.l.exists(b, "
                "a.contains(b)))\"}}\n",
                f);
    (void)fclose(f);
}
static void long_expression(void)
{
    FILE *f = make("x.yaml");
    (void)fputs(house, f);
    (void)fputs("rules: {r: {trigger: buy, do: [], if: \"event.s == '", f);
    many(f, 4097, "\xe5\xad\x97");
    (void)fputs("'\"}}\n", f);
    (void)fclose(f);
}
static void cycle_of_tags(void)
{
    FILE *f = make("x.yaml");
    (void)fputs("policy: {tz: UTC}\ntags:\n", f);
    for (int i = 0; i < 5000; i++)
        (void)fprintf(f, "  t%d: {value: member.t%d > 1 || member.t%d > 1}\n", i, (i + 1) % 5000,
                      (i + 2) % 5000);
    (void)fclose(f);
}
/* Each layer reads the two of the layer before: 2^1000 ways through. */
static void diamonds_of_tags(void)
{
    FILE *f = make("x.yaml");
    (void)fputs("policy: {tz: UTC}\nevents: {e: {member: m}}\ntags:\n  s: {type: int, default: 1}\n"
                "  a0: {value: member.s > 1}\n  b0: {value: member.s > 2}\n",
                f);
    for (int i = 1; i < 1000; i++)
        (void)fprintf(f,
                      "  a%d: {value: member.a%d || member.b%d}\n"
                      "  b%d: {value: member.a%d && member.b%d}\n",
                      i, i - 1, i - 1, i, i - 1, i - 1);
    (void)fputs("rules: {r: {trigger: {tag: a999}, do: [{set: {s: member.s + 1}}]}}\n", f);
    (void)fclose(f);
}
static void million_rows(void)
{
    whole("x.yaml", with_table);
    numbered("t.csv", "k,v\n", 1000000, "%d,1\n");
}
static void wrong_columns(void)
{
    whole("x.yaml", with_table);
    whole("t.csv", "k,w\nA,1\n");
}
static void hundred_megabytes(void)
{
    whole("x.yaml", with_table);
    whole("t.csv", "k,v\n");
    if (truncate("t.csv", 100 << 20) != 0)
        die("t.csv");
}
static void csv_line(void)
{
    whole("x.yaml", with_table);
    repeated("t.csv", "k,v\nA,", 10000000, "1", "\n");
}
static void open_cell(void)
{
    whole("x.yaml", with_table);
    repeated("t.csv", "k,v\n\"", 10000000, "1", "\n");
}
static void many_cells(void)
{
    whole("x.yaml", with_table);
    repeated("t.csv", "k,v\n", 5000000, ",", "\n");
}
static void same_keys(void)
{
    whole("x.yaml", with_table);
    repeated("t.csv", "k,v\n", 150000, "A,1\n", "");
}
static void csv_of_nul(void)
{
    whole("x.yaml", with_table);
    whole("t.csv", "k,v\n");
    if (truncate("t.csv", 1 << 20) != 0)
        die("t.csv");
}
static void csv_pipe(void)
{
    whole("x.yaml", with_table);
    make_pipe("t.csv");
}
static void many_files(int n)
{
    char name[32];
    for (int i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "f%d.yaml", i);
        FILE *f = make(name);
        if (i == 0)
            (void)fputs("policy: {tz: UTC}\n", f);
        else
            (void)fprintf(f, "events: {e%d: {member: m}}\n", i);
        (void)fclose(f);
    }
}
static void ten_thousand_files(void)
{
    many_files(10000);
}
static void one_file_more(void)
{
    many_files(10001);
}
static void forty_megabytes(void)
{
    char name[32];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof name, "f%d.yaml", i);
        repeated(name, "rules: {}\n", 50000, "# twenty bytes here\n", "");
    }
}
static void loop(void)
{
    whole("x.yaml", house);
    make_dir("d");
    make_link("..", "d/up");
}
static void link_to_itself(void)
{
    whole("y.yaml", house);
    make_link("x.yaml", "x.yaml");
}
static void deep_directories(void)
{
    char path[PATH_MAX] = "d";
    for (int i = 0; i < 40; i++) {
        make_dir(path);
        (void)strncat(path, "/d", sizeof path - strlen(path) - 1);
    }
    whole("x.yaml", house);
}
static void a_pipe(void)
{
    make_pipe("x.yaml");
}
static void endless_device(void)
{
    make_link("/dev/zero", "x.yaml");
}
static void waiting_device(void)
{
    make_link("/dev/tty", "x.yaml");
}
static void adapter_pipe(void)
{
    whole("x.yaml", house);
    make_dir("gateways");
    make_pipe("gateways/push.yaml");
}

static const struct {
    const char *name;
    void (*build)(void);
    int status;
    const char *says; /* in the output */
    long mib;         /* at most, without sanitizers */
} cases[] = {
    {"100 kB of [", brackets, 1, "[Y004]", 32},
    {"100 kB of {", braces, 1, "[Y0", 32},
    {"100 kB of - ", dashes, 1, "[Y004]", 32},
    {"100 kB of ? ", questions, 1, "[Y0", 32},
    {"an alias bomb", aliases, 1, "[Y006]", 32},
    {"a file of 10 MB", ten_megabytes, 1, "x.yaml:1:1: error[Y003]", 32},
    {"a line of 10 MB", long_line, 1, "[Y003]", 32},
    {"a line of 1 MB", line_of_a_megabyte, 1, "[S003]", 64},
    {"a key of 1 MB", long_key, 1, "[Y0", 64},
    {"100,000 escapes", escapes, 1, "[S003]", 64},
    {"a NUL", nul, 1, "x.yaml:2:1: error[Y002]", 32},
    {"Latin-1", latin, 1, "x.yaml:1:16: error[Y001]", 32},
    {"UTF-16", utf16, 1, "[Y00", 32},
    {"300,000 nodes", nodes, 1, "[Y005]", 96},
    {"60,000 duplicate keys", duplicates, 1, "[Y013]", 96},
    {"20,000 unknown sections", unknown_sections, 1, "… and 19950 more", 96},
    {"20,000 unknown events", unknown_events, 1, "… and 19950 more", 128},
    {"an expression 1,000 deep", deep_expression, 1, "[X003]", 32},
    {"an expression above the cost", dear_expression, 1, "[X004]", 32},
    {"an expression of 4,097 characters", long_expression, 1, "[X003]", 32},
    {"5,000 tags in a circle", cycle_of_tags, 1, "[G014]", 64},
    {"tags with 2^1000 ways", diamonds_of_tags, 0, "[W007]", 64},
    {"a table of a million rows", million_rows, 1, "[T010]", 160},
    {"a table with wrong columns", wrong_columns, 1, "t.csv:1:1: error[T011]", 32},
    {"a table of 100 MB", hundred_megabytes, 1, "[T015]", 32},
    {"a table's line of 10 MB", csv_line, 1, "[T012]", 96},
    {"a table's cell without an end", open_cell, 1, "[T010]", 96},
    {"a table's line of 5,000,000 cells", many_cells, 1, "[T010]", 96},
    {"a table of one key", same_keys, 1, "[T013]", 96},
    {"a table of NULs", csv_of_nul, 1, "[T010]", 48},
    {"a table that is a pipe", csv_pipe, 1, "[T015]", 32},
    {"10,000 files", ten_thousand_files, 0, "ok: ", 256},
    {"10,001 files", one_file_more, 2, "more than 10000 files", 64},
    {"40 files of 1 MB", forty_megabytes, 2, "more than 32 MiB", 96},
    {"a directory that leads back", loop, 2, "leads back", 32},
    {"a link to itself", link_to_itself, 1, "x.yaml:1:1: error[S014]", 32},
    {"directories 40 deep", deep_directories, 2, "more than 16 deep", 32},
    {"a pipe", a_pipe, 1, "[S014]: not an ordinary file", 32},
    {"a device without end", endless_device, 1, "[S014]", 32},
    {"a device that waits", waiting_device, 1, "[S014]", 32},
    {"an adapter that is a pipe", adapter_pipe, 1, "[S014]", 32},
};

/* ---- running --------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    return remove(path);
}

static void child(const char *rouse, int out)
{
    char *const env[] = {(char[]){"ASAN_OPTIONS=quarantine_size_mb=1:detect_leaks=0"}, NULL};
    struct stat st;
    const char *gateways = stat("gateways", &st) == 0 ? "--gateways=gateways" : "--format=text";
    char *const argv[] = {(char *)(uintptr_t)rouse, (char[]){"check"}, (char *)(uintptr_t)gateways,
                          stat("x.yaml", &st) == 0 && !S_ISREG(st.st_mode) ? (char[]){"x.yaml"}
                                                                           : (char[]){"."},
                          NULL};
    (void)dup2(out, 1);
    (void)dup2(out, 2);
    (void)alarm(HANGS_AFTER);
    (void)execve(rouse, argv, env);
    _exit(127);
}

/* In a process of its own, so that this one stays small: a child's memory begins as its parent's. */
static void build(size_t i)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        cases[i].build();
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("building a case");
}

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* Its first 64 KiB of output; the rest is read and dropped. */
static size_t read_output(int fd, char *text, size_t size, size_t *all)
{
    size_t n = 0;
    char chunk[4096];
    ssize_t got;
    *all = 0;
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        size_t keep = size - 1 - n < (size_t)got ? size - 1 - n : (size_t)got;
        memcpy(text + n, chunk, keep);
        n += keep;
        *all += (size_t)got;
    }
    text[n] = 0;
    return n;
}

/* 1 = as it should be. */
static int run(const char *rouse, size_t i)
{
    static char text[65536];
    int out[2], status;
    struct rusage use;
    size_t all;
    if (pipe(out) != 0)
        die("pipe");
    int64_t began = now_us();
    pid_t pid = fork();
    if (pid == 0)
        child(rouse, out[1]);
    (void)close(out[1]);
    (void)read_output(out[0], text, sizeof text, &all);
    (void)close(out[0]);
    if (wait4(pid, &status, 0, &use) != pid)
        die("wait4");
    long ms = (long)((now_us() - began) / 1000), mib = use.ru_maxrss / 1024;
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == cases[i].status &&
              strstr(text, cases[i].says) && mib <= cases[i].mib * ROOM && all < 65536;
    (void)printf("%-36s %6ld ms %5ld MiB  %s\n", cases[i].name, ms, mib, ok ? "ok" : "FAILED");
    if (!ok)
        (void)printf(
            "  wanted status %d, `%s`, at most %ld MiB and 64 KiB of text; got status %d%s, "
            "%zu bytes:\n%.2000s\n",
            cases[i].status, cases[i].says, cases[i].mib * ROOM,
            WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? " (it hung)" : "", all, text);
    return ok;
}

int main(int argc, char **argv)
{
    char rouse[PATH_MAX], home[PATH_MAX];
    size_t failed = 0;
    if (argc < 2 || !realpath(argv[1], rouse) || !getcwd(home, sizeof home)) {
        (void)fputs("usage: bad_input ROUSE [PART OF A NAME]\n", stderr);
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc > 2 && !strstr(cases[i].name, argv[2]))
            continue;
        (void)strcpy(work, "/tmp/rouse-bad-XXXXXX");
        if (!mkdtemp(work) || chdir(work) != 0)
            die(work);
        build(i);
        failed += !run(rouse, i);
        if (chdir(home) != 0 || nftw(work, remove_one, 32, FTW_DEPTH | FTW_PHYS) != 0)
            die(work);
    }
    (void)printf("%zu failed\n", failed);
    return failed != 0;
}

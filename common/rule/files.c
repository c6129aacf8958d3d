/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rule files from disk: which ones belong to a program, and their bytes.  Whatever stands there must
 * end in an answer within a moment: a pipe or a device is never opened for waiting, a file that is too
 * large is refused before it is read, links that lead back are noticed, and there is a most of
 * everything.  A file that cannot be read is a finding of its own, so that the others are still
 * looked at.
 */
#include "rule_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 10000
#define MAX_BYTES (32u << 20) /* of all YAML files of a program together */
#define MAX_DIR_DEPTH 16

/* ---- one file -------------------------------------------------------------------------------- */

static enum file_got read_bytes(int fd, size_t size, size_t max, char *to, size_t *got)
{
    *got = 0;
    for (;;) { /* one byte more than it should have: it may be growing */
        ssize_t n = read(fd, to + *got, size + 1 - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FILE_UNREADABLE;
        if (n == 0)
            return FILE_READ;
        *got += (size_t)n;
        if (*got > size)
            return *got > max ? FILE_TOO_LARGE : FILE_UNREADABLE;
    }
}

enum file_got file_read(struct arena *a, const char *path, size_t max, struct str *out,
                        struct err *err)
{
    struct stat st;
    size_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        (void)err_set(err, ERR_FATAL, "%s", strerror(errno));
        return FILE_UNREADABLE;
    }
    enum file_got rc = FILE_UNREADABLE;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)err_set(err, ERR_FATAL, "not an ordinary file");
    } else if ((uint64_t)st.st_size > max) {
        (void)err_set(err, ERR_FATAL, "larger than %zu MiB", max >> 20);
        rc = FILE_TOO_LARGE;
    } else {
        char *to = arena_alloc(a, (size_t)st.st_size + 1);
        rc = read_bytes(fd, (size_t)st.st_size, max, to, &got);
        if (rc != FILE_READ) {
            (void)err_set(err, ERR_FATAL, "cannot be read, or is being written");
        } else {
            to[got] = '\0';
            *out = (struct str){to, got};
        }
    }
    (void)close(fd);
    return rc;
}

/* ---- which files ----------------------------------------------------------------------------- */

struct found {
    char *path;
};
struct walk {
    struct arena *a;
    struct found *v;
    size_t n, cap;
    struct stat above[MAX_DIR_DEPTH + 1]; /* the directories that lead to the present one */
    uint32_t depth;
    struct err *err;
};

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}

static int add_file(struct walk *w, const char *path)
{
    if (w->n == MAX_FILES)
        return err_set(w->err, ERR_FATAL, "%s: more than %d files", path, MAX_FILES);
    if (w->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 16;
        w->v = xrealloc(w->v, w->cap * sizeof *w->v);
    }
    w->v[w->n++].path = arena_strdup(w->a, path);
    return 0;
}

static int enter(struct walk *w, const char *dir, const struct stat *st);

static int walk_entry(struct walk *w, const char *dir, const char *name)
{
    char path[4096];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return err_set(w->err, ERR_FATAL, "%s/%s: the path is too long", dir, name);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return enter(w, path, &st);
    /* What is named like a rule file and cannot be one is said when it is read. */
    return ends_in(name, ".yaml") ? add_file(w, path) : 0;
}

static int enter(struct walk *w, const char *dir, const struct stat *st)
{
    for (uint32_t i = 0; i < w->depth; i++)
        if (w->above[i].st_dev == st->st_dev && w->above[i].st_ino == st->st_ino)
            return err_set(w->err, ERR_FATAL, "%s: a link that leads back to where it stands", dir);
    if (w->depth > MAX_DIR_DEPTH)
        return err_set(w->err, ERR_FATAL, "%s: directories in directories, more than %d deep", dir,
                       MAX_DIR_DEPTH);
    DIR *d = opendir(dir);
    if (!d)
        return err_set(w->err, ERR_FATAL, "%s: %s", dir, strerror(errno));
    int rc = 0;
    struct dirent *e;
    w->above[w->depth++] = *st;
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            rc = walk_entry(w, dir, e->d_name);
    w->depth--;
    closedir(d);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->path, ((const struct found *)b)->path);
}

static int one_path(struct walk *w, const char *path)
{
    struct stat st;
    size_t n = strlen(path), before = w->n;
    if (stat(path, &st) != 0)
        return err_set(w->err, ERR_FATAL, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return ends_in(path, ".csv") ? 0 : add_file(w, path); /* tables find theirs themselves */
    char *dir = xmemdup0(path, n > 1 && path[n - 1] == '/' ? n - 1 : n);
    int rc = enter(w, dir, &st);
    if (rc == 0 && w->n == before)
        rc = err_set(w->err, ERR_FATAL, "%s: no *.yaml files", dir);
    if (w->n > before)
        qsort(w->v + before, w->n - before, sizeof *w->v, by_path);
    free(dir);
    return rc;
}

/* ---- their bytes ----------------------------------------------------------------------------- */

/* A finding about a file of which nothing was read. */
static void refuse(struct load *L, const struct srcfile *f, enum file_got got,
                   const struct err *err)
{
    struct span at = {f, 0, 0};
    if (got == FILE_TOO_LARGE)
        diags_addf(L->d, "Y003", at, STR("split it"), (struct str){0},
                   "a file may have at most 1 MiB");
    else
        diags_addf(L->d, "S014", at, (struct str){0}, (struct str){0}, "%s", err->text);
}

static int read_all(struct load *L, const struct walk *w, struct srcfile *src, struct err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct err why = {0};
        src[i] =
            (struct srcfile){.name = str_c(w->v[i].path), .text = STR(""), .order = (uint32_t)i};
        enum file_got got = file_read(L->a, w->v[i].path, YAML_MAX_BYTES, &src[i].text, &why);
        if (got != FILE_READ) {
            src[i].text = STR("");
            refuse(L, &src[i], got, &why);
            L->unread = true;
        }
        bytes += src[i].text.n;
        if (bytes > MAX_BYTES)
            return err_set(err, ERR_FATAL, "%s: the rules have more than %u MiB together",
                           w->v[i].path, MAX_BYTES >> 20);
    }
    return 0;
}

int files_read(struct load *L, const char *const *paths, size_t n, struct srcfile **out,
               size_t *n_out, struct err *err)
{
    struct walk w = {.a = L->a, .err = err};
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = one_path(&w, paths[i]);
    if (rc == 0) {
        *out = ARENA_ARRAY(L->a, struct srcfile, w.n + 1);
        *n_out = w.n;
        rc = read_all(L, &w, *out, err);
    }
    free(w.v);
    return rc;
}

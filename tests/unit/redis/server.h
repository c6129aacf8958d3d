/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real redis-server on a unix socket in a temp directory, for tests.  Ready when it answers; stopped
 * by its pid; its directory is removed.
 */
#ifndef TEST_REDIS_SERVER_H
#define TEST_REDIS_SERVER_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "redis.h"

struct server {
    char dir[64], address[128];
    pid_t pid;
    const char *extra[16]; /* further arguments, NULL-terminated */
};

/* Connects once the server answers. */
static void server_wait(struct server *s, struct redis **out)
{
    struct redis_conf c = {.address = s->address};
    struct err err = {0};
    if (redis_new(&c, out, &err) != 0)
        abort();
    for (int i = 0; i < 2000; i++) {
        err = (struct err){0};
        if (redis_connect_wait(*out, 5000, &err) == 0)
            return;
        usleep(5000); /* between two questions */
    }
    fprintf(stderr, "redis-server does not answer: %s\n", err.text);
    abort();
}

static void server_run(struct server *s)
{
    char sock[96];
    snprintf(sock, sizeof sock, "%s/s", s->dir);
    snprintf(s->address, sizeof s->address, "unix:%s", sock);
    const char *argv[48] = {
        "redis-server", "--port",       "0",  "--save",        "",         "--dir",
        s->dir,         "--unixsocket", sock, "--appendfsync", "everysec", "--loglevel",
        "warning"};
    int n = 13;
    for (int i = 0; s->extra[i] != NULL; i++)
        argv[n++] = s->extra[i];
    argv[n] = NULL;
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no server behind */
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)(void *)argv);
        _exit(127);
    }
}

static void server_start(struct server *s, struct redis **out)
{
    snprintf(s->dir, sizeof s->dir, "/tmp/rouse-redis-XXXXXX");
    if (mkdtemp(s->dir) == NULL)
        abort();
    server_run(s);
    server_wait(s, out);
}

static void server_kill(struct server *s, int sig)
{
    kill(s->pid, sig);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

static void server_stop(struct server *s)
{
    if (s->pid != 0)
        server_kill(s, SIGKILL);
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", s->dir);
    if (system(cmd) != 0)
        fprintf(stderr, "not removed: %s\n", s->dir);
}

#endif

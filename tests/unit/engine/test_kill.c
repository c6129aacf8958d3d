/* SPDX-License-Identifier: Apache-2.0 */
/* rouse-engine killed at every point of its loop, and Redis killed under it. */
#include "year.h"

/* kill -9 at every point of the loop, several times each. */
static void test_killed_everywhere(void **state)
{
    struct world *w = *state;
    static const char *const points[] = {"claimed",  "loaded",     "folded",   "produced",
                                         "reported", "committing", "committed"};
    int died = 0;
    for (int round = 1; round <= 9; round++) {
        char point[32];
        int status;
        snprintf(point, sizeof point, "%s:%d", points[(size_t)round % BASE_LEN(points)],
                 1 + round * 7 % 20);
        if (strncmp(point, "claimed", 7) == 0)
            snprintf(point, sizeof point, "claimed:2");
        const char *more[] = {"--chaos-point", point, NULL};
        pid_t e = engine_start(w, false, more);
        while (waitpid(e, &status, WNOHANG) == 0 && !done(w))
            nap();
        if (kill(e, 0) == 0 && waitpid(e, &status, WNOHANG) == 0) {
            engine_stop(w, e); /* it was through before its hour came */
            break;
        }
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        died++;
    }
    assert_true(died >= 7);
    pid_t e = engine_start(w, false, NULL);
    wait_done(w);
    engine_stop(w, e);
    check(w);
}

/* Redis dies under the engine and comes back with less than it had acknowledged. */
static void test_redis_killed(void **state)
{
    struct world *w = *state;
    const char *more[] = {"--commit-window", "20ms", NULL};
    pid_t e = engine_start(w, false, more);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 20 && !done(w); k++)
            nap();
        redis_free(&w->r);
        server_kill(&w->redis, SIGKILL);
        for (int k = 0; k < 20; k++)
            nap();
        server_run(&w->redis);
        server_wait(&w->redis, &w->r);
    }
    wait_done(w);
    engine_stop(w, e);
    check(w);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_everywhere, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_redis_killed, world_start, world_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

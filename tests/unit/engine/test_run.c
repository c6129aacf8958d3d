/* SPDX-License-Identifier: Apache-2.0 */
/* rouse-engine as a process: options, one alone, two at once. */
#include "year.h"

static void test_plain(void **state)
{
    struct world *w = *state;
    w->port = free_port();
    pid_t e = engine_start(w, false, NULL);
    wait_done(w);
    wait_metric(w, "rouse_engine_lag_records ", 0, 0);
    wait_metric(w, "rouse_engine_tag_changes_total ", 1000, 1e6);
    engine_stop(w, e);
    assert_true(check(w) > 100);
    /* the offsets are in the group too */
    struct kafka_tp tp[P];
    struct err err = {0};
    for (int p = 0; p < P; p++)
        tp[p] = (struct kafka_tp){.topic = "rouse.log", .partition = p};
    assert_int_equal(kafka_committed(&w->kafka, w->group, tp, P, w->a, WAIT_MS, &err), 0);
    for (int p = 0; p < P; p++)
        assert_int_equal(tp[p].offset, w->n_log[p]);
}

/* Two that both think they own everything: only one gets through at a time, nothing is wrong. */
static void test_duel(void **state)
{
    struct world *w = *state;
    w->port = 0;
    pid_t a = engine_start(w, false, NULL);
    pid_t b = engine_start(w, false, NULL); /* another group: both own all partitions */
    wait_done(w);
    engine_stop(w, a);
    engine_stop(w, b);
    check(w);
}

/* Two of one group: they share, and the survivor takes over. */
static void test_share(void **state)
{
    struct world *w = *state;
    pid_t a = engine_start(w, false, NULL);
    pid_t b = engine_start(w, true, NULL);
    for (int k = 0; k < 100; k++)
        nap();
    kill(a, SIGKILL);
    waitpid(a, NULL, 0);
    wait_done(w);
    engine_stop(w, b);
    check(w);
}

/* One line, exit 2. */
static void test_bad_options(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"--chaos-point", "nowhere:1"},   {"--chaos-point", "folded:0"},
        {"--chaos-point", "folded"},      {"--kafka", "novalue"},
        {"--kafka", "group.id=x"},        {"--redis", "nowhere"},
        {"--redis-password-file", "/no"}, {"--no-such", "x"},
        {"--commit-members", "513"},
    };
    char exe[512];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 20);
    assert_true(n > 0);
    exe[n] = '\0';
    snprintf(strrchr(exe, '/'), 20, "/rouse-engine");
    for (size_t i = 0; i < BASE_LEN(bad); i++) {
        const char *argv[] = {exe, bad[i][0], bad[i][1], NULL};
        int status;
        waitpid(spawn(argv, "/dev/null"), &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 2)
            fail_msg("%s %s: status %d", bad[i][0], bad[i][1], status);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test_setup_teardown(test_plain, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_duel, world_start, world_stop),
        cmocka_unit_test_setup_teardown(test_share, world_start, world_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

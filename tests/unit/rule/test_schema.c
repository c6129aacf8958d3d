/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of keys as the schema and the reference print them: each key says in both languages what
 * it is for, and how its value is written is a word that the schema defines. */
#include "rule_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void check_key(const struct key_def *k, const char *schema)
{
    char want[64];
    assert_true(k->name[0] && k->type[0] && k->en[0] && k->zh[0]);
    bool chinese = false;
    for (const char *c = k->zh; *c; c++)
        chinese |= (unsigned char)*c >= 0xe3;
    assert_true(chinese);
    if (strchr(k->type, '|') || strncmp(k->type, "int ", 4) == 0)
        return;
    (void)snprintf(want, sizeof want, "\n    \"%s\":", k->type);
    if (!strstr(schema, want))
        fail_msg("`%s`: the schema does not define %s", k->name, want);
}

static void keys_are_complete(void **state)
{
    (void)state;
    struct buf b;
    const struct key_table *t;
    struct key_def keys[TAG_KEYS_MAX];
    size_t n, seen = 0;
    buf_init(&b, 1 << 20);
    rule_schema(NULL, &b);
    buf_addc(&b, '\0');
    for (size_t i = 0; (t = key_table_at(i)) != NULL; i++) {
        assert_true(t->en[0] && t->zh[0]);
        for (size_t k = 0; k < t->n; k++, seen++)
            check_key(&t->keys[k], b.p);
    }
    for (int kind = TAG_STORED; kind <= TAG_LEVELS; kind++) {
        n = tag_kind_keys((enum tag_kind)kind, keys);
        assert_true(n >= 2);
        assert_string_equal(keys[0].name, tag_kind_key((enum tag_kind)kind)->name);
        for (size_t k = 0; k < n; k++, seen++)
            check_key(&keys[k], b.p);
    }
    for (size_t v = 0; (n = step_keys_of(v, keys)) != 0; v++)
        for (size_t k = 0; k < n; k++, seen++)
            check_key(&keys[k], b.p);
    assert_true(seen > 150);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_complete)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

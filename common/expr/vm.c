/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm: runs the code.  Sixteen-byte values on a stack of its own, no allocation; what is built goes
 * into the caller's scratch.  An error looks for the innermost protected range around it (gen.c) and
 * goes on there, or ends the evaluation.
 */
#include "expr_priv.h"

/* An error as an operand of `&&`, `||`, `all` or `exists`; .b is what it counts as until the end. */
#define V_MARK 255

static const char absent[] = "a value that is not there";
static const char misfit[] = "a value of another type than declared";
static const char overflow[] = "a number that does not fit";
static const char full[] = "the result is too long";
static const char no_key[] = "no such key";
static const char no_event[] = "there is no such event here";
static const char no_zone[] = "there is no time zone";
static const char unread[] = "a tag that cannot be read";

/* Two words, never one wide move: a wide load behind the narrow stores that made a value waits for
 * them to reach the cache, some 15 cycles each time. */
static inline void copy(struct val *to, const struct val *from)
{
    uint64_t w[2];
    memcpy(w, from, sizeof w);
    __asm__("" : "+r"(w[0]), "+r"(w[1]));
    memcpy(to, w, sizeof w);
}

static inline void put_bool(struct val *to, bool b)
{
    uint64_t w[2] = {V_BOOL, b};
    __asm__("" : "+r"(w[0]), "+r"(w[1]));
    memcpy(to, w, sizeof w);
}
static inline void put_double(struct val *to, double d)
{
    uint64_t w[2] = {V_DOUBLE, 0};
    memcpy(&w[1], &d, sizeof d);
    __asm__("" : "+r"(w[0]), "+r"(w[1]));
    memcpy(to, w, sizeof w);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "put_bool and put_double");
_Static_assert(offsetof(struct val, t) == 0 && offsetof(struct val, b) == 8, "put_bool");

struct loop {
    const struct val *at, *end;
    struct val *out; /* filter, map */
    uint32_t step, hits;
    bool failed;
};

static const char *read_tag(struct expr_ctx *c, const struct ins *i, struct val *out)
{
    int rc = c->member ? c->member(c->arg, i->b, i->a != 0, out) : -1;
    return rc == 1 ? NULL : rc == 0 ? absent : unread;
}

/* member.TAG[key]; 1 found, 0 no such key, -1 error. */
static int read_tag_at(struct expr_ctx *c, const struct ins *i, const struct val *key,
                       struct val *out)
{
    struct val map;
    if (c->member_at)
        return c->member_at(c->arg, i->b, i->a != 0, key, out);
    if (read_tag(c, i, &map) || map.t != V_MAP)
        return -1;
    const struct val *v = map_find(map, key, false);
    if (v)
        *out = *v;
    return v != NULL;
}

static const char *index_list(struct val list, int64_t at, struct val *out)
{
    if (at < 0 || at >= list.n)
        return "an index outside the list";
    *out = list.list[at];
    return NULL;
}

static bool in_list(const struct val *v, uint32_t n, const struct val *x)
{
    for (uint32_t i = 0; i < n; i++)
        if (value_eq(&v[i], x))
            return true;
    return false;
}

static const char *int_math(enum opcode op, int64_t a, int64_t b, int64_t *out)
{
    if (op == OP_MUL_I)
        return __builtin_mul_overflow(a, b, out) ? overflow : NULL;
    if (b == 0)
        return "division by zero";
    if (a == INT64_MIN && b == -1)
        return overflow;
    *out = op == OP_DIV_I ? a / b : a % b;
    return NULL;
}

static bool str_less(const struct val *a, const struct val *b)
{
    return str_cmp(val_get_str(*a), val_get_str(*b)) < 0;
}

static bool str_same(const struct val *a, const struct val *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->s, b->s, a->n) == 0);
}

static bool time_less(const struct val *a, const struct val *b)
{
    return a->i < b->i || (a->i == b->i && a->n < b->n);
}

static bool time_same(const struct val *a, const struct val *b)
{
    return a->i == b->i && a->n == b->n;
}

static bool contains(struct val text, struct val part)
{
    return part.n == 0 || (text.n >= part.n && memmem(text.s, text.n, part.s, part.n));
}

static bool starts(struct val text, struct val part)
{
    return text.n >= part.n && (part.n == 0 || memcmp(text.s, part.s, part.n) == 0);
}

static bool ends(struct val text, struct val part)
{
    return text.n >= part.n &&
           (part.n == 0 || memcmp(text.s + text.n - part.n, part.s, part.n) == 0);
}

/* Begin a loop over `range`; false = it is empty and *out is the result. */
static const char *loop_begin(struct expr_ctx *c, struct loop *l, const struct ins *i,
                              struct val range, bool *empty)
{
    l->step = range.t == V_MAP ? 2 : 1;
    l->at = range.list;
    l->end = range.list + (size_t)range.n * l->step;
    l->hits = 0;
    l->failed = false;
    l->out = NULL;
    *empty = range.n == 0;
    if ((i->kind == MACRO_FILTER || i->kind == MACRO_MAP) && range.n) {
        l->out = scratch(c, range.n * sizeof *l->out, sizeof *l->out);
        return l->out ? NULL : full;
    }
    return NULL;
}

static struct val empty_result(enum macro macro)
{
    if (macro == MACRO_FILTER || macro == MACRO_MAP)
        return (struct val){.t = V_LIST};
    return val_bool(macro == MACRO_ALL);
}

static struct val made(const struct loop *l)
{
    return (struct val){.t = V_LIST, .n = l->hits, .list = l->out};
}

static const char *new_list(struct expr_ctx *c, uint32_t n, bool map, struct val *out)
{
    struct val *v = scratch(c, (map ? 2 : 1) * n * sizeof *v, sizeof *v);
    if (!v)
        return full;
    *out = (struct val){.t = map ? V_MAP : V_LIST, .n = n, .list = v};
    return NULL;
}

/* The list or map on the stack is still being built: nobody else sees it. */
static void set_item(struct val list, uint32_t at, struct val v)
{
    struct val *to = (struct val *)(uintptr_t)&list.list[at];
    *to = v;
}

static const char *set_pair(struct val map, uint32_t at, const struct val *kv)
{
    struct val before = map;
    before.n = at;
    if (map_find(before, &kv[0], false))
        return "the same key twice";
    set_item(map, 2 * at, kv[0]);
    set_item(map, 2 * at + 1, kv[1]);
    return NULL;
}

/* Instructions that are rare or dear anyway: kept out of the loop so that it stays small.
 * v[-1] (and v[-2]) are the operands; the result replaces the first. */
static const char *slow_op(const struct code *k, struct expr_ctx *c, const struct ins *i,
                           struct val *v)
{
    struct val *a = v - 1, *b = v - 2;
    const char *msg = NULL;
    int64_t n = 0;
    bool yes = false;
    double d = 0;
    switch (i->op) {
    case OP_ADD_S:
        return lib_concat(c, *b, *a, b);
    case OP_ADD_L:
        return lib_append(c, *b, *a, b);
    case OP_ADD_T:
        return lib_time_add(*b, a->i, b);
    case OP_ADD_DT:
        return lib_time_add(*a, b->i, b);
    case OP_SUB_T:
        return a->i == INT64_MIN ? overflow : lib_time_add(*b, -a->i, b);
    case OP_DIFF_T:
        msg = lib_time_diff(*b, *a, &n);
        *b = (struct val){.t = V_DURATION, .i = n};
        return msg;
    case OP_D2I:
        msg = lib_double_int(a->d, &n);
        *a = val_int(n);
        return msg;
    case OP_S2I:
        msg = lib_parse_int(val_get_str(*a), &n);
        *a = val_int(n);
        return msg;
    case OP_T2I:
        *a = val_int(a->i);
        return NULL;
    case OP_S2D:
        msg = lib_parse_double(val_get_str(*a), &d);
        *a = val_double(d);
        return msg;
    case OP_S2B:
        msg = lib_parse_bool(val_get_str(*a), &yes);
        *a = val_bool(yes);
        return msg;
    case OP_S2T:
        return lib_parse_time(val_get_str(*a), a);
    case OP_I2T:
        *a = (struct val){.t = V_TIMESTAMP, .i = a->i};
        return time_in_range(*a) ? NULL : "a time outside the years 1 to 9999";
    case OP_S2L:
        msg = lib_parse_duration(val_get_str(*a), &n);
        *a = (struct val){.t = V_DURATION, .i = n};
        return msg;
    case OP_DAYS:
        if (__builtin_mul_overflow(a->i, TIME_DAY * 1000000, &n))
            return overflow;
        *a = (struct val){.t = V_DURATION, .i = n};
        return NULL;
    case OP_TO_S:
        return lib_to_string(c, *a, a);
    case OP_DATE:
        return lib_date(c, *a, a);
    case OP_YUAN:
        return lib_yuan(c, a->d, a);
    case OP_SIZE_S:
        *a = val_int((int64_t)utf8_len(val_get_str(*a)));
        return NULL;
    case OP_DUR_FIELD:
        *a = val_int(lib_duration_field((enum time_field)i->a, a->i));
        return NULL;
    case OP_TIME_FIELD: {
        const struct zone *z = i->b ? k->zones[i->b] : c->tz;
        if (!z)
            return no_zone;
        *a = val_int(lib_time_field((enum time_field)i->a, *a, z));
        return NULL;
    }
    case OP_LIST_NEW:
    case OP_MAP_NEW:
        return new_list(c, i->b, i->op == OP_MAP_NEW, v);
    case OP_LIST_SET:
        set_item(*b, i->b, *a);
        return NULL;
    case OP_MAP_SET:
        return set_pair(v[-3], i->b, b);
    case OP_EVENT_ALL:
    case OP_NEXT_ALL:
        v->list = i->op == OP_EVENT_ALL ? c->event : c->next;
        v->n = i->b;
        v->t = V_RECORD;
        return v->list ? NULL : no_event;
    case OP_TZ:
        if (!c->tz)
            return no_zone;
        *v = val_str(zone_name(c->tz));
        return NULL;
    case OP_TO_MONEY:
        return lib_to_money(a->d, a);
    case OP_CHECK:
        return value_check(k->check, *a);
    default: /* the rest is in vm_run */
        return "an instruction that should not be reached";
    }
}

/* The innermost protected range around an instruction, or -1. */
static int protected_at(const struct code *k, uint32_t pc)
{
    for (uint32_t h = 0; h < k->n_handlers; h++)
        if (pc >= k->handlers[h].from && pc < k->handlers[h].to)
            return (int)h;
    return -1;
}

#define FAIL(text)                                                                                 \
    do {                                                                                           \
        msg = (text);                                                                              \
        goto fail;                                                                                 \
    } while (0)
#define TRY(call)                                                                                  \
    do {                                                                                           \
        msg = (call);                                                                              \
        if (__builtin_expect(msg != NULL, 0))                                                      \
            goto fail;                                                                             \
    } while (0)
/* A load: the kind of a value from outside is looked at once, here. */
#define PUSH(from)                                                                                 \
    do {                                                                                           \
        copy(sp, (from));                                                                          \
        PUSHED();                                                                                  \
    } while (0)
#define PUSHED()                                                                                   \
    do {                                                                                           \
        if (__builtin_expect(sp->t != i->kind, 0)) {                                               \
            if (sp->t != V_MONEY || i->kind != V_DOUBLE)                                           \
                FAIL(sp->t == V_ABSENT ? absent : misfit);                                         \
            put_double(sp, money_double(sp->i));                                                   \
        }                                                                                          \
        sp++;                                                                                      \
    } while (0)
/* In `test` the operands are sp[-1] and sp[0]. */
#define BINARY(test)                                                                               \
    do {                                                                                           \
        sp--;                                                                                      \
        put_bool(&sp[-1], (test));                                                                 \
    } while (0)
#define SIX(T, lt, le, gt, ge, eq, ne)                                                             \
    case OP_LT_##T:                                                                                \
        BINARY(lt);                                                                                \
        break;                                                                                     \
    case OP_LE_##T:                                                                                \
        BINARY(le);                                                                                \
        break;                                                                                     \
    case OP_GT_##T:                                                                                \
        BINARY(gt);                                                                                \
        break;                                                                                     \
    case OP_GE_##T:                                                                                \
        BINARY(ge);                                                                                \
        break;                                                                                     \
    case OP_EQ_##T:                                                                                \
        BINARY(eq);                                                                                \
        break;                                                                                     \
    case OP_NE_##T:                                                                                \
        BINARY(ne);                                                                                \
        break
#define SIX_PLAIN(T, f) SIX(T, L.f<R.f, L.f <= R.f, L.f> R.f, L.f >= R.f, L.f == R.f, L.f != R.f)
#define SIX_LESS(T, less, same)                                                                    \
    SIX(T, less(&L, &R), !less(&R, &L), less(&R, &L), !less(&L, &R), same(&L, &R), !same(&L, &R))
#define WITH_K(OP, f, cmp)                                                                         \
    case OP:                                                                                       \
        put_bool(&sp[-1], sp[-1].f cmp k->consts[i->b].f);                                         \
        break
#define L sp[-1]
#define R sp[0]
#define JUMP() i = k->ins + i->b - 1
/* Back to the body, unless the run-time backstop says stop. */
#define AGAIN()                                                                                    \
    do {                                                                                           \
        uint32_t length_ = (uint32_t)(i - k->ins) - i->b + 1;                                      \
        if (__builtin_expect(length_ > left, 0))                                                   \
            FAIL("it takes too long");                                                             \
        left -= length_;                                                                           \
        JUMP();                                                                                    \
    } while (0)
#define ADVANCE(l) ((l)->at += (l)->step, (l)->at < (l)->end)

int vm_run(const struct code *k, struct expr_ctx *c, struct val *out)
{
    struct val stack[EXPR_MAX_STACK] __attribute__((uninitialized));
    struct loop loops[EXPR_MAX_NEST] __attribute__((uninitialized)), *l;
    struct val *sp = stack, v;
    const struct ins *i = k->ins;
    const struct val *found;
    const char *msg;
    uint32_t left = EXPR_MAX_STEPS;
    int64_t n;
    bool empty;
    int rc;

again:
    for (;; i++) {
        switch (i->op) {
        case OP_RET:
            copy(out, &sp[-1]);
            c->steps += EXPR_MAX_STEPS - left + k->n;
            return 0;
        case OP_CONST:
            copy(sp++, &k->consts[i->b]);
            break;
        /* ---- loads ---- */
        case OP_EVENT:
            if (!c->event)
                FAIL(no_event);
            PUSH(&c->event[i->b]);
            break;
        case OP_NEXT:
            if (!c->next)
                FAIL(no_event);
            PUSH(&c->next[i->b]);
            break;
        case OP_VAR:
            PUSH(&c->vars[i->b]);
            break;
        case OP_MEMBER:
            TRY(read_tag(c, i, sp));
            PUSHED();
            break;
        case OP_NOW:
            *sp++ = val_time_ms(c->now_ms);
            break;
        case OP_LOCAL:
            PUSH(loops[i->a].at);
            break;
        case OP_LOCAL_FIELD:
            found = loops[i->a].at;
            if (found->t != V_RECORD || i->b >= found->n)
                FAIL(absent);
            PUSH(&found->list[i->b]);
            break;
        case OP_FIELD:
            if (i->b >= sp[-1].n)
                FAIL(absent);
            sp--;
            PUSH(&sp->list[i->b]);
            break;
        case OP_HAS_EVENT:
        case OP_HAS_NEXT:
            found = i->op == OP_HAS_EVENT ? c->event : c->next;
            if (!found)
                FAIL(no_event);
            put_bool(sp++, found[i->b].t != V_ABSENT);
            break;
        case OP_HAS_MEMBER:
            rc = c->member ? c->member(c->arg, i->b, i->a != 0, &v) : -1;
            if (rc < 0)
                FAIL(unread);
            put_bool(sp++, rc == 1);
            break;
        case OP_HAS_FIELD:
            put_bool(&sp[-1], i->b < sp[-1].n && sp[-1].list[i->b].t != V_ABSENT);
            break;
        case OP_MEMBER_AT:
            rc = read_tag_at(c, i, &sp[-1], &v);
            if (rc != 1)
                FAIL(rc == 0 ? no_key : unread);
            sp--;
            PUSH(&v);
            break;
        case OP_MEMBER_IN:
            rc = read_tag_at(c, i, &sp[-1], &v);
            if (rc < 0)
                FAIL(unread);
            put_bool(&sp[-1], rc == 1);
            break;
        case OP_INDEX:
            TRY(index_list(sp[-2], sp[-1].i, &v));
            sp -= 2;
            PUSH(&v);
            break;
        case OP_MAP_AT:
            found = map_find(sp[-2], &sp[-1], i->a != 0);
            if (!found)
                FAIL(no_key);
            sp -= 2;
            PUSH(found);
            break;
        case OP_MAP_IN:
            BINARY(map_find(R, &L, i->a != 0) != NULL);
            break;
        case OP_IN_LIST:
            BINARY(in_list(R.list, R.n, &L));
            break;
        case OP_IN_STACK:
            sp -= i->b;
            put_bool(&sp[-1], in_list(sp, i->b, &sp[-1]));
            break;
        case OP_IN_SORTED:
            put_bool(&sp[-1], list_has_sorted(k->consts[i->b], &sp[-1]));
            break;
        /* ---- arithmetic ---- */
        case OP_NOT:
            sp[-1].b = !sp[-1].b;
            break;
        case OP_NEG_I:
            if (__builtin_sub_overflow(INT64_C(0), sp[-1].i, &sp[-1].i))
                FAIL(overflow);
            break;
        case OP_NEG_D:
            sp[-1].d = -sp[-1].d;
            break;
        case OP_ADD_I:
            if (__builtin_add_overflow(sp[-2].i, sp[-1].i, &sp[-2].i))
                FAIL(overflow);
            sp--;
            break;
        case OP_SUB_I:
            if (__builtin_sub_overflow(sp[-2].i, sp[-1].i, &sp[-2].i))
                FAIL(overflow);
            sp--;
            break;
        case OP_MUL_I:
        case OP_DIV_I:
        case OP_MOD_I:
            TRY(int_math((enum opcode)i->op, sp[-2].i, sp[-1].i, &n));
            sp--;
            sp[-1].i = n;
            break;
        case OP_ADD_D:
            sp--;
            L.d += R.d;
            break;
        case OP_SUB_D:
            sp--;
            L.d -= R.d;
            break;
        case OP_MUL_D:
            sp--;
            L.d *= R.d;
            break;
        case OP_DIV_D:
            sp--;
            L.d /= R.d;
            break;
        case OP_I2D:
            put_double(&sp[-1], (double)sp[-1].i);
            break;
        case OP_SIZE_L:
            sp[-1] = val_int(sp[-1].n);
            break;
        case OP_CONTAINS:
            BINARY(contains(L, R));
            break;
        case OP_STARTS:
            BINARY(starts(L, R));
            break;
        case OP_ENDS:
            BINARY(ends(L, R));
            break;
            /* ---- comparisons ---- */
            SIX_PLAIN(I, i);
            SIX_PLAIN(D, d);
            SIX_PLAIN(B, b);
            SIX_LESS(S, str_less, str_same);
            SIX_LESS(T, time_less, time_same);
        case OP_EQ_V:
            BINARY(value_eq(&L, &R));
            break;
        case OP_NE_V:
            BINARY(!value_eq(&L, &R));
            break;
            WITH_K(OP_LT_IK, i, <);
            WITH_K(OP_LE_IK, i, <=);
            WITH_K(OP_GT_IK, i, >);
            WITH_K(OP_GE_IK, i, >=);
            WITH_K(OP_EQ_IK, i, ==);
            WITH_K(OP_NE_IK, i, !=);
            WITH_K(OP_LT_DK, d, <);
            WITH_K(OP_LE_DK, d, <=);
            WITH_K(OP_GT_DK, d, >);
            WITH_K(OP_GE_DK, d, >=);
            WITH_K(OP_EQ_DK, d, ==);
            WITH_K(OP_NE_DK, d, !=);
        case OP_EQ_SK:
            put_bool(&sp[-1], str_same(&sp[-1], &k->consts[i->b]));
            break;
        case OP_NE_SK:
            put_bool(&sp[-1], !str_same(&sp[-1], &k->consts[i->b]));
            break;
        /* ---- branches ---- */
        case OP_JUMP:
            JUMP();
            break;
        case OP_JF:
            if (!(--sp)->b)
                JUMP();
            break;
        case OP_JF_OR_POP:
            if (!sp[-1].b)
                JUMP();
            else
                sp--;
            break;
        case OP_JT_OR_POP:
            if (sp[-1].b)
                JUMP();
            else
                sp--;
            break;
        case OP_JF_KEEP:
            if (!sp[-1].b)
                JUMP();
            break;
        case OP_JT_KEEP:
            if (sp[-1].b)
                JUMP();
            break;
        case OP_AND_JF: /* true or mark, then the next operand */
        case OP_OR_JT:
            sp--;
            if (R.t == V_MARK || R.b != (i->op == OP_OR_JT)) {
                if (R.t == V_MARK)
                    copy(&L, &R);
            } else {
                copy(&L, &R);
                JUMP();
            }
            break;
        case OP_AND_END:
        case OP_OR_END:
            sp--;
            if (R.b != (i->op == OP_OR_END) && L.t == V_MARK)
                goto fail_again;
            copy(&L, &R);
            break;
        /* ---- loops ---- */
        case OP_LOOP:
            l = &loops[i->a];
            TRY(loop_begin(c, l, i, sp[-1], &empty));
            sp--;
            if (empty) {
                *sp++ = empty_result((enum macro)i->kind);
                JUMP();
            }
            break;
        case OP_ALL_NEXT:
        case OP_EXISTS_NEXT:
            l = &loops[i->a];
            sp--;
            if (sp->t == V_MARK) {
                l->failed = true;
            } else if (sp->b == (i->op == OP_EXISTS_NEXT)) {
                put_bool(sp++, i->op == OP_EXISTS_NEXT);
                break;
            }
            if (ADVANCE(l)) {
                AGAIN();
                break;
            }
            if (l->failed)
                goto fail_again;
            put_bool(sp++, i->op == OP_ALL_NEXT);
            break;
        case OP_ONE_NEXT:
            l = &loops[i->a];
            l->hits += (--sp)->b;
            if (ADVANCE(l))
                AGAIN();
            else
                put_bool(sp++, l->hits == 1);
            break;
        case OP_FILTER_NEXT:
            l = &loops[i->a];
            if ((--sp)->b)
                l->out[l->hits++] = *l->at;
            if (ADVANCE(l))
                AGAIN();
            else
                *sp++ = made(l);
            break;
        case OP_MAP_NEXT:
            l = &loops[i->a];
            l->out[l->hits++] = *--sp;
            if (ADVANCE(l))
                AGAIN();
            else
                *sp++ = made(l);
            break;
        case OP_MAP_SKIP:
            l = &loops[i->a];
            if (ADVANCE(l))
                AGAIN();
            else
                *sp++ = made(l);
            break;
        default:
            TRY(slow_op(k, c, i, sp));
            sp += op_infos[i->op].effect;
            break;
        }
    }

fail:
    c->error = msg;
    c->error_at = (struct span){k->file, k->start[i - k->ins], k->end[i - k->ins]};
fail_again: /* an error that was put aside, and nothing has made up for it */
    rc = protected_at(k, (uint32_t)(i - k->ins));
    if (rc < 0) {
        c->steps += EXPR_MAX_STEPS - left;
        return -1;
    }
    sp = stack + k->handlers[rc].depth;
    *sp++ = (struct val){.t = V_MARK, .b = k->handlers[rc].mark};
    i = k->ins + k->handlers[rc].target;
    goto again;
}

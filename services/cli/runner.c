/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner: `tests:` on the production fold.  A test is a log written by hand: each step becomes a
 * record at its time, a tick is put at every moment at which a timer is due on the way, and a
 * recording sender answers each send at once with a receipt (failed for a gateway named in $fail).
 * Nothing here knows what a rule means.
 */
#include "runner.h"

#include "decide.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RUN_MAX_ROUNDS 10000 /* receipts answering receipts: a fold that never settles is a bug */

struct message {              /* one wanted message, whatever number of gateways it took */
    const struct decision *d; /* the latest try */
    bool failed;
};
struct run {
    const struct program *p;
    const struct test_def *t;
    struct arena *arena;
    struct decide *fold;
    uint64_t off;
    int64_t now_ms;
    struct decision **all; /* every decision, in order */
    size_t n_all, cap_all;
    size_t answered; /* decisions that the sender has seen */
    struct message *messages;
    size_t n_messages, cap_messages;
    size_t looked;     /* messages that an `expect` has looked at */
    size_t looked_all; /* decisions that a `withheld` has looked at */
    struct buf *out;
    bool failed;
    bool *covered;   /* [rule] a send or withheld was seen */
    int64_t reports; /* receipts that the test gave */
};

static const char run_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";

static int find_program(void *arg, struct str hash, const struct program **out)
{
    (void)hash;
    *out = arg;
    return 0;
}

/* ---- messages ---- */

static void fail(struct run *r, struct span at, const char *fmt, ...) BASE_PRINTF(3, 4);
static void fail(struct run *r, struct span at, const char *fmt, ...)
{
    char text[1024];
    int line = 0, col = 0;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (at.file)
        srcfile_pos(at.file, at.start, &line, &col);
    buf_addf(r->out, "  " STR_FMT ":%d:%d: %s\n", STR_ARG(at.file ? at.file->name : STR("?")), line,
             col, text);
    r->failed = true;
}

static const char *local(const struct run *r, int64_t ms, char buf[40])
{
    (void)time_format_local(r->p->tz, ms, buf);
    return buf;
}

/* ---- decisions ---- */

static struct message *message_of(struct run *r, struct str send_key)
{
    for (size_t i = r->n_messages; i-- > 0;)
        if (str_eq(r->messages[i].d->send_key, send_key))
            return &r->messages[i];
    return NULL;
}

static void note_send(struct run *r, const struct decision *d)
{
    struct message *m = message_of(r, d->send_key);
    if (m && m->failed) { /* a fall-back takes the place of the failed try */
        size_t i = (size_t)(m - r->messages);
        memmove(m, m + 1, (r->n_messages - i - 1) * sizeof *m);
        r->n_messages--;
        r->looked -= r->looked > i;
    }
    if (r->n_messages == r->cap_messages) {
        r->cap_messages = r->cap_messages ? r->cap_messages * 2 : 16;
        r->messages = xrealloc(r->messages, r->cap_messages * sizeof *r->messages);
    }
    r->messages[r->n_messages++] = (struct message){.d = d};
}

static void note_decision(struct run *r, struct str json)
{
    struct err err = {0};
    struct decision *d = ARENA_NEW(r->arena, struct decision);
    if (decision_read(arena_str(r->arena, json), r->arena, d, &err) != 0) {
        fail(r, r->t->span, "the fold made a decision that cannot be read: %s", err.text);
        return;
    }
    if (r->n_all == r->cap_all) {
        r->cap_all = r->cap_all ? r->cap_all * 2 : 16;
        r->all = xrealloc(r->all, r->cap_all * sizeof(struct decision *));
    }
    r->all[r->n_all++] = d;
    uint32_t rule = program_rule(r->p, d->rule);
    if (rule != RULE_NONE && d->kind != DEC_CONVERT)
        r->covered[rule] = true;
    if (d->kind == DEC_SEND)
        note_send(r, d);
}

/* Everything decided since the last time is taken and the fold goes on from here. */
static void take(struct run *r)
{
    struct decide_out o;
    decide_out(r->fold, &o);
    for (uint32_t i = 0; i < o.n_decisions; i++)
        note_decision(r, o.decisions[i]);
    decide_committed(r->fold);
}

static void feed(struct run *r, const struct record *rec, int64_t at_ms)
{
    struct err err = {0};
    enum decide_rc rc;
    decide_want(r->fold, rec);
    while ((rc = decide_record(r->fold, rec, r->off, at_ms, &err)) == DECIDE_FULL)
        take(r);
    if (rc != DECIDE_DONE)
        fail(r, r->t->span, "the fold stopped: %s", err.text);
    take(r);
    r->off++;
    if (at_ms > r->now_ms)
        r->now_ms = at_ms;
}

static bool fails(const struct run *r, const struct decision *d)
{
    for (uint32_t i = 0; i < r->t->n_members; i++) {
        const struct test_member *m = &r->t->members[i];
        for (uint32_t k = 0; k < m->n_fail && str_eq(m->name, d->member); k++)
            if (str_eq(m->fail[k], d->gateway))
                return true;
    }
    return false;
}

/* What became of a decision's message, now. */
static void feed_receipt(struct run *r, const struct decision *d, const struct source *src,
                         struct str status)
{
    struct record rec = {.kind = REC_RECEIPT,
                         .at_ms = r->now_ms,
                         .src = *src,
                         .receipt = {.era = d->era,
                                     .seq = d->seq,
                                     .member = d->member,
                                     .rule = d->rule,
                                     .message = d->message,
                                     .gateway = d->gateway,
                                     .status = status}};
    feed(r, &rec, r->now_ms);
}

/* The gateway's answer to every send since the last time; an answer may make another send. */
static void answer(struct run *r)
{
    for (int rounds = 0; r->answered < r->n_all && !r->failed; rounds++) {
        const struct decision *d = r->all[r->answered++];
        if (d->kind != DEC_SEND)
            continue;
        bool bad = fails(r, d);
        struct message *m = message_of(r, d->send_key);
        if (m && bad)
            m->failed = true;
        const struct source src = {STR("rouse.outcomes"), d->era, (int32_t)d->p, (int64_t)d->seq};
        feed_receipt(r, d, &src, bad ? STR("failed") : STR("sent"));
        if (rounds > RUN_MAX_ROUNDS)
            fail(r, r->t->span, "more than %d answers without an end", RUN_MAX_ROUNDS);
    }
}

/* Time moves to `to_ms`: a tick at each moment at which a timer is due. */
static void advance(struct run *r, int64_t to_ms)
{
    while (!r->failed) {
        int64_t due = decide_next_due(r->fold);
        int64_t at = due < to_ms ? due : to_ms;
        if (at < r->now_ms)
            at = r->now_ms;
        struct record tick = {.kind = REC_TICK, .at_ms = at};
        feed(r, &tick, at);
        answer(r);
        if (due > to_ms)
            break;
    }
}

static void feed_events(struct run *r, const struct event *ev, uint32_t n, int64_t at_ms,
                        int64_t offset)
{
    struct entry e = {
        .src = {STR("test"), 0, 0, offset}, .at_ms = ev[0].at_ms, .events = ev, .n_events = n};
    struct record rec = {.kind = REC_EVENT, .n = 1, .entries = &e, .n_entries = 1};
    feed(r, &rec, at_ms);
    answer(r);
}

/* ---- the members that a test begins with ---- */

static void write_tags(struct run *r, const struct test_member *m, const struct event_def *def,
                       int64_t at_ms, int64_t offset)
{
    struct val *f = ARENA_ARRAY(r->arena, struct val, def->fields->n_fields);
    char *id = arena_printf(r->arena, "test/%" PRId64 "/" STR_FMT, offset, STR_ARG(m->name));
    for (uint32_t i = 0; i < m->n_tags; i++) {
        int at = type_field(def->fields, m->tags[i].name);
        if (at >= 0)
            f[at] = m->tags[i].value;
    }
    uint32_t extra = def->fields->n_fields - EVENT_EXTRA;
    f[extra] = val_str(str_c(id));
    f[extra + 1] = val_time_ms(at_ms);
    f[extra + 2] = val_str(STR(""));
    struct event ev = {def, str_c(id), m->name, STR(""), at_ms, f};
    feed_events(r, &ev, 1, r->t->start_ms, offset);
}

/* What a member begins with is state, not news: it is written first as history, which starts no rule,
 * and then again at the start, which changes nothing but begins every ttl. */
static void preset(struct run *r, const struct test_member *m, int64_t offset)
{
    const struct event_def *def = schema_event(r->p->schema, STR("profile"));
    int64_t late = r->p->policy.late_ms;
    if (!def || m->n_tags == 0)
        return;
    for (uint32_t i = 0; i < r->p->n_rules; i++)
        late = r->p->rules[i].late_ms > late ? r->p->rules[i].late_ms : late;
    write_tags(r, m, def, r->t->start_ms - late - 1, offset);
    write_tags(r, m, def, r->t->start_ms, offset + 1);
}

/* ---- expectations ---- */

static bool param_shown(const struct run *r, const struct decision *d, struct str name,
                        struct str *value, struct buf *tmp)
{
    struct str key = name;
    for (uint32_t i = 0; i < r->p->n_messages; i++) { /* the gateway's own name of the param */
        const struct message_def *m = &r->p->messages[i];
        for (uint32_t k = 0; k < m->n_via && str_eq(m->name, d->message); k++) {
            const struct gateway_block *b = &m->via[k];
            if (!str_eq(r->p->gateways[b->gateway].name, d->gateway))
                continue;
            for (uint32_t j = 0; j < b->n_data; j++)
                if (str_eq(m->params[b->data_params[j]], name))
                    key = b->data_names[j];
        }
    }
    for (uint32_t i = 0; i < d->n_data; i++)
        if (str_eq(d->data[i].name, key)) {
            buf_reset(tmp);
            val_text(&d->data[i].value, tmp);
            *value = buf_str(tmp);
            return true;
        }
    return false;
}

static void compare(struct run *r, const struct test_expect *e, const struct decision *d)
{
    char want[40], got[40];
    struct buf tmp, wanted;
    if (e->send.n && !str_eq(e->send, d->message))
        fail(r, e->span, "expected message `" STR_FMT "`, got `" STR_FMT "`", STR_ARG(e->send),
             STR_ARG(d->message));
    if (e->to.n && !str_eq(e->to, d->member))
        fail(r, e->span, "expected it to go to " STR_FMT ", it went to " STR_FMT, STR_ARG(e->to),
             STR_ARG(d->member));
    if (e->via.n && !str_eq(e->via, d->gateway))
        fail(r, e->span, "expected it via " STR_FMT ", it went via " STR_FMT, STR_ARG(e->via),
             STR_ARG(d->gateway));
    if (e->at_ms != INT64_MIN && e->at_ms != d->at_ms)
        fail(r, e->span, "expected it at %s, it went at %s", local(r, e->at_ms, want),
             local(r, d->at_ms, got));
    buf_init(&tmp, 1 << 20);
    buf_init(&wanted, 1 << 20);
    for (uint32_t i = 0; i < e->n_with; i++) {
        struct str value;
        buf_reset(&wanted);
        val_text(&e->with[i].value, &wanted);
        if (!param_shown(r, d, e->with[i].name, &value, &tmp))
            fail(r, e->span, "the message carries no `" STR_FMT "`", STR_ARG(e->with[i].name));
        else if (!str_eq(value, buf_str(&wanted)))
            fail(r, e->span, "expected `" STR_FMT "` to be `" STR_FMT "`, it is `" STR_FMT "`",
                 STR_ARG(e->with[i].name), STR_ARG(buf_str(&wanted)), STR_ARG(value));
    }
    buf_free(&tmp);
    buf_free(&wanted);
}

static void expect(struct run *r, const struct test_step *s)
{
    size_t n = 0;
    char at[40];
    for (; r->looked < r->n_messages; r->looked++) {
        const struct message *m = &r->messages[r->looked];
        if (m->failed)
            continue;
        if (n < s->n_expect)
            compare(r, &s->expect[n], m->d);
        else
            fail(r, s->span, "not expected: `" STR_FMT "` to " STR_FMT " via " STR_FMT " at %s",
                 STR_ARG(m->d->message), STR_ARG(m->d->member), STR_ARG(m->d->gateway),
                 local(r, m->d->at_ms, at));
        n++;
    }
    for (; n < s->n_expect; n++)
        fail(r, s->expect[n].span, "expected `" STR_FMT "`, nothing more was sent",
             STR_ARG(s->expect[n].send));
}

static bool matches(const struct test_withheld *w, const struct decision *d)
{
    if (d->kind != DEC_WITHHOLD)
        return false;
    if (w->send.n && !str_eq(w->send, d->message) &&
        !(d->message.n == 0 && str_eq(w->send, d->rule)))
        return false;
    return (!w->to.n || str_eq(w->to, d->member)) &&
           (!w->because.n || str_eq(w->because, d->reason));
}

static void expect_withheld(struct run *r, const struct test_step *s)
{
    size_t from = r->looked_all;
    for (uint32_t i = 0; i < s->n_withheld; i++) {
        size_t k = from;
        while (k < r->n_all && !matches(&s->withheld[i], r->all[k]))
            k++;
        if (k == r->n_all)
            fail(r, s->withheld[i].span,
                 "expected `" STR_FMT "` withheld as `" STR_FMT "`: it was not",
                 STR_ARG(s->withheld[i].send), STR_ARG(s->withheld[i].because));
        else
            from = k + 1;
    }
    r->looked_all = r->n_all;
}

static void expect_tags(struct run *r, const struct test_step *s)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (uint32_t i = 0; i < s->n_tags; i++) {
        const struct test_tag *t = &s->tags[i];
        buf_reset(&b);
        int has = decide_tag_text(r->fold, t->member, t->tag, &b);
        struct str got = buf_str(&b);
        if (has != 1 && !t->unset)
            fail(r, t->span,
                 "expected " STR_FMT "'s `" STR_FMT "` to be `" STR_FMT "`, it is unset",
                 STR_ARG(t->member), STR_ARG(t->tag), STR_ARG(t->value));
        else if (has == 1 && (t->unset || !str_eq(got, t->value)))
            fail(r, t->span,
                 "expected " STR_FMT "'s `" STR_FMT "` to be `" STR_FMT "`, it is `" STR_FMT "`",
                 STR_ARG(t->member), STR_ARG(t->tag), STR_ARG(t->unset ? STR("unset") : t->value),
                 STR_ARG(got));
    }
    buf_free(&b);
}

/* ---- the whole test ---- */

static void begin(struct run *r)
{
    struct err err = {0};
    struct decide_meta meta = {0};
    struct record rules = {.kind = REC_RULES,
                           .n = 1,
                           .at_ms = r->t->start_ms,
                           .hash = str_c(run_hash),
                           .level = RULE_LEVEL};
    r->now_ms = r->t->start_ms;
    if (decide_reset(r->fold, &meta, NULL, 0, &err) != 0)
        fail(r, r->t->span, "%s", err.text);
    feed(r, &rules, r->t->start_ms);
    for (uint32_t i = 0; i < r->t->n_members; i++)
        preset(r, &r->t->members[i], 2 * (int64_t)i);
}

/* What the member did with the message that he got last of this name. */
static void report(struct run *r, const struct test_step *s)
{
    const struct decision *d = NULL;
    for (size_t i = r->n_all; i-- > 0 && !d;)
        if (r->all[i]->kind == DEC_SEND && str_eq(r->all[i]->member, s->member) &&
            str_eq(r->all[i]->message, s->message))
            d = r->all[i];
    if (!d) {
        fail(r, s->span, "`" STR_FMT "` was not sent to " STR_FMT " before", STR_ARG(s->message),
             STR_ARG(s->member));
        return;
    }
    const struct source src = {STR("rouse.receipts"), 0, 0, r->reports++};
    feed_receipt(r, d, &src, s->status);
    answer(r);
}

static void steps(struct run *r)
{
    const struct test_def *t = r->t;
    struct test_step last = {.span = t->span};
    for (uint32_t i = 0; i < t->n_steps && !r->failed; i++) {
        const struct test_step *s = &t->steps[i];
        advance(r, s->at_ms);
        if (s->event && s->n_events)
            feed_events(r, s->events, s->n_events, s->at_ms, 2 * (int64_t)t->n_members + i);
        if (s->status.n)
            report(r, s);
        if (s->has_expect)
            expect(r, s);
        if (s->has_withheld)
            expect_withheld(r, s);
        expect_tags(r, s);
    }
    if (!r->failed)
        expect(r, &last); /* anything sent after the last `expect` fails the test */
}

static void story(struct run *r)
{
    static const char *const kinds[] = {"send", "withhold", "convert"};
    char at[40];
    buf_adds(r->out, "  what was decided:\n");
    for (size_t i = 0; i < r->n_all; i++) {
        const struct decision *d = r->all[i];
        buf_addf(r->out, "    %s  %-8s " STR_FMT " rule=" STR_FMT " message=" STR_FMT,
                 local(r, d->at_ms, at), kinds[d->kind], STR_ARG(d->member), STR_ARG(d->rule),
                 STR_ARG(d->message));
        if (d->gateway.n)
            buf_addf(r->out, " via=" STR_FMT, STR_ARG(d->gateway));
        if (d->reason.n)
            buf_addf(r->out, " because=" STR_FMT, STR_ARG(d->reason));
        buf_addc(r->out, '\n');
    }
    if (r->n_all == 0)
        buf_adds(r->out, "    nothing\n");
}

bool runner_run(const struct program *p, const struct test_def *t, bool *covered, struct buf *out)
{
    union { /* the fold only reads it; its callback argument is not const */
        const struct program *in;
        void *arg;
    } program = {p};
    struct decide_conf conf = {.topology = 1,
                               .partitions = 1,
                               .complete = true,
                               .program = find_program,
                               .arg = program.arg,
                               .test = t};
    struct run r = {.p = p, .t = t, .out = out, .covered = covered};
    r.arena = arena_new(0);
    r.fold = decide_new(&conf);
    begin(&r);
    steps(&r);
    if (r.failed)
        story(&r);
    decide_free(&r.fold);
    free(r.all);
    free(r.messages);
    arena_free(&r.arena);
    return !r.failed;
}

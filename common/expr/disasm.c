/* SPDX-License-Identifier: Apache-2.0 */
/* disasm: the table of instructions, and code as text, for people who want to know. */
#include "expr_priv.h"

/* effect: on the depth of the stack when the instruction does not jump.
 * args: a and b as numbers, k the kind that a load wants, c a constant, @ a place in the code. */
const struct op_info op_infos[OP_COUNT_] = {
    [OP_RET] = {"ret", 0, ""},
    [OP_CONST] = {"const", 1, "c"},
    [OP_EVENT] = {"event", 1, "bk"},
    [OP_NEXT] = {"next", 1, "bk"},
    [OP_EVENT_ALL] = {"event.all", 1, ""},
    [OP_NEXT_ALL] = {"next.all", 1, ""},
    [OP_VAR] = {"var", 1, "bk"},
    [OP_MEMBER] = {"member", 1, "bok"},
    [OP_NOW] = {"now", 1, ""},
    [OP_TZ] = {"tz", 1, ""},
    [OP_LOCAL] = {"local", 1, "ak"},
    [OP_LOCAL_FIELD] = {"local.field", 1, "abk"},
    [OP_FIELD] = {"field", 0, "bk"},
    [OP_HAS_EVENT] = {"has.event", 1, "b"},
    [OP_HAS_NEXT] = {"has.next", 1, "b"},
    [OP_HAS_MEMBER] = {"has.member", 1, "bo"},
    [OP_HAS_FIELD] = {"has.field", 0, "b"},
    [OP_MEMBER_AT] = {"member.at", 0, "bok"},
    [OP_MEMBER_IN] = {"member.in", 0, "bo"},
    [OP_INDEX] = {"index", -1, "k"},
    [OP_MAP_AT] = {"map.at", -1, "sk"},
    [OP_MAP_IN] = {"map.in", -1, "s"},
    [OP_IN_LIST] = {"in.list", -1, ""},
    [OP_IN_STACK] = {"in.stack", 0, "b"},
    [OP_IN_SORTED] = {"in.sorted", 0, "c"},
    [OP_NOT] = {"not", 0, ""},
    [OP_NEG_I] = {"neg.int", 0, ""},
    [OP_NEG_D] = {"neg.double", 0, ""},
    [OP_ADD_I] = {"add.int", -1, ""},
    [OP_SUB_I] = {"sub.int", -1, ""},
    [OP_MUL_I] = {"mul.int", -1, ""},
    [OP_DIV_I] = {"div.int", -1, ""},
    [OP_MOD_I] = {"mod.int", -1, ""},
    [OP_ADD_D] = {"add.double", -1, ""},
    [OP_SUB_D] = {"sub.double", -1, ""},
    [OP_MUL_D] = {"mul.double", -1, ""},
    [OP_DIV_D] = {"div.double", -1, ""},
    [OP_ADD_S] = {"join.text", -1, ""},
    [OP_ADD_L] = {"join.list", -1, ""},
    [OP_ADD_T] = {"add.time", -1, ""},
    [OP_ADD_DT] = {"add.time.left", -1, ""},
    [OP_SUB_T] = {"sub.time", -1, ""},
    [OP_DIFF_T] = {"diff.time", -1, ""},
    [OP_I2D] = {"int.double", 0, ""},
    [OP_LT_I] = {"lt.int", -1, ""},
    [OP_LE_I] = {"le.int", -1, ""},
    [OP_GT_I] = {"gt.int", -1, ""},
    [OP_GE_I] = {"ge.int", -1, ""},
    [OP_EQ_I] = {"eq.int", -1, ""},
    [OP_NE_I] = {"ne.int", -1, ""},
    [OP_LT_D] = {"lt.double", -1, ""},
    [OP_LE_D] = {"le.double", -1, ""},
    [OP_GT_D] = {"gt.double", -1, ""},
    [OP_GE_D] = {"ge.double", -1, ""},
    [OP_EQ_D] = {"eq.double", -1, ""},
    [OP_NE_D] = {"ne.double", -1, ""},
    [OP_LT_S] = {"lt.text", -1, ""},
    [OP_LE_S] = {"le.text", -1, ""},
    [OP_GT_S] = {"gt.text", -1, ""},
    [OP_GE_S] = {"ge.text", -1, ""},
    [OP_EQ_S] = {"eq.text", -1, ""},
    [OP_NE_S] = {"ne.text", -1, ""},
    [OP_LT_T] = {"lt.time", -1, ""},
    [OP_LE_T] = {"le.time", -1, ""},
    [OP_GT_T] = {"gt.time", -1, ""},
    [OP_GE_T] = {"ge.time", -1, ""},
    [OP_EQ_T] = {"eq.time", -1, ""},
    [OP_NE_T] = {"ne.time", -1, ""},
    [OP_LT_B] = {"lt.bool", -1, ""},
    [OP_LE_B] = {"le.bool", -1, ""},
    [OP_GT_B] = {"gt.bool", -1, ""},
    [OP_GE_B] = {"ge.bool", -1, ""},
    [OP_EQ_B] = {"eq.bool", -1, ""},
    [OP_NE_B] = {"ne.bool", -1, ""},
    [OP_EQ_V] = {"eq.value", -1, ""},
    [OP_NE_V] = {"ne.value", -1, ""},
    [OP_LT_IK] = {"lt.int", 0, "c"},
    [OP_LE_IK] = {"le.int", 0, "c"},
    [OP_GT_IK] = {"gt.int", 0, "c"},
    [OP_GE_IK] = {"ge.int", 0, "c"},
    [OP_EQ_IK] = {"eq.int", 0, "c"},
    [OP_NE_IK] = {"ne.int", 0, "c"},
    [OP_LT_DK] = {"lt.double", 0, "c"},
    [OP_LE_DK] = {"le.double", 0, "c"},
    [OP_GT_DK] = {"gt.double", 0, "c"},
    [OP_GE_DK] = {"ge.double", 0, "c"},
    [OP_EQ_DK] = {"eq.double", 0, "c"},
    [OP_NE_DK] = {"ne.double", 0, "c"},
    [OP_EQ_SK] = {"eq.text", 0, "c"},
    [OP_NE_SK] = {"ne.text", 0, "c"},
    [OP_JUMP] = {"jump", 0, "@"},
    [OP_JF] = {"jump.false", -1, "@"},
    [OP_JF_OR_POP] = {"and", -1, "@"},
    [OP_JT_OR_POP] = {"or", -1, "@"},
    [OP_JF_KEEP] = {"and.first", 0, "@"},
    [OP_JT_KEEP] = {"or.first", 0, "@"},
    [OP_AND_JF] = {"and.more", -1, "@"},
    [OP_OR_JT] = {"or.more", -1, "@"},
    [OP_AND_END] = {"and.last", -1, ""},
    [OP_OR_END] = {"or.last", -1, ""},
    [OP_LOOP] = {"loop", -1, "a@"},
    [OP_ALL_NEXT] = {"all.next", 0, "a@"},
    [OP_EXISTS_NEXT] = {"exists.next", 0, "a@"},
    [OP_ONE_NEXT] = {"exists_one.next", 0, "a@"},
    [OP_FILTER_NEXT] = {"filter.next", 0, "a@"},
    [OP_MAP_NEXT] = {"map.next", 0, "a@"},
    [OP_MAP_SKIP] = {"map.skip", 1, "a@"},
    [OP_LIST_NEW] = {"list.new", 1, "b"},
    [OP_LIST_SET] = {"list.set", -1, "b"},
    [OP_MAP_NEW] = {"map.new", 1, "b"},
    [OP_MAP_SET] = {"map.set", -2, "b"},
    [OP_SIZE_S] = {"size.text", 0, ""},
    [OP_SIZE_L] = {"size", 0, ""},
    [OP_CONTAINS] = {"contains", -1, ""},
    [OP_STARTS] = {"startsWith", -1, ""},
    [OP_ENDS] = {"endsWith", -1, ""},
    [OP_D2I] = {"double.int", 0, ""},
    [OP_S2I] = {"text.int", 0, ""},
    [OP_T2I] = {"time.int", 0, ""},
    [OP_S2D] = {"text.double", 0, ""},
    [OP_TO_S] = {"text", 0, ""},
    [OP_S2B] = {"text.bool", 0, ""},
    [OP_S2T] = {"text.time", 0, ""},
    [OP_I2T] = {"int.time", 0, ""},
    [OP_S2L] = {"text.duration", 0, ""},
    [OP_DAYS] = {"days", 0, ""},
    [OP_DATE] = {"date", 0, ""},
    [OP_YUAN] = {"yuan", 0, ""},
    [OP_TIME_FIELD] = {"time.field", 0, "az"},
    [OP_DUR_FIELD] = {"duration.field", 0, "a"},
    [OP_TO_MONEY] = {"double.money", 0, ""},
    [OP_CHECK] = {"check", 0, ""},
    [OP_RAISE] = {"raise", 1, ""},
};

static void show_zone(const struct zone *z, struct buf *out)
{
    buf_addc(out, ' ');
    if (z)
        buf_addstr(out, zone_name(z));
    else
        buf_adds(out, "tz");
}

static void show(const struct code *k, uint32_t at, struct buf *out)
{
    static const char *const kinds[] = {"absent",   "null",   "bool",  "int",
                                        "double",   "string", "money", "timestamp",
                                        "duration", "list",   "map",   "record"};
    const struct ins *i = &k->ins[at];
    buf_addf(out, "%4u  %s", at, op_infos[i->op].name);
    for (const char *p = op_infos[i->op].args; *p; p++) {
        if (*p == 'a')
            buf_addf(out, " %u", i->a);
        else if (*p == 'b')
            buf_addf(out, " %u", i->b);
        else if (*p == '@')
            buf_addf(out, " @%u", i->b);
        else if (*p == 'o')
            buf_adds(out, i->a ? " old" : "");
        else if (*p == 's')
            buf_adds(out, i->a ? " sorted" : "");
        else if (*p == 'k')
            buf_addf(out, " %s", kinds[i->kind]);
        else if (*p == 'z')
            show_zone(k->zones[i->b], out);
        else if (*p == 'c') {
            buf_addc(out, ' ');
            val_text(&k->consts[i->b], out);
        }
    }
    buf_addc(out, '\n');
}

void expr_disasm(const struct expr *e, struct buf *out)
{
    if (e->is_const) {
        buf_adds(out, "      always ");
        val_text(&e->value, out);
        buf_addc(out, '\n');
        return;
    }
    for (uint32_t i = 0; i < e->code.n; i++)
        show(&e->code, i, out);
    for (uint32_t i = 0; i < e->code.n_handlers; i++)
        buf_addf(out, "      an error in %u..%u goes on at %u\n", e->code.handlers[i].from,
                 e->code.handlers[i].to, e->code.handlers[i].target);
}

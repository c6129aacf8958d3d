/* SPDX-License-Identifier: Apache-2.0 */
/* The codes of families R (rules), D (steps) and W (warnings). */
#include "codes_priv.h"

const struct diag_code codes_rule[] = {
    {"R010",
     {"an event that does not exist",
      "Correct the spelling; the message lists the events. A new one is declared under `events:`."},
     {"不存在的事件", "请改正拼写；消息里列出了现有事件。新事件在 `events:` 里声明。"}},
    {"R011",
     {"a tag that does not exist",
      "Correct the spelling; a new tag is defined under `tags:`. Expressions read it as "
      "member.NAME."},
     {"不存在的标签", "请改正拼写；新标签在 `tags:` 里定义，表达式里用 member.名称 读取。"}},
    {"R012",
     {"a list of events that is empty or names one twice",
      "trigger: [purchase, refund] starts at any of them. Name each event once."},
     {"事件列表为空，或者一个事件写了两次",
      "trigger: [purchase, refund] 表示其中任何一个都会触发。每个事件只写一次。"}},
    {"R013",
     {"the `for` of a silence is a length like 90d",
      "How long nothing must have happened: {silence: purchase, for: 90d}."},
     {"silence 的 `for` 写成 90d 这样的长度", "表示多久没有发生：{silence: purchase, for: 90d}。"}},
    {"R014",
     {"the `date` of a trigger is member.TAG of type date, \"MM-DD\" or \"YYYY-MM-DD\"",
      "{date: member.birthday} is each member's own day, {date: \"11-11\"} a day every year, "
      "{date: "
      "\"2026-06-18\"} one day only. Put dates in quotes."},
     {"触发器的 `date` 写成 date 类型的 member.标签、\"MM-DD\" 或 \"YYYY-MM-DD\"",
      "{date: member.birthday} 是每个会员自己的日子，{date: \"11-11\"} 是每年的一天，{date: "
      "\"2026-06-18\"} "
      "只有那一天。日期请加引号。"}},
    {"R015",
     {"`before` and `after` count whole days, one of the two",
      "{date: member.birthday, before: 3d} begins three days earlier. For a clock time add at: "
      "\"10:00\"."},
     {"`before` 和 `after` 以整天计，两者只写一个",
      "{date: member.birthday, before: 3d} 提前三天开始。要指定时刻请加 at: \"10:00\"。"}},
    {"R016",
     {"a schedule is like \"day 09:00\", \"mon-fri 17:00\" or \"month last 10:00\"",
      "Days, then a clock time: day, mon … sun with ranges and lists (mon-fri, tue,thu), month 15, "
      "month last."},
     {"日程写成 \"day 09:00\"、\"mon-fri 17:00\" 或 \"month last 10:00\"",
      "先写日子再写时刻：day；mon … sun，可以是区间或列表（mon-fri，tue,thu）；month 15；month "
      "last。"}},
    {"R017",
     {"a rule cannot follow a tag that has a value for each key (`by`)",
      "Make a value tag of it, and let the rule follow that: hot: {value: \"member.views.exists(k, "
      "member.views[k] > 2)\"}."},
     {"规则不能跟随按键分别记录（`by`）的标签",
      "请先做成 value 标签，再让规则跟随它：hot: {value: \"member.views.exists(k, member.views[k] "
      "> 2)\"}。"}},
    {"R018",
     {"a trigger is an event, a list of events, or silence, date, every or tag",
      "Write exactly one: trigger: purchase; trigger: {silence: purchase, for: 90d}; trigger: "
      "{every: "
      "\"day 09:00\"}; trigger: {tag: level}."},
     {"触发器是一个事件、几个事件，或者 silence、date、every、tag 之一",
      "只写一种：trigger: purchase；trigger: {silence: purchase, for: 90d}；trigger: {every: \"day "
      "09:00\"}；trigger: {tag: level}。"}},
    {"R019",
     {"`key` is for rules that an event triggers",
      "A silence, a date, a schedule or a tag has no event to take a key from. Remove key:; such a "
      "rule runs once for a member at a time."},
     {"`key` 只用于由事件触发的规则", "silence、date、every、tag 没有事件可以取键。请去掉 "
                                      "key:；这类规则对一个会员同时只运行一次。"}},
    {"R020",
     {"`key` is a string, an int or a bool",
      "The key tells runs of one member apart, such as event.sku or event.order_id. Turn other "
      "things into text with string(…)."},
     {"`key` 是 string、int 或 bool", "key 用来区分同一会员的几次运行，例如 event.sku 或 "
                                      "event.order_id。其他类型请用 string(…) 转成文本。"}},
    {"R021",
     {"`active` is a range of dates like 2026-06-01..2026-06-18",
      "Both days are included, and the first is not after the last. Outside of the range no run "
      "starts; those that have started go on."},
     {"`active` 写成日期区间，例如 2026-06-01..2026-06-18",
      "首尾两天都算在内，开始不能晚于结束。区间之外不再开始新的运行，已经开始的会继续。"}},
    {"R022",
     {"the `within` of a goal is a length like 7d",
      "How long after the first message the goal may be reached: goal: {event: purchase, within: "
      "7d}."},
     {"goal 的 `within` 写成 7d 这样的长度",
      "表示第一条消息之后多久之内达成才算：goal: {event: purchase, within: 7d}。"}},
    {"R023",
     {"the value of a goal is a number", "value: next.amount counts what the event brought in."},
     {"goal 的 value 是数字", "value: next.amount 用来累计这个事件带来的金额。"}},
    {"R024",
     {"the `times` of a silence is a number above 0",
      "How many of the member's own cycles: for: {times: 2, of: member.cycle, min: 30d, max: "
      "120d}. "
      "At most 1000, with up to three places."},
     {"静默期的 `times` 是大于 0 的数",
      "它表示会员自己的几个周期：for: {times: 2, of: member.cycle, min: 30d, max: "
      "120d}。最大 1000，最多三位小数。"}},
    {"R025",
     {"the `of` of a silence is a tag that holds a length of time",
      "Define one and name it: cycle: {gap: purchase} is the mean time between a member's "
      "purchases."},
     {"静默期的 `of` 必须是表示时长的标签",
      "请先定义再引用：cycle: {gap: purchase} 是该会员两次购买之间的平均间隔。"}},
    {"R027",
     {"a silence of an event that goes to others (`members:`)",
      "Such an event is news about a product or a shop, not something the member does, so it ends "
      "no silence. Name what members do: silence: [purchase, register]."},
     {"静默期使用了扇出事件（`members:`）",
      "这种事件是关于商品或门店的消息，不是会员自己的行为，不会结束静默。请写会员的行为：silence: "
      "[purchase, register]。"}},
    {"R026",
     {"the day of a date rule moves with the clock and so never comes",
      "Leave `now` out of the tag's value: let it follow from what happened, like "
      "member.last_purchase + days(30)."},
     {"日期规则所依据的日子随时钟移动，因此永远不会到来",
      "请不要在该标签的 value 里使用 now，而要由发生过的事得出，例如 member.last_purchase + "
      "days(30)。"}},

    {"D001",
     {"a step has exactly one verb: wait, send, set, split, choose, stop",
      "Each step begins with `- ` and does one thing; what belongs to it (with, until, else, salt) "
      "stands beside the verb, in the same column."},
     {"一步只有一个动词：wait、send、set、split、choose、stop",
      "每一步以 `- ` 开头，只做一件事；属于它的 with、until、else、salt "
      "写在动词旁边，对齐同一列。"}},
    {"D002",
     {"a wait is a length like 2h, or a clock time like \"09:00\" or \"1d 09:00\"",
      "2h is two hours later; \"09:00\" the next nine o'clock; \"1d 09:00\" nine o'clock tomorrow. "
      "Put clock times in quotes."},
     {"wait 写成 2h 这样的长度，或者 \"09:00\"、\"1d 09:00\" 这样的时刻",
      "2h 是两小时后；\"09:00\" 是下一个九点；\"1d 09:00\" 是明天九点。时刻请加引号。"}},
    {"D003",
     {"`else` is for a wait that has an `until`", "else: says what happens when the time runs out "
                                                  "before the event comes. A plain wait just goes "
                                                  "on with the next step."},
     {"`else` 只用于带 `until` 的 wait",
      "else: 写的是在事件到来之前时间先到时做什么。普通的 wait 到时直接进入下一步。"}},
    {"D004",
     {"a step that does nothing",
      "Fill it or remove it: set: needs a tag, choose: a branch; write stop: true to end the run."},
     {"这一步什么也不做",
      "请补全或删除：set: 需要标签，choose: 需要分支；要结束运行请写 stop: true。"}},
    {"D010",
     {"a message that does not exist",
      "Correct the spelling; the message lists those under `messages:`."},
     {"不存在的消息", "请改正拼写；提示里列出了 `messages:` 里的名称。"}},
    {"D011",
     {"a parameter of the message is not given",
      "Add it under with: of the step: with: {name: member.name}."},
     {"没有给出消息的参数", "请在这一步的 with: 里补上：with: {name: member.name}。"}},
    {"D012",
     {"a parameter that the message does not have",
      "Correct the name, remove it, or add it to params: of the message."},
     {"消息没有这个参数", "请改正名称、删除它，或者把它加到消息的 params: 里。"}},
    {"D013",
     {"a computed tag cannot be set", "Only tags with type: can be written; what is counted or "
                                      "computed changes by events alone. Set "
                                      "another tag, or change how this one is computed."},
     {"计算出来的标签不能设置",
      "只有带 type: "
      "的标签可以写入；计数或计算的标签只随事件变化。请设置别的标签，或者修改它的计算方式。"}},
    {"D020",
     {"the shares of a split add up to 100",
      "Change the shares; an arm that gets nothing still needs its share: {a: {share: 50, do: …}, "
      "none: {share: 50}}."},
     {"split 的各份加起来要等于 100",
      "请调整各份；什么都不做的分组也要写份额：{a: {share: 50, do: …}, none: {share: 50}}。"}},
    {"D021",
     {"only the last branch of `choose` may do without `if`",
      "A branch without if: is always taken, so those after it would never be. Give it a "
      "condition, "
      "or move it to the end."},
     {"`choose` 里只有最后一个分支可以没有 `if`",
      "没有 if: 的分支总会被选中，后面的就永远轮不到。请给它加条件，或者移到最后。"}},
    {"D022",
     {"a second split in a rule needs a salt of its own",
      "Add salt: NAME beside it; otherwise both splits would put the same members into the same "
      "arms. A rule has at most 16."},
     {"一条规则的第二个 split 需要自己的 salt",
      "请在旁边加 salt: 名称；否则两次会把同样的会员分到同样的组。一条规则最多 16 个 split。"}},
    {"D023",
     {"a share is a number above 0, of 100 in all",
      "Write share: 50 or share: 33.3, without a percent sign; two places at most."},
     {"share 是大于 0 的数，总共 100", "写 share: 50 或 share: 33.3，不带百分号，最多两位小数。"}},

    {"W001",
     {"a clock time without quotes: other YAML readers take it for a number",
      "Put it in quotes: \"10:00\". rouse reads it right, but many editors and tools make 600 of "
      "it."},
     {"时刻没有加引号：别的 YAML 工具会把它当成数字",
      "请加引号：\"10:00\"。rouse 能读对，但许多编辑器和工具会把它变成 600。"}},
    {"W002",
     {"marketing that an event starts, with neither a limit nor house caps",
      "A busy member would get it again and again. Add limit: 1 per 7d to the rule, or caps: under "
      "policy."},
     {"由事件触发的营销，既没有 limit 也没有全局 caps",
      "活跃的会员会反复收到。请给规则加 limit: 1 per 7d，或者在 policy 里写 caps:。"}},
    {"W003",
     {"a condition that is always true",
      "It excludes nobody. Leave it out, or correct it: often || was written for &&, or a text was "
      "compared with itself."},
     {"永远为真的条件",
      "它不会排除任何人。请去掉，或者改正：常见的是把 && 写成了 ||，或者同一个东西和自己比较。"}},
    {"W004",
     {"a condition that is always false",
      "What depends on it never happens. Correct it: often && was written for ||, as in level == "
      "'gold' && level == 'silver'."},
     {"永远为假的条件", "依赖它的部分永远不会发生。请改正：常见的是把 || 写成了 &&，例如 level == "
                        "'gold' && level == 'silver'。"}},
    {"W005",
     {"a send of something that may be absent; then it is withheld as `params`",
      "Give the tag a default:, ask for it in the rule's if: has(member.name), or write a "
      "replacement: \"has(member.name) ? member.name : '您'\"."},
     {"发送的内容可能不存在，那时会以 `params` 为由不发送",
      "请给标签写 default:，或者在规则的 if 里要求 "
      "has(member.name)，或者写替代内容：\"has(member.name) ? "
      "member.name : '您'\"。"}},
    {"W006",
     {"a message that is wanted inside the quiet hours waits until they end",
      "Choose a clock time outside of policy.quiet, so that it goes out when you planned it."},
     {"在免打扰时段内想发的消息会等到时段结束",
      "请选择 policy.quiet 之外的时刻，这样才会在计划的时间发出。"}},
    {"W007",
     {"tags and rules that may start each other without end",
      "A rule that a tag starts sets a tag that starts another one, and so on back to the first; "
      "after "
      "eight changes in a row the chain is cut off with an error. Let one of the rules ask in if: "
      "for "
      "the value that it waits for, or set a tag that starts none."},
     {"标签和规则可能无休止地互相触发", "一条由标签触发的规则设置了另一个标签，又触发别的规则，最后"
                                        "回到第一条；连续变化八次后会报错中断。请让其中一条规则在 "
                                        "if: 里写明它等待的值，或者改为设置不会触发规则的标签。"}},
    {"W008",
     {"a promotion without an audience",
      "A calendar starts it and no condition says for whom, so every member gets it. Add if: with "
      "what "
      "makes it welcome, for example if: member.level == 'gold' && member.orders_90d > 0."},
     {"没有目标人群的促销", "它由日程触发，又没有条件说明发给谁，所有会员都会收到。请加上 "
                            "if:，写明谁会需要它，例如 if: member.level == 'gold' && "
                            "member.orders_90d > 0。"}},
    {"W009",
     {"something that is never reached",
      "A step behind `stop`, a branch or a level whose condition is only true when one above it is "
      "true "
      "already, an `until` that `cancel` forestalls, or dates that never come. Put the stricter "
      "condition first, or remove the dead part."},
     {"永远到不了的部分",
      "例如 stop 之后的步骤；条件成立时上面某个分支或等级必定已经成立；被 cancel 抢先的 "
      "until；永远不会到来的日期。请把更严格的条件放在前面，或者删掉这部分。"}},
    {"W010",
     {"two rules with the same text", "Every member would get everything twice. Remove one of "
                                      "them, or say what makes them different."},
     {"两条内容完全相同的规则", "会员会收到两遍。请删掉一条，或者写出它们的区别。"}},
};
const size_t n_codes_rule = BASE_LEN(codes_rule);

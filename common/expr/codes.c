/* SPDX-License-Identifier: Apache-2.0 */
/* The codes of family X: what they mean and the way out, in English and Chinese. */
#include "expr.h"

static const struct diag_code codes[] = {
    {"X001",
     {"the expression is not well formed: something is missing, or stands in a wrong place",
      "Look at the place shown: a bracket or quote that is not closed, = instead of ==, `and` "
      "instead "
      "of &&, or two things side by side without an operator."},
     {"表达式写法不对：缺了什么，或者位置不对", "请看标出的位置：括号或引号没有闭合、把 == 写成 "
                                                "=、把 && 写成 and，或者两个东西之间没有运算符。"}},
    {"X002",
     {"a number or a text that is not written as CEL wants it",
      "Texts stand in 'single' or \"double\" quotes; numbers are 12 or 1.5, without commas or "
      "units; "
      "in a text write \\\\ for a backslash."},
     {"数字或文本的写法不符合 CEL", "文本放在 '单引号' 或 \"双引号\" 里；数字写 12 或 "
                                    "1.5，不带千位逗号和单位；文本里的反斜杠写成 \\\\。"}},
    {"X003",
     {"a limit: 4,096 characters, 64 levels deep, 2 macros inside each other",
      "Say it shorter: give parts of it names as `value` tags, or put long lists into a table."},
     {"超出限制：4,096 个字符、64 层嵌套、宏最多套两层",
      "请写短一些：把其中一部分做成 `value` 标签，或者把长列表放进 tables。"}},
    {"X004",
     {"it might cost too much for one event: give lists and texts a smaller `max`",
      "The worst case is computed from the `max` of the lists and texts that it reads. Declare "
      "them as "
      "small as they really are, for example {type: [string], max: 20}, or use one macro less."},
     {"对一个事件来说可能代价太高：请给列表和文本写更小的 `max`",
      "最坏情况由所读列表和文本的 `max` 算出。请按实际大小声明，例如 {type: [string], max: "
      "20}，或者少用一个宏。"}},
    {"X010",
     {"an unknown name, or an operator or function that these types do not have",
      "Correct the spelling; the message lists what is known. Numbers do not mix: write 2.0 beside "
      "an "
      "amount, int(x) or double(x) to convert."},
     {"未知的名称，或者这些类型没有这个运算或函数",
      "请改正拼写；消息里列出了可用的名称。整数和小数不能混算：和金额一起请写 2.0，或用 "
      "int(x)、double(x) 转换。"}},
    {"X011",
     {"part of CEL, but not of this language",
      "The message says what to write instead. Regular expressions, for example, are left out; use "
      "contains, startsWith or endsWith."},
     {"属于 CEL，但不属于这门语言",
      "消息里写明了替代写法。例如没有正则表达式，请用 contains、startsWith 或 endsWith。"}},
    {"X012",
     {"the result is of another type than this place needs",
      "A condition (if, where) must be true or false: compare with something. A parameter is a "
      "text: "
      "write string(x), or yuan(x) for an amount."},
     {"结果的类型不是这里需要的", "条件（if、where）的结果必须是真或假：请和某个值比较。参数是文本"
                                  "：请写 string(x)，金额写 yuan(x)。"}},
    {"X013",
     {"a text that the field can never have (its `one_of`)",
      "Correct the text; the message lists the values. If the value is new, add it to one_of: of "
      "the "
      "field first."},
     {"字段永远不会是这个文本（它的 `one_of`）",
      "请改正文本；消息里列出了可能的值。如果是新增的值，请先加到字段的 one_of: 里。"}},
    {"X014",
     {"compared with null: an optional value is there or not, ask with has()",
      "Write !has(event.coupon) instead of event.coupon == null."},
     {"和 null 比较：可选的值只有“有”和“没有”，请用 has()",
      "请用 !has(event.coupon)，而不是 event.coupon == null。"}},
    {"X015",
     {"a variable that does not exist in this place",
      "The message says which ones do. A rule started by a date, a schedule or a silence has no "
      "event; "
      "`next` exists after an until; `old` only until time may have passed."},
     {"这个位置没有这个变量", "消息里写明了可以用哪些。由日期、日程或静默触发的规则没有 "
                              "event；next 在 until 之后才有；old 只在时间可能流逝之前有。"}},
    {"X016",
     {"an address: expressions may only ask whether it is there",
      "Write has(member.phone). Where a message goes is the gateway's business, and addresses "
      "never "
      "appear in texts or logs."},
     {"这是地址：表达式只能问它有没有",
      "请写 has(member.phone)。消息发到哪里由网关决定，地址不会出现在文本和日志里。"}},
    {"X017",
     {"builds a text or a list where only a condition may stand",
      "Conditions compare and search: use exists() instead of filter(). Joining texts is for with: "
      "and "
      "set:."},
     {"在只能写条件的地方拼接了文本或列表",
      "条件只做比较和查找：请用 exists() 代替 filter()。拼接文本只能用在 with: 和 set: 里。"}},
    {"X018",
     {"a constant part that always fails",
      "A division by 0, a text that is no number or no date, an index beyond the end. Correct the "
      "constant at the place shown."},
     {"有一个常量部分总会出错",
      "例如除以 0、文本不是数字或日期、下标超出范围。请改正标出位置上的常量。"}},
    {"X019",
     {"a time zone that is unknown or not written out",
      "Write tz (the zone of policy) or a name in quotes: now.getHours('Asia/Shanghai')."},
     {"时区未知，或者没有直接写出来",
      "请写 tz（policy 的时区），或者带引号的名称：now.getHours('Asia/Shanghai')。"}},
    {"X020",
     {"a number that the value never reaches: `distinct` counts to 256",
      "Compare with 256 or less; more different values are not told apart."},
     {"这个值永远达不到的数：`distinct` 最多数到 256",
      "请和 256 以内的数比较；更多的不同值不再区分。"}},
};

const struct diag_code *expr_codes(size_t *n)
{
    *n = BASE_LEN(codes);
    return codes;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The codes of families G (tags), M (messages), L (limits) and P (policy). */
#include "codes_priv.h"

const struct diag_code codes_tag[] = {
    {"G001",
     {"a stored tag is one value",
      "A stored tag is a text, a number, an amount, a truth value, a date, a time or an address. "
      "Several values are several tags, or a collect tag."},
     {"存储型标签只有一个值", "存储型标签是文本、数字、金额、真假、日期、时间或地址之一。多个值请用"
                              "几个标签，或者 collect 标签。"}},
    {"G002",
     {"a field that the event does not have", "Correct the spelling; the message lists the fields. "
                                              "A new field must first be declared under "
                                              "`events:`."},
     {"事件没有这个字段", "请改正拼写；消息里列出了现有字段。新字段要先在 `events:` 里声明。"}},
    {"G003",
     {"what is aggregated does not fit the aggregate: a sum needs numbers",
      "sum and avg need int, double or money; min and max something that has an order. To count "
      "how "
      "many different texts there are, use distinct."},
     {"被汇总的内容和汇总方式不符：sum 需要数字",
      "sum 和 avg 需要 int、double 或 money；min 和 max "
      "需要能比较大小的类型。要数有多少种不同的文本，请用 distinct。"}},
    {"G004",
     {"a window is a length like 30d, or day, week, month, year",
      "30d is the last 30 local days, today included; 6h is the last six hours (48h at most); "
      "month "
      "is since the first of the month. There is no length in months: write 30d."},
     {"窗口写成 30d 这样的长度，或者 day、week、month、year",
      "30d 是包括今天在内的最近 30 个自然日；6h 是最近 6 小时（最多 48h）；month 是从本月 1 "
      "日起。没有“几个月”的长度，请写 30d。"}},
    {"G005",
     {"a `ttl` or `keep` is a length like 90d", "Write days, hours or minutes: 90d, 36h, 1d12h. "
                                                "keep: forever means that a level never falls."},
     {"`ttl` 和 `keep` 写成 90d 这样的长度",
      "写天、小时或分钟：90d、36h、1d12h。keep: forever 表示等级永不下降。"}},
    {"G006",
     {"an address is never public",
      "Remove public: true. Phone numbers and open ids stay inside; a rule may only ask "
      "has(member.phone)."},
     {"地址永远不会公开",
      "请去掉 public: true。手机号和 openid 只在内部使用；规则里只能问 has(member.phone)。"}},
    {"G007",
     {"a tag and the field it is taken from have different types",
      "Give the tag the type of the field, or take another field."},
     {"标签和它的来源字段类型不同", "请让标签的类型和字段一致，或者换一个字段。"}},
    {"G008",
     {"count and gap take an event; the others EVENT.FIELD, or EVENT and `of`",
      "{count: purchase} counts events; {sum: purchase.amount} adds up a field; {sum: purchase, "
      "of: "
      "event.qty * 2} an expression."},
     {"count 和 gap 后面写事件；其他汇总写 事件.字段，或者事件加 `of`",
      "{count: purchase} 数次数；{sum: purchase.amount} 累加字段；{sum: purchase, of: event.qty * "
      "2} 累加表达式。"}},
    {"G009",
     {"`by` needs a string",
      "`by` says for which key each value is kept: by: event.sku. Turn a number into text with "
      "string(event.shop)."},
     {"`by` 需要文本",
      "`by` 说明按什么分别记录：by: event.sku。数字请用 string(event.shop) 转成文本。"}},
    {"G010",
     {"`profile` cannot be aggregated",
      "profile only writes stored tags. Count or sum an event that tells of something the member "
      "did."},
     {"`profile` 不能用来汇总", "profile 只写入存储型标签。请对会员行为的事件做计数或求和。"}},
    {"G011",
     {"a tag needs exactly one of the keys that say what it is",
      "type: for a stored tag; count, sum, avg, min, max, first, last, distinct, gap, streak or "
      "collect for what is computed from events; value or levels for what follows from other "
      "tags."},
     {"标签需要恰好一个说明它是什么的键",
      "存储型用 type:；由事件算出的用 "
      "count、sum、avg、min、max、first、last、distinct、gap、streak 或 "
      "collect；由其他标签得出的用 value 或 levels。"}},
    {"G012",
     {"a `value` tag is one value",
      "The expression gives a list, a map or a record. Let it give a text, a number or true/false: "
      "member.skus.exists(s, s == 'A')."},
     {"`value` 标签只有一个值", "这个表达式得出的是列表、映射或记录。请让它得出文本、数字或真假，例"
                                "如 member.skus.exists(s, s == 'A')。"}},
    {"G013",
     {"`levels` is a list of `- NAME: CONDITION`, best first",
      "The first condition that holds is the level; else: names the one for all others. 1 to 32 "
      "levels, each name once."},
     {"`levels` 是 `- 名称: 条件` 的列表，最高的在前",
      "第一个成立的条件就是会员的等级；其余的用 else: 的名称。1 到 32 级，每个名称只出现一次。"}},
    {"G014",
     {"tags depend on each other in a circle",
      "Follow the names from tag to tag: one of these expressions must do without the others."},
     {"标签之间循环依赖", "请顺着标签名逐个看：其中必须有一个表达式不再用到其他几个。"}},
    {"G015",
     {"a tag that has a value for each key (`by`) cannot be public",
      "Make a value tag of what others shall see: {value: \"member.views['A'] > 2\", public: "
      "true}."},
     {"按键分别记录（`by`）的标签不能公开", "请把要给其他系统看的内容做成 value 标签：{value: "
                                            "\"member.views['A'] > 2\", public: true}。"}},
    {"G016",
     {"a key that does not go with this kind of tag",
      "less: goes with count and sum; drop: and max: with collect; by: with all but streak and "
      "collect; window: with all but collect."},
     {"这个键不适用于这种标签",
      "less: 只用于 count 和 sum；drop: 和 max: 只用于 collect；by: 不能用于 streak 和 "
      "collect；window: 不能用于 collect。"}},
    {"G018",
     {"a tag cannot be moved by an event that goes to others (`members:`)",
      "Such an event is news about a product or a shop and counts for nobody. Let a rule be "
      "triggered "
      "by it, or aggregate what members do themselves."},
     {"标签不能由扇出事件（`members:`）改变", "这种事件是关于商品或门店的消息，不算任何会员的行为。"
                                              "可以用它触发规则，或者汇总会员自己的行为。"}},
    {"G017",
     {"`less` cannot know which of the other events belong to what `by` or `where` chooses",
      "Make two tags, one for what is added and one for what is taken off, each with its own by: "
      "or where:, and subtract them in a value tag: {value: member.bought - member.returned}."},
     {"`less` 无法判断哪些扣减事件属于 `by` 或 `where` 选出的部分",
      "请分别建两个标签（增加的和扣减的），各自写 by: 或 where:，再用 value 标签相减：{value: "
      "member.bought - member.returned}。"}},

    {"M001",
     {"a text or `data` names a parameter that the message does not have",
      "Add the name to params:, or correct it: {…} in a text and the values of data: are names of "
      "parameters, never tags."},
     {"文本或 `data` 用了这条消息没有的参数",
      "请把名称加到 params: 里，或者改正它：文本里的 {…} 和 data: 的值都是参数名，不是标签。"}},
    {"M002",
     {"a `{` in a text without its `}`", "Close the bracket behind the parameter's name: {name}."},
     {"文本里的 `{` 没有对应的 `}`", "请在参数名后面补上括号：{name}。"}},
    {"M003",
     {"marketing SMS begins with a signature like 【悦选】",
      "Chinese carriers want the registered signature in 【】 at the very beginning of the text."},
     {"营销短信要以签名开头，例如 【悦选】", "运营商要求文本最前面是已报备的签名，写在【】里。"}},
    {"M004",
     {"marketing SMS tells how to opt out, like 拒收请回复R",
      "Add the phrase at the end of the text; without it the message is unlawful, and carriers "
      "block "
      "it. A receipt or a pick-up code is `purpose: service` and needs none."},
     {"营销短信要写明退订方式，例如 拒收请回复R",
      "请在文本末尾加上退订用语；没有它既不合规，也会被运营商拦截。回执、取件码等请用 `purpose: "
      "service`，不需要退订用语。"}},
    {"M005",
     {"a list cannot stand in a text", "Give lists to gateways that take structure, under data:. "
                                       "In a text name a parameter that is a "
                                       "single text."},
     {"列表不能放进文本", "列表请放在 data: 下，交给支持结构的网关；文本里请用单个文本的参数。"}},
    {"M006",
     {"a parameter is a name, given once: a string or a list of strings",
      "params: [name, title] for texts; params: {name: string, skus: [string]} when one is a "
      "list."},
     {"参数是只写一次的名称，值为文本或文本列表",
      "都是文本时写 params: [name, title]；有列表时写 params: {name: string, skus: [string]}。"}},
    {"M007",
     {"`via` names gateways, each once",
      "via: [wechat, sms] tries WeChat first and SMS when that fails. It cannot be empty."},
     {"`via` 写网关名称，每个只写一次",
      "via: [wechat, sms] 表示先发微信，失败再发短信。不能为空。"}},
    {"M008",
     {"a gateway that does not exist",
      "Correct the name; the message lists the gateways. A new one needs an adapter file in the "
      "gateways' directory."},
     {"不存在的网关", "请改正名称；消息里列出了现有网关。新网关需要在网关目录里有一个适配文件。"}},
    {"M009",
     {"`expire` is a length like 24h",
      "How long after first wanting it the message still makes sense: 30m, 24h, 3d."},
     {"`expire` 写成 24h 这样的长度", "表示从想发送时起，消息多久之内还有意义：30m、24h、3d。"}},
    {"M010",
     {"the directory of the gateways cannot be read",
      "Check the path given with --gateways; each *.yaml in it describes one gateway."},
     {"网关目录无法读取", "请检查 --gateways 给出的路径；其中每个 *.yaml 描述一个网关。"}},
    {"M011",
     {"a gateway's address is a tag of type address",
      "Add the tag under tags:, for example phone: {type: address}. The gateway's adapter names "
      "the "
      "tag that it sends to."},
     {"网关的地址是 address 类型的标签", "请在 tags: 下加上这个标签，例如 phone: {type: "
                                         "address}。发往哪个标签由网关的适配文件指定。"}},
    {"M012",
     {"marketing keeps quiet hours",
      "Remove quiet: false. If the member is waiting for this message (a receipt, a pick-up code), "
      "say purpose: service."},
     {"营销消息必须遵守免打扰时段",
      "请去掉 quiet: false。如果会员正等着这条消息（回执、取件码），请写 purpose: service。"}},
    {"M013",
     {"a message has a block for a gateway that is not in its `via`",
      "Add the gateway to via:, or remove its block."},
     {"消息里有一个网关的内容，但它不在 `via` 里", "请把这个网关加到 via:，或者删掉它的内容。"}},

    {"L001",
     {"a limit is like `1 per day`, `3 per 7d` or `1 ever`",
      "A number from 1, `per`, and day, week, month, year or a length in days or hours. There is "
      "no "
      "length in months: write 30d or month. For \"never\" switch the rule off: mode: off."},
     {"限制写成 `1 per day`、`3 per 7d` 或 `1 ever`",
      "从 1 起的数字，加 per，再加 day、week、month、year "
      "或以天、小时计的长度。没有“几个月”的长度，请写 30d 或 "
      "month。想完全不发，请用 mode: off。"}},

    {"P001",
     {"`policy` needs `tz`",
      "All clock times, days and dates are local: say where, for example tz: Asia/Shanghai."},
     {"`policy` 需要 `tz`", "所有时刻和日期都是当地时间，请写明时区，例如 tz: Asia/Shanghai。"}},
    {"P002",
     {"a time zone that does not exist",
      "Take a name from the time zone database: Asia/Shanghai, Asia/Urumqi, Europe/Berlin, UTC. "
      "Abbreviations like CST mean several zones."},
     {"不存在的时区", "请用时区数据库里的名称：Asia/Shanghai、Asia/Urumqi、Europe/Berlin、UTC。CST "
                      "之类的缩写有好几种含义。"}},
    {"P003",
     {"`late` and `expire` are lengths like 1h", "Write days, hours or minutes: 30m, 1h, 2d."},
     {"`late` 和 `expire` 写成 1h 这样的长度", "写天、小时或分钟：30m、1h、2d。"}},
    {"P004",
     {"marketing through a gateway needs an entry under `consent`",
      "Say which tag holds the member's agreement: consent: {sms: member.sms_ok}. Whoever has not "
      "agreed gets no marketing this way."},
     {"通过一个网关做营销，需要在 `consent` 里写明同意条件",
      "请写明哪个标签记录会员的同意：consent: {sms: "
      "member.sms_ok}。没有同意的会员不会从这个渠道收到营销。"}},
    {"P005",
     {"quiet hours are like \"21:00-09:00\"",
      "From and to, in quotes; the two may not be equal. The end is no longer quiet: at 09:00 "
      "messages go out again."},
     {"免打扰时段写成 \"21:00-09:00\"",
      "起止时刻，加引号，两者不能相同。结束时刻不算在内：到 09:00 就会继续发送。"}},
    {"P006",
     {"a day of `workdays` is like \"2026-10-01\", several are \"2026-10-01..2026-10-07\"",
      "off: lists days of Monday to Friday that are free, on: days of the weekend that are "
      "worked."},
     {"`workdays` 里的日子写成 \"2026-10-01\"，连续几天写成 \"2026-10-01..2026-10-07\"",
      "off: 列出放假的周一至周五，on: 列出调休上班的周末。"}},
    {"P007",
     {"a day is given twice in `workdays`, or too many are",
      "A day is either off or on, once. Each list has at most 4,096 days."},
     {"`workdays` 里同一天写了两次，或者天数太多",
      "一天要么放假、要么上班，只写一次。每个列表最多 4096 天。"}},
};
const size_t n_codes_tag = BASE_LEN(codes_tag);

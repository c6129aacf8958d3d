/* SPDX-License-Identifier: Apache-2.0 */
/* The codes of families S (keys, names, values, files, tests) and T (types and tables). */
#include "codes_priv.h"

const struct diag_code codes_shape[] = {
    {"S001",
     {"a file has the sections events tables tags messages policy rules tests",
      "Each file is a mapping of sections: everything else stands inside one of these seven. The "
      "message suggests the section that was probably meant."},
     {"文件由 events tables tags messages policy rules tests 七个部分组成",
      "每个文件都是这些部分的映射，其他内容都要写在其中之一的下面。消息里会给出最可能想写的那个名字"
      "。"}},
    {"S002",
     {"a key that does not exist here",
      "Correct the spelling or remove the key. The message lists the keys that may stand at this "
      "place; often a key is right but one level too deep or too high."},
     {"这里没有这个键", "请改正拼写，或者删除它。消息里列出了这个位置可以用的键；也常见键本身没错，"
                        "只是多缩进或少缩进了一层。"}},
    {"S003",
     {"a value, a list or a mapping is wanted here",
      "The message says which. A list is [a, b] or lines that begin with `- `; a mapping is {key: "
      "value} or indented lines."},
     {"这里需要的是一个值、一个列表或一个映射", "消息里写明了需要哪一种。列表写成 [a, b] 或以 `- ` "
                                                "开头的几行；映射写成 {键: 值} 或缩进的几行。"}},
    {"S004",
     {"a key is missing", "Add the key that the message names."},
     {"缺少一个键", "请补上消息里写明的键。"}},
    {"S005",
     {"a name with characters that names cannot have, or one that has a meaning already",
      "Names are lower case letters, digits and _, beginning with a letter: cart_left. Words of "
      "the "
      "expression language (event, member, in, true …) cannot be names."},
     {"名称里有不允许的字符，或者这个名称已有别的含义",
      "名称由小写字母、数字和 _ 组成，以字母开头，例如 "
      "cart_left。表达式语言自己的词（event、member、in、true 等）不能用作名称。"}},
    {"S006",
     {"a name is defined twice in its section", "Names are unique over all files of the directory. "
                                                "Rename one of the two, or remove the copy; "
                                                "the message says where the first stands."},
     {"同一部分里一个名称定义了两次", "名称在整个目录的所有文件里必须唯一。请给其中一个改名，或者删"
                                      "掉重复的；消息里写明了第一个在哪里。"}},
    {"S007",
     {"true or false is wanted",
      "Write true or false without quotes. yes, no, on and off are ordinary words here."},
     {"这里需要 true 或 false",
      "请写 true 或 false，不加引号。yes、no、on、off 在这里只是普通的词。"}},
    {"S008",
     {"a whole number within bounds is wanted", "Write digits only; the message names the bounds."},
     {"这里需要一个范围内的整数", "只写数字；消息里写明了允许的范围。"}},
    {"S009",
     {"a clock time is wanted, like \"09:30\"",
      "Write hours and minutes of the 24-hour clock in quotes, from \"00:00\" to \"23:59\"."},
     {"这里需要时刻，例如 \"09:30\"",
      "请用 24 小时制写小时和分钟，并加引号，从 \"00:00\" 到 \"23:59\"。"}},
    {"S010",
     {"a percentage is wanted, like 5%", "Write a number from 0 to 100 with the sign: 5% or 0.5%."},
     {"这里需要百分比，例如 5%", "请写 0 到 100 之间的数并带上百分号：5% 或 0.5%。"}},
    {"S011",
     {"one of a few words is wanted", "The message lists the words that may stand here."},
     {"这里只能用几个固定的词之一", "消息里列出了可以用的词。"}},
    {"S012",
     {"a field name or a path is wanted, like data.user.id",
      "Give the name of the field in the record, or the names on the way to it joined by dots."},
     {"这里需要字段名或路径，例如 data.user.id",
      "请写记录里的字段名；在里层的字段用点号连接一路上的名称。"}},
    {"S013",
     {"an event belongs to one member, or to two with their roles",
      "Write member: FIELD, or two roles with a field each: {inviter: a, invitee: b}. A third role "
      "is not possible; define a second event of the same topic for it."},
     {"一个事件属于一个会员，或者属于各有角色的两个会员",
      "写 member: 字段，或者两个角色各一个字段：{inviter: a, invitee: "
      "b}。不能有第三个角色；需要时请在同一 topic 上再定义一个事件。"}},
    {"S014",
     {"a file cannot be read",
      "Check that it exists, is an ordinary file and that you may read it. Files whose names begin "
      "with a dot are left out."},
     {"文件无法读取",
      "请检查它是否存在、是不是普通文件、有没有读取权限。名称以点开头的文件会被忽略。"}},
    {"S015",
     {"the key of `members` is a text field of the event",
      "members: {in: favorites, key: sku} sends the event to every member whose collection "
      "favorites holds what stands in its field sku."},
     {"`members` 的 key 必须是该事件的文本字段",
      "members: {in: favorites, key: sku} 表示：把事件发给集合 favorites 中含有字段 sku "
      "的值的每位会员。"}},
    {"S016",
     {"`members` goes by a collection",
      "Define one, {collect: favorite_add.sku, drop: favorite_remove.sku, max: 200}, and name it."},
     {"`members` 必须依据一个集合标签",
      "请先定义集合，例如 {collect: favorite_add.sku, drop: favorite_remove.sku, max: "
      "200}，再写它的名称。"}},
    {"S020",
     {"a time in a test is an offset from its start or a local time",
      "Write at: +2h (counted from start) or at: \"2026-03-02 10:00\" (local time of policy.tz)."},
     {"测试里的时间是从 start 起的偏移，或者当地时间",
      "写 at: +2h（从 start 起算），或者 at: \"2026-03-02 10:00\"（policy.tz 的当地时间）。"}},
    {"S021",
     {"a test's step names no member, or one that the test does not have",
      "List the member under members: of the test and name it in the step; with one member only it "
      "may be left out."},
     {"测试步骤没有写会员，或者写了测试里没有的会员",
      "请在测试的 members: 下列出这个会员，并在步骤里写明；只有一个会员时可以不写。"}},
    {"S022",
     {"a receipt in a test says of which message, and what the member did with it",
      "Write {event: receipt, data: {message: cart_left, status: clicked}} with delivered, read, "
      "clicked, replied or opted_out. That a message was sent comes by itself; $fail: [sms] on a "
      "member makes a gateway fail."},
     {"测试里的回执要写明是哪条消息、会员做了什么",
      "写成 {event: receipt, data: {message: cart_left, status: clicked}}，状态可以是 "
      "delivered、read、clicked、replied 或 opted_out。发送成功会自动产生；给会员写 $fail: [sms] "
      "可以让通道失败。"}},
    {"S023",
     {"the steps of a test are in order of time",
      "Sort the steps by `at`. For an event that arrives late give it an earlier `time:` and leave "
      "`at` as its arrival."},
     {"测试的步骤要按时间顺序排列",
      "请按 `at` 排序。要表示迟到的事件，请给它一个更早的 `time:`，`at` 仍写到达的时间。"}},
    {"S024",
     {"the record of a test is one that ingest would refuse",
      "The data of the step must be what the event declares: all fields that are not optional, "
      "each "
      "of its type. The message says which field does not fit."},
     {"测试里的这条记录会被 ingest 拒收",
      "步骤的 data 要符合事件的声明：所有必填字段都要有，类型要对。消息里写明了哪个字段不符合。"}},
    {"S025",
     {"a step of a test either feeds an event or says what is expected",
      "Write event: and data: in one step, expect:, withheld: or expect_member: in another."},
     {"测试的一步要么送入一个事件，要么写出期望",
      "event: 和 data: 写在一步里，expect:、withheld: 或 expect_member: 写在另一步里。"}},
    {"S026",
     {"a test names a rule that does not exist",
      "Correct the name; the message lists the rules. A rule that was renamed has to be renamed in "
      "its tests too."},
     {"测试里写了不存在的规则",
      "请改正名称；消息里列出了现有的规则。规则改了名，测试里也要跟着改。"}},
    {"S027",
     {"a test names an arm that its rule does not have",
      "buckets: {RULE: ARM} names an arm of the split of that rule. Correct the name, or leave it "
      "out: then the member's own arm is taken."},
     {"测试里写了规则没有的分组", "buckets: {规则: 分组} 要写该规则 split "
                                  "里的分组名。请改正名称，或者不写，这样就按会员自己的分组。"}},

    {"T001",
     {"a type that does not exist",
      "Types are string int double money bool timestamp date, lists [TYPE], records {name: TYPE}; "
      "a "
      "`?` behind a type says that the field may be absent. For amounts of money take money."},
     {"不存在的类型", "类型有 string int double money bool timestamp date，列表 [类型]，记录 "
                      "{名称: 类型}；类型后加 `?` 表示可以没有。金额请用 money。"}},
    {"T002",
     {"`one_of` or `max` does not go with this type",
      "one_of is for strings; max is the length of a string or list."},
     {"`one_of` 或 `max` 不能用于这个类型", "one_of 用于 string；max 是文本或列表的最大长度。"}},
    {"T003",
     {"an empty `one_of`", "List the values that may occur, or leave one_of out: an empty list "
                           "would refuse everything."},
     {"空的 `one_of`", "请列出可能的值，或者不写 one_of：空列表会拒绝所有的值。"}},
    {"T004",
     {"a value does not fit its type",
      "The message says what is wanted. Dates are \"2026-03-02\", truth values true or false, "
      "amounts have at most two places."},
     {"值和类型不符",
      "消息里写明了需要什么。日期写 \"2026-03-02\"，真假写 true 或 false，金额最多两位小数。"}},
    {"T005",
     {"a field would hide `event.id`, `event.time` or `event.role`",
      "Every event has these three. Give the field another name: order_id: {path: id, …} takes it "
      "from the same place."},
     {"字段会盖住 `event.id`、`event.time` 或 `event.role`",
      "每个事件都有这三个字段。请给你的字段换个名称，从原来的路径取值即可。"}},
    {"T006",
     {"a type that an event cannot carry",
      "Fields of events are text, numbers, amounts, truth values, times, dates, lists and records. "
      "Use string or int; an address (phone, openid) comes by `profile`."},
     {"事件不能带这种类型的字段", "事件字段可以是文本、数字、金额、真假、时间、日期、列表和记录。请"
                                  "用 string 或 int；地址（手机号、openid）由 `profile` 写入。"}},
    {"T010",
     {"the file of a table is not CSV",
      "Separate cells by commas, put a cell that holds a comma, a quote or a line break in quotes, "
      "and double a quote inside: \"say \"\"hi\"\"\"."},
     {"表的文件不是合法的 CSV", "单元格用英文逗号分隔；含逗号、引号或换行的单元格要加引号，里面的引"
                                "号写两个：\"say \"\"hi\"\"\"。"}},
    {"T011",
     {"the file of a table lacks a column", "The first line of the CSV file names the columns; the "
                                            "key and every field must be among them, "
                                            "spelled alike."},
     {"表的文件里缺少一列", "CSV 的第一行是列名；key 和每个字段都要在里面，写法要一致。"}},
    {"T012",
     {"a cell of a table does not fit its type, or is empty and may not be",
      "Correct the cell, or say in `fields` that it may be empty: stage: int?."},
     {"表里的单元格和类型不符，或者不该为空却是空的",
      "请改正单元格，或者在 `fields` 里说明它可以为空：stage: int?。"}},
    {"T013",
     {"a key stands twice in a table",
      "Each key has one row. Remove one of the two rows; the message says where the first stands."},
     {"表里一个键出现了两次", "每个键只能有一行。两行只留一行；消息里写明了第一行在哪里。"}},
    {"T014",
     {"a table is {file, key, fields} or {list: […]}",
      "A table from a CSV file: products: {file: products.csv, key: sku, fields: {title: string}}. "
      "A "
      "list of words: pets: {list: [dog, cat]}."},
     {"表写成 {file, key, fields} 或 {list: […]}",
      "来自 CSV：products: {file: products.csv, key: sku, fields: {title: string}}。一组词：pets: "
      "{list: [狗, 猫]}。"}},
    {"T015",
     {"the file of a table cannot be read",
      "It stands beside the rule files in the same directory; give its name alone. It must be an "
      "ordinary file, UTF-8, of at most the size that the message names."},
     {"表的文件无法读取", "它要和规则文件放在同一目录，只写文件名。它必须是普通的 UTF-8 "
                          "文件，大小不超过消息里写的上限。"}},
};
const size_t n_codes_shape = BASE_LEN(codes_shape);

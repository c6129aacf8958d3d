/* SPDX-License-Identifier: Apache-2.0 */
/* The codes of family Y: what is wrong with a file as YAML (common/yaml). */
#include "codes_priv.h"

const struct diag_code codes_yaml[] = {
    {"Y001",
     {"the file is not UTF-8",
      "Save it as UTF-8 in your editor (without GBK or UTF-16); the place shown is the first "
      "character that is something else."},
     {"文件不是 UTF-8 编码",
      "请在编辑器里把文件另存为 UTF-8（不要用 GBK 或 UTF-16）；标出的位置是第一个不合规的字符。"}},
    {"Y002",
     {"the file or a text in it holds a NUL character",
      "Delete the character at the place shown. It often comes from copying out of a damaged file "
      "or from a file saved as UTF-16."},
     {"文件或其中的文本含有 NUL 字符",
      "删除标出位置上的字符。它常来自损坏的文件，或者以 UTF-16 保存的文件。"}},
    {"Y003",
     {"the file is larger than 1 MiB",
      "Split it: all *.yaml files of a directory are one program, and where one file ends means "
      "nothing. Long lists of products belong in a table's CSV file."},
     {"文件超过 1 MiB",
      "把它拆成几个文件：目录里所有 *.yaml "
      "合起来是一个程序，分在哪个文件里都一样。商品清单之类的长表请放进 CSV，用 tables 引用。"}},
    {"Y004",
     {"lists and mappings are nested more than 32 deep",
      "Rules never need this. Look for brackets `[` or `{` that were opened by mistake and never "
      "closed."},
     {"列表和映射嵌套超过 32 层", "规则用不到这么深。请检查有没有误写的、没有闭合的 `[` 或 `{`。"}},
    {"Y005",
     {"the file has more than 200,000 nodes",
      "Split the file, or move long lists into a table's CSV file."},
     {"一个文件里的节点超过 20 万个", "请拆分文件，或者把长列表移到 tables 的 CSV 文件里。"}},
    {"Y006",
     {"anchors (&x) and aliases (*x) are not allowed",
      "Write the value out at each place. If the value is an expression or a text that begins with "
      "`&` or `*`, put it in quotes."},
     {"不允许使用锚点（&x）和别名（*x）",
      "请在每个地方把值写完整。如果这个值本来就是以 `&` 或 `*` 开头的表达式或文本，请加引号。"}},
    {"Y007",
     {"a value starts with `!`, which is a tag to YAML; an expression needs quotes",
      "Put the whole expression in quotes: if: \"!has(member.phone)\"."},
     {"值以 `!` 开头，YAML 会当成标签；表达式需要加引号",
      "把整个表达式放进引号：if: \"!has(member.phone)\"。"}},
    {"Y008",
     {"directives (%YAML) are not allowed", "Delete the line that begins with `%`."},
     {"不允许使用指令（%YAML）", "删除以 `%` 开头的那一行。"}},
    {"Y009",
     {"a file has one document; `---` begins a second one",
      "Delete the `---`, or put what follows into a file of its own in the same directory."},
     {"一个文件只有一个文档，`---` 会开始第二个",
      "删除 `---`，或者把后面的内容放进同一目录下的另一个文件。"}},
    {"Y010",
     {"the text is not YAML",
      "Compare the indentation with the lines above: keys of one mapping stand in one column, a "
      "list item begins with `- `, a key ends with `: `. A quote or bracket that was opened must "
      "be "
      "closed."},
     {"这段文本不是合法的 YAML", "请和上面几行对照缩进：同一映射的键要对齐，列表项以 `- ` "
                                 "开头，键后面是 `: `（冒号加空格）。引号和括号要成对。"}},
    {"Y011",
     {"merge keys (<<) are not allowed", "Write the keys out at each place where they are needed."},
     {"不允许使用合并键（<<）", "请在每个需要的地方把这些键写完整。"}},
    {"Y012",
     {"a key must be a plain word", "Write `name: value`; a list or a mapping cannot be a key."},
     {"键必须是一个普通的词", "请写成 `名称: 值`；列表或映射不能当作键。"}},
    {"Y013",
     {"a key is given twice in the same mapping", "Keep one of the two; the message names the line "
                                                  "of the first. For two conditions in one rule "
                                                  "join them: if: A && B."},
     {"同一个映射里一个键出现了两次",
      "两个只留一个，消息里写明了第一个在哪一行。一条规则要两个条件时，请合并成 if: A && B。"}},
    {"Y014",
     {"a line is indented with a tab",
      "Indent with spaces, two for each level. Most editors can convert tabs to spaces."},
     {"用制表符（Tab）缩进", "请用空格缩进，每层两个。多数编辑器可以把 Tab 转换成空格。"}},
    {"Y015",
     {"an expression without quotes that YAML reads as something else",
      "Put the whole expression in quotes, or write it on the next line after `|`. Needed whenever "
      "it begins with `[`, `{`, `*`, `&`, `%`, `@` or a quote, or holds `: ` as in a ? b : c."},
     {"没有加引号的表达式被 YAML 读成了别的东西",
      "把整个表达式放进引号，或者写在 `|` 的下一行。凡是以 `[`、`{`、`*`、`&`、`%`、`@` "
      "或引号开头，或者像 a ? b : c "
      "这样含有 `: ` 的，都需要加引号。"}},
    {"Y016",
     {"inside { } or [ ] a comma ends a value; an expression with a comma needs quotes",
      "Put the expression in quotes: {event: buy, where: \"event.items.exists(i, i.qty > 1)\"}. Or "
      "write the mapping over several lines instead of inside { }."},
     {"在 { } 或 [ ] 里逗号会结束一个值；含逗号的表达式需要加引号",
      "给表达式加引号：{event: buy, where: \"event.items.exists(i, i.qty > 1)\"}；或者不用 { "
      "}，分成多行来写。"}},
    {"Y017",
     {"` #` begins a comment in the middle of an expression",
      "Put the expression in quotes if the `#` belongs to it; if it is a comment, finish the "
      "expression before it."},
     {"` #` 在表达式中间开始了注释",
      "如果 `#` 是表达式的一部分，请加引号；如果确实是注释，请先把表达式写完。"}},
    {"Y018",
     {"a comment or text of several lines in an expression that YAML folds into one line",
      "Write the expression after `|` instead of `>`, or take the comment out: with `>` all lines "
      "become one, so a comment would swallow the rest."},
     {"表达式里有注释或多行文本，而 YAML 会把它折成一行",
      "请用 `|` 而不是 `>`，或者去掉注释：`>` 会把各行并成一行，注释就会吞掉后面的内容。"}},
    {"Y019",
     {"the quotes around a text belong to YAML, so a name is left: write \"'gold'\"",
      "A text in an expression needs quotes of its own inside YAML's: level: \"'gold'\". Without "
      "them gold would be the name of a variable."},
     {"文本外面的引号被 YAML 拿走了，剩下的成了一个名字：请写 \"'gold'\"",
      "表达式里的文本需要在 YAML 的引号里面再加一层引号：level: \"'gold'\"。否则 gold "
      "会被当成变量名。"}},
};
const size_t n_codes_yaml = BASE_LEN(codes_yaml);

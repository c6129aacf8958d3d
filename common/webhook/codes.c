/* SPDX-License-Identifier: Apache-2.0 */
/* The codes of family A: gateway adapters.  What they mean and the way out, in English and Chinese. */
#include "webhook.h"

static const struct diag_code codes[] = {
    {"A001",
     {"a key that an adapter does not have",
      "Correct the spelling; common/webhook/README.md lists the keys. A key of another product's "
      "adapters has no meaning here."},
     {"适配文件里没有这个键",
      "请改正拼写；可用的键见 common/webhook/README.md。其他产品适配文件里的键在这里没有意义。"}},
    {"A002",
     {"a mapping is wanted here", "Write {key: value} or indented lines of `key: value`."},
     {"这里需要一个映射", "请写成 {键: 值}，或者缩进的几行 `键: 值`。"}},
    {"A003",
     {"a part of adapters that is not built yet",
      "Leave it out for now. What the gateway needs beyond it can be done by a relay that speaks "
      "the "
      "standard webhook."},
     {"适配文件里还没有实现的部分",
      "暂时不要使用。网关需要的其他处理，可以放在一个支持标准 webhook 的中转服务里。"}},
    {"A004",
     {"a value that is not of the form that this key wants",
      "The message says which: a text, true or false, a length like 5s, a number within bounds, a "
      "list."},
     {"值的形式不是这个键需要的",
      "消息里写明了需要哪一种：文本、true 或 false、5s 这样的长度、范围内的数字、列表。"}},
    {"A005",
     {"an address to which requests cannot be sent",
      "Write a whole https:// address without user, password and query, or a path under "
      "--gateway-base. http:// needs plain_http: true, which says that it is meant."},
     {"无法发送请求的地址", "请写完整的 https:// 地址，不带用户名、密码和查询参数；或者写 "
                            "--gateway-base 之下的路径。使用 http:// 需要写 "
                            "plain_http: true 表示确实如此。"}},
    {"A006",
     {"`allow` is a list of address ranges", "Write ranges like 127.0.0.0/8 or fc00::/7; private "
                                             "addresses are refused unless they stand in "
                                             "it."},
     {"`allow` 是地址段的列表",
      "请写 127.0.0.0/8 或 fc00::/7 这样的地址段；内网地址不写在里面就会被拒绝。"}},
    {"A007",
     {"what to do when nobody knows whether a message arrived",
      "ambiguous: fail, ambiguous: retry, or ambiguous: {reconcile: 10m, then: fail}. Sending "
      "again at "
      "a gateway that is not idempotent gives double messages, so it needs i_accept_duplicates: "
      "true."},
     {"不知道消息是否送达时怎么办",
      "写 ambiguous: fail、ambiguous: retry，或 ambiguous: {reconcile: 10m, then: "
      "fail}。网关不是幂等的而要重发，会员会收到两遍，所以必须写 i_accept_duplicates: true。"}},
    {"A008",
     {"the fields of the gateway's answer", "answer: names the fields of its JSON that `classify` "
                                            "reads, with the types int, string, bool, "
                                            "double, {FIELDS} or [TYPE]; at most 64."},
     {"网关应答的字段", "answer: 写出 classify 要读取的 JSON "
                        "字段及类型：int、string、bool、double、{字段} 或 [类型]；最多 64 个。"}},
    {"A009",
     {"how the gateway's answers are read",
      "classify: is a list of up to 64 rules {when: EXPRESSION, then: CLASS}; the classes are ok "
      "duplicate_ok throttle retry ambiguous permanent_recipient permanent_content account_stop "
      "defer."},
     {"怎样判断网关的应答", "classify: 是最多 64 条 {when: 表达式, then: 类别} 的列表；类别有 ok "
                            "duplicate_ok throttle retry ambiguous "
                            "permanent_recipient permanent_content account_stop defer。"}},
    {"A010",
     {"a rule says ok of a request of which not a byte was sent",
      "Begin its condition with `sent &&`: without an answer nothing is known to have arrived."},
     {"有规则把一个字节都没发出的请求判为 ok",
      "请让条件以 `sent &&` 开头：没有应答就不能说已经送达。"}},
    {"A011",
     {"the last rule of `classify` takes whatever is left",
      "End the list with {when: \"true\", then: ambiguous} or another class that fits."},
     {"classify 的最后一条要接住其余所有情况",
      "请在末尾写 {when: \"true\", then: ambiguous}，或者其他合适的类别。"}},
    {"A012",
     {"an adapter lacks a key", "Every adapter has name:, kind:, url: and secret_file:."},
     {"适配文件缺少一个键", "每个适配文件都要有 name:、kind:、url: 和 secret_file:。"}},
    {"A013",
     {"the secret cannot be read",
      "Check that the file exists and that the service may read it; its form is described in "
      "common/webhook/README.md."},
     {"密钥无法读取", "请检查文件是否存在、服务有没有读取权限；格式见 common/webhook/README.md。"}},
};

const struct diag_code *webhook_codes(size_t *n)
{
    *n = BASE_LEN(codes);
    return codes;
}

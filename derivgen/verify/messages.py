"""Every sentence of the report, in English and Chinese.

A key names a message; placeholders are filled by name. A key that lacks a language is a defect
that the tests find, not something a reader meets.
"""

from __future__ import annotations

LANGUAGES = ("en", "zh")

_MESSAGES: dict[str, tuple[str, str]] = {
    "summary": (
        "{n} formulas: {proved} proved, {agrees} agree, {holds_if} hold if, {wrong} wrong,"
        " {not_understood} not understood, {pictures} pictures not read.",
        "{n} 个公式：{proved} 个已证明，{agrees} 个数值一致，{holds_if} 个有条件成立，"
        "{wrong} 个错误，{not_understood} 个未读懂，{pictures} 张图片未读。",
    ),
    "proved": ("proved", "已证明"),
    "agrees": ("agrees", "数值一致"),
    "holds_if": ("holds if", "有条件成立"),
    "wrong": ("wrong", "错误"),
    "not_understood": ("not understood", "未读懂"),
    "digits": (" to {digits} digits", "，{digits} 位有效数字"),
    "assumption": ("It holds if {text}.", "成立的条件：{text}。"),
    "mistake": ("Mistake: {text}.", "错误类型：{text}。"),
    "correct": ("Right: {text}", "正确写法：{text}"),
    "counterexample": ("For example {text}", "反例：{text}"),
    "example": (
        "For example with {given}{place}: {left} on the left, {right} on the right",
        "反例：取 {given}{place}，左边为 {left}，右边为 {right}",
    ),
    "example-place": (" at {text}", "，在 {text} 处"),
    "example-entry": ("entry ({text})", "第 ({text}) 个元素"),
    "mentions": (
        "{n} names and expressions claim nothing and were not judged.",
        "{n} 处数学记号没有断言，未作判断。",
    ),
    "note-network": (
        "The note's own equations define the network: given {given}; parameters {learnt};"
        " computed {made}; loss {loss}. (--print-network prints it.)",
        "笔记中的方程给出的网络：给定 {given}；参数 {learnt}；计算量 {made}；损失 {loss}。"
        "（--print-network 可打印该网络。）",
    ),
    "no-loss": (
        "No equation of the note defines a loss, so that its formulas are judged on general layers;"
        " write one, L = ..., or give the network.",
        "笔记中没有方程定义损失，因此按一般的层来判断公式；请写出 L = ...，或给出网络。",
    ),
    "no-equations": (
        "The note gives no forward equations, so that its formulas are judged on general layers.",
        "笔记没有给出前向方程，因此按一般的层来判断公式。",
    ),
    "no-network": (
        "The note's forward equations make no network that can be computed, so that its formulas"
        " are judged on general layers; give the network.",
        "笔记的前向方程不构成可计算的网络，因此按一般的层来判断公式；请给出网络。",
    ),
    "mistake:sign": ("the sign", "符号"),
    "mistake:factor-2": ("a factor 2", "系数 2"),
    "mistake:missing-factor": ("a missing factor", "缺少因子"),
    "mistake:extra-factor": ("a factor too many", "多余因子"),
    "mistake:missing-1-over-m": ("the 1/m is missing", "缺少 1/m"),
    "mistake:sum-forgotten": ("a sum is forgotten", "漏了求和"),
    "mistake:path-forgotten": ("a path of the chain rule is forgotten", "链式法则漏了一条路径"),
    "mistake:sum-range": ("the range of the sum", "求和范围"),
    "mistake:index-swap": ("indices are swapped", "下标颠倒"),
    "mistake:missing-transpose": ("a transpose is missing", "缺少转置"),
    "mistake:extra-transpose": ("a transpose too many", "多余转置"),
    "mistake:order": ("the order of the factors", "因子次序"),
    "mistake:missing-fprime": ("the slope f' is missing", "缺少激活函数导数 f'"),
    "mistake:extra-fprime": ("a slope f' too many", "多余的导数 f'"),
    "mistake:fprime-argument": ("the argument of f'", "f' 的自变量"),
    "mistake:wrong-layer-fprime": ("f' of the wrong layer", "f' 的层号"),
    "mistake:wrong-layer-weight": ("the weights of the wrong layer", "权重的层号"),
    "mistake:softmax-diagonal": (
        "only the diagonal of the softmax Jacobian",
        "只用了 softmax 雅可比矩阵的对角线",
    ),
    "mistake:wrong-time-index": ("the time index", "时间下标"),
    "mistake:wrong-variable": ("another quantity stands there", "变量写错"),
    "mistake:indicator-dropped": ("the indicator is dropped", "漏了指示函数"),
    "mistake:updated-weights-used": ("updated weights are used", "使用了更新后的权重"),
    "mistake:digit": ("a digit", "数字"),
    "mistake:notation": ("notation", "记号"),
    "guess": ("Read with {text}.", "读法：{text}。"),
    "also": ("Besides that: {text}.", "此外：{text}。"),
    "edit": ("Write {new} for {old}.", "把 {old} 改为 {new}。"),
    "put": ("Put {new} there.", "补上 {new}。"),
    "path": ("The path {new} is missing.", "漏了路径 {new}。"),
    "drop": ("Leave out {old}.", "去掉 {old}。"),
    "unknown-name": ("{text}: nothing declares this name.", "{text}：没有声明这个名字。"),
    "no-layer": (
        "{text}: the network has no such layer; its layers are 1 to {n}.",
        "{text}：网络没有这一层，只有第 1 至 {n} 层。",
    ),
    "unread": ("{text}: {problem}", "{text}：{problem}"),
    "definition": ("it defines {text}", "这是 {text} 的定义"),
    "another-definition": (
        "this is another definition, {factor} times that of the network",
        "这是另一种定义，是网络中定义的 {factor} 倍",
    ),
    "turned": (
        "the sign * is a convolution, which turns its window, unlike the network's own sum",
        "星号表示真正的卷积（卷积核要翻转），与网络中的求和不同",
    ),
    "not-turned": (
        "the sign * is a correlation, which does not turn its window, unlike the network's own sum",
        "星号表示互相关（卷积核不翻转），与网络中的求和不同",
    ),
    "another-loss": ("this defines another loss", "这定义了另一个损失"),
    "minimum": ("the loss is least here: its gradient is zero", "此处损失最小：梯度为零"),
    "data": ("it says what the data {text} are", "这给出了数据 {text} 是什么"),
    "normalised": ("the targets sum to 1", "目标之和为 1"),
    "class-letter": ("{text} is the class of the sample", "{text} 是样本的类别"),
    "onehot": ("the targets are one-hot", "目标是 one-hot"),
    "assumed-network": (
        "it does not hold for layers in general; give the network it speaks of",
        "对一般的分层网络不成立；请给出公式所说的网络",
    ),
    "no-values": (
        "the network declares no numbers; give it with values, as in param w = 0.15",
        "网络没有给出数值；请给出带数值的网络，例如 param w = 0.15",
    ),
    "gradient-rows": (
        "derivatives by a vector stand as rows (numerator layout)",
        "对向量的导数写成行向量（分子布局）",
    ),
    "sum-loss": (
        "the loss is the sum over the samples, or the step size absorbs their number",
        "损失是各样本之和，或者学习率已包含样本数",
    ),
    "likelihood": (
        "the log-likelihood is differentiated, which is minus the loss",
        "求导的是对数似然，即损失的相反数",
    ),
    "immediate": (
        "the fraction means the immediate derivative, not the total one",
        "偏导指直接偏导而不是全导数",
    ),
    "entries": (
        "the fraction stands for its entries that are not zero",
        "该偏导指其非零的分量",
    ),
    "gate-argument": (
        "delta of a gate is the derivative by what its function is applied to",
        "门的 delta 指对其激活函数的自变量的导数",
    ),
    "negative-delta": ("delta is the negative derivative of the loss", "delta 是损失导数的相反数"),
    "approximation": ("the mini-batch stands for all samples", "用小批量近似全部样本"),
    "rate-one": ("the learning rate is 1: it is missing", "学习率为 1：缺少学习率"),
    "against-time": (
        "{text} is 0: an earlier value does not depend on a later one.",
        "{text} 等于 0：较早的值不依赖较晚的值。",
    ),
    "factor-along": (
        "the factor may depend on everything but {text}",
        "比例系数只是与 {text} 无关",
    ),
    "no-ratio": ("The quotient is not constant.", "两边之比不是常数。"),
    "other-reading": (
        "It holds only if the formula is read otherwise than the members before it.",
        "只有换一种与前面各项不同的读法才成立。",
    ),
    "chain-alone": (
        "{by} acts on {of} through {middle} alone",
        "{by} 只通过 {middle} 影响 {of}",
    ),
    "network-values": ("the numbers need declared values", "这些数字需要给定的数值"),
    "truncated": ("the last digit is cut, not rounded: {text}", "末位是截断而非四舍五入：{text}"),
    "digit-wrong": ("the value is {text}", "数值应为 {text}"),
    "follows": (
        "it follows from the member before, which is wrong",
        "由前面错误的一步得出",
    ),
    "axis-clash": (
        "The index {text} runs over two different ranges.",
        "下标 {text} 用于两个不同的范围。",
    ),
    "free-index": (
        "The index {text} stands on the right alone.",
        "下标 {text} 只出现在右边。",
    ),
    "samples-loose": (
        "The sample {text} stands on the right alone; the left is a mean over the samples:"
        " 1/m and their sum are missing.",
        "样本下标 {text} 只出现在右边；左边是样本的平均：缺少 1/m 与对样本的求和。",
    ),
    "twin-letter": (
        "The index {text} occurs nowhere else.",
        "下标 {text} 在别处没有出现。",
    ),
    "limit-clash": (
        "{text} is the upper limit here and an index elsewhere.",
        "{text} 在这里是上限，在别处是下标。",
    ),
    "limit-is": ("{letter} runs to {text}", "{letter} 的上限是 {text}"),
    "rebound": (
        "The sum binds {text} again; it must run over {letter}.",
        "求和又用了 {text}；应对 {letter} 求和。",
    ),
    "full-width": ("a full-width character {text}", "全角字符 {text}"),
    "brace": ("a brace closes before its bracket", "花括号在括号之前关闭"),
    "bracket-kind": ("brackets of different kinds {text}", "括号类型不匹配 {text}"),
    "unknown-macro": ("{text} is no TeX macro", "{text} 不是 TeX 宏"),
    "part-macro": (r"\part is no derivative sign in TeX", r"\part 在 TeX 中不是偏导符号"),
    "no-bounds": ("a sum without an index", "求和没有下标"),
    "sum-scope": (
        "the sum extends over all terms behind it; brackets are missing",
        "求和号作用于其后所有各项，缺少括号",
    ),
    "unwritten": (
        "{text} is meant for each neuron, with an index that the sum names",
        "{text} 是指每个神经元的，应带求和的下标",
    ),
    "no-start": ("a sum without a start", "求和没有起点"),
    "dot": (r"\dot is an accent; write \cdot", r"\dot 是重音符号，应写 \cdot"),
    "row-break": ("a row break inside a product", "乘积中间换行"),
    "underscore": ("an underscore is missing", "缺少下划线"),
    "bare-superscript": (
        "{text} without brackets is a power if read literally",
        "{text} 没有括号，按字面是幂",
    ),
    "layout-columns": ("vectors stand as columns", "向量按列排列"),
    "denominator": (
        "a derivative of a vector by a vector has a row for each element that it is taken by"
        " (denominator layout)",
        "向量对向量的导数按自变量分行（分母布局）",
    ),
    "entrywise": (
        "the product of two vectors is taken entry by entry",
        "两个向量的积按元素相乘",
    ),
    "read-so": ("Read so: {text}.", "读法：{text}。"),
    "layout-rows": ("vectors stand as rows", "向量按行排列"),
    "other-world": ("the network is: {text}", "网络为：{text}"),
    "shape": ("The shapes do not fit: {text}.", "形状不匹配：{text}。"),
    "initialisation": (
        "the scale of {text} is meant",
        "指的是 {text} 的尺度",
    ),
    "variance": (
        "1/n is the variance; the scale is {text}",
        "1/n 是方差；标准差是 {text}",
    ),
    "bad-macro": ("\\{text} is not defined", "\\{text} 没有定义"),
    "prediction-missing": (
        "the prediction {text} does not occur",
        "没有出现预测值 {text}",
    ),
    "defect": (
        "{kind}: {text}. This is a defect of derivgen, not of the formula: please report it.",
        "{kind}：{text}。这是 derivgen 的缺陷，与公式无关：请报告。",
    ),
    "too-many": (
        "From here on {n} formulas were not read: at most {most} are read. Split the note.",
        "从这里起有 {n} 个公式未读：最多读 {most} 个。请把笔记分开。",
    ),
    "binary": ("The file is not text.", "这不是文本文件。"),
}


def message(key: str, lang: str = "en", **values: object) -> str:
    """Return the message of a key in a language, its placeholders filled."""
    text = _MESSAGES[key][LANGUAGES.index(lang)]
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def keys() -> tuple[str, ...]:
    """Return all keys, for the tests."""
    return tuple(_MESSAGES)


def complete(key: str) -> bool:
    """Tell whether a key has all languages."""
    return all(_MESSAGES[key])

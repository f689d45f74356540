"""The sentences of reading errors in Chinese; a sentence that is not here stays in English.

The reader of formulas speaks English, as all exceptions do; a report translates what it repeats.
"""

from __future__ import annotations

_CHINESE: dict[str, str] = {
    "This token does not fit here.": "这个记号不应出现在这里。",
    "Something is missing here.": "这里缺少内容。",
    "This bracket has no partner.": "括号不成对。",
    "Nested too deeply.": "嵌套过深。",
    "Nothing declares this name.": "没有声明这个名字。",
    "Nothing declares this tensor.": "没有声明这个张量。",
    "Nothing declares this function.": "没有声明这个函数。",
    "Unknown command.": "未知的命令。",
    "This macro does not end.": "这个宏无法展开完。",
    "The macro lacks an argument.": "宏缺少参数。",
    "A differential outside a fraction.": "微分号不在分式中。",
    "The denominator is no differential.": "分母不是微分。",
    "The numerator is no differential.": "分子不是微分。",
    "Nothing stands behind this operator.": "算子后面没有内容。",
    "It stands before no tensor.": "后面不是张量。",
    "This stands before no tensor.": "后面不是张量。",
    "The subscript is no tensor.": "下标不是张量。",
    "This is no quantity of the network.": "这不是网络中的量。",
    "This is no index letter.": "这不是下标字母。",
    "This is no index.": "这不是下标。",
    "This is no index expression.": "这不是下标表达式。",
    "This is no condition.": "这不是条件。",
    "These bounds are not understood.": "未读懂求和的上下限。",
    "The rows have different lengths.": "各行长度不同。",
    "The number is too long.": "数字过长。",
    "The entries do not show what runs.": "看不出省略的规律。",
    "The dots stand between no two entries.": "省略号不在两项之间。",
    "Dots with no pattern.": "省略号没有规律。",
    "No loss is declared.": "没有声明损失。",
    "No network is given.": "没有给出网络。",
    "A side of the claim is missing.": "等式缺少一边。",
    "This claims nothing.": "没有断言。",
    "An empty bracket.": "空括号。",
    "This accent stands on no name.": "重音符号下没有名字。",
    "no finite value": "没有有限值",
    "no point": "没有可取的点",
    "no sizes work": "没有合适的尺寸",
    "a division by zero": "除以零",
    "a root of a negative number": "负数开方",
    "the step size is not known": "学习率未知",
    "the network is too large to be evaluated": "网络过大，无法求值",
    "a vector of ones whose length is not clear": "全一向量的长度不明",
    "a function without an argument": "函数缺少自变量",
    "the sum has too many terms": "求和项过多",
    "no case holds": "没有任何分支成立",
}  # fmt: skip


def translated(text: str, lang: str) -> str:
    """Return a sentence of an error in the language of the report."""
    return _CHINESE.get(text, text) if lang == "zh" else text

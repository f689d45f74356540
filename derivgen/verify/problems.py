"""The sentences of reading errors in Chinese; a sentence that is not here stays in English.

The reader of formulas speaks English, as all exceptions do; a report translates what it repeats.
"""

from __future__ import annotations

import re
from functools import cache

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
    "It stands before no gradient.": "后面不是梯度。",
    "This prime does not say by what.": "这一撇没有写明对什么求导。",
    "It does not say by what.": "没有写明对什么求导。",
    "This chance is no output of the network.": "这个概率不是网络的输出。",
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
    "This letter is no index of the claim.": "这个字母不是该式的下标。",
    "The dots stand between no two entries.": "省略号不在两项之间。",
    "The terms of this sum follow no one pattern.": "求和的各项不遵循同一规律。",
    "Dots with no pattern.": "省略号没有规律。",
    "No loss is declared.": "没有声明损失。",
    "No network is given.": "没有给出网络。",
    "A side of the claim is missing.": "等式缺少一边。",
    "This claims nothing.": "没有断言。",
    "An empty bracket.": "空括号。",
    "This accent stands on no name.": "重音符号下没有名字。",
    "no finite value": "没有有限值",
    "the formula speaks of no element of this network": "该式在此网络中不涉及任何元素",
    "no sizes work": "没有合适的尺寸",
    "a division by zero": "除以零",
    "a root of a negative number": "负数开方",
    "a power that is too large": "幂太大",
    "derivatives are nested too deeply": "导数嵌套太深",
    "the step size is not known": "学习率未知",
    "the network is too large to be evaluated": "网络过大，无法求值",
    "a vector of ones whose length is not clear": "全一向量的长度不明",
    "a function without an argument": "函数缺少自变量",
    "the sum has too many terms": "求和项过多",
    "what is held fixed is no element": "保持不变的不是元素",
    "a matrix to a negative power": "矩阵的负数次幂",
    "no case holds": "没有任何分支成立",
    "This is no remainder of an index.": "这不是下标的余数。",
    "A condition stands in brackets.": "条件应写在方括号内。",
    "A comparison stands in brackets: [i = j].": "比较应写在方括号内：[i = j]。",
    "A bracket holds one condition.": "一个方括号只能有一个条件。",
    "The second part of d(u, x) is an element.": "d(u, x) 的第二部分应是元素。",
    "It takes a condition and two values.": "它需要一个条件和两个值。",
    "It takes one argument.": "它只有一个自变量。",
    "Only indices are divided so.": "只有下标才这样除。",
    "It has {} indices, {} are written.": "它有 {} 个下标，写了 {} 个。",
    "It has {} indices.": "它有 {} 个下标。",
    "Bound indices are letters.": "求和下标应是字母。",
    "The surface table names no tensor of the network.": "符号表没有指向网络的张量。",
    "What is held fixed is no quantity.": "保持不变的不是量。",
    "A value at a point is not read.": "不读某一点处的值。",
    "This is no parameter.": "这不是参数。",
    r"\begin lacks its \end.": r"\begin 缺少 \end。",
    "This function of NumPy is not understood here.": "这里不认识这个 NumPy 函数。",
    "The formula has {} characters; at most {} are read.": "公式有 {} 个字符；最多读 {} 个。",
    "The formula has more than {} tokens.": "公式的记号多于 {} 个。",
    "{} characters": "{} 个字符",
    "{}{} has no value": "{}{} 没有值",
    "index {} has no value": "下标 {} 没有值",
    "{} has no value": "{} 没有值",
    "{} is not evaluated": "不能求 {} 的值",
    "this condition is not evaluated": "不能判断这个条件",
    "{} acts on a vector": "{} 作用于向量",
    "{}{} is outside its range": "{}{} 超出范围",
    "{} is not defined": "{} 没有定义",
    "{} has {} elements, too many to be evaluated": "{} 有 {} 个元素，过多，无法求值",
    "{} over {} values": "对 {1} 个值求 {0}",
    "{} of {} values": "对 {1} 个值求 {0}",
    "the function {} is not known": "函数 {} 未知",
    "{} is too close to 0 or 1": "{} 太接近 0 或 1",
    "{} has no finite value here": "{} 在这里没有有限值",
    "a matrix without an inverse": "矩阵不可逆",
    "softmax of a matrix: the axis is not written": "矩阵的 softmax：没有写明方向",
    "an empty product": "空的乘积",
    "the sides have different shapes": "两边形状不同",
    "diag of a matrix": "对矩阵取 diag",
    "{} of a matrix": "对矩阵取 {}",
    "the trace of a matrix that is not square": "非方阵的迹",
    "an index on a number": "数没有下标",
    "the index leaves the matrix": "下标超出矩阵",
    "the entries have different shapes": "各元素形状不同",
    "the entries of the vector stand the wrong way": "向量的元素方向不对",
    "a comparison of a vector": "对向量作比较",
    "a matrix divided by one of another shape": "两个形状不同的矩阵相除",
    "the layer has no elementwise activation": "这一层没有逐元素的激活函数",
    "{} has no member {}": "{} 没有第 {} 个",
    "{} has {} indices": "{} 有 {} 个下标",
    "index {} leaves the range of {}": "下标 {} 超出 {} 的范围",
    "the size {} is not known": "尺寸 {} 未知",
    "the index {} runs over nothing known": "下标 {} 的范围未知",
    "the index {} is not bound": "下标 {} 没有约束",
    "a window larger than what it slides over": "窗口比所滑过的信号还大",
    "a convolution of several channels": "多通道的卷积",
    "no such layer": "没有这一层",
    "a derivative of a matrix by a matrix has no matrix form": "矩阵对矩阵的导数没有矩阵形式",
    "a derivative by something that is no element": "求导的对象不是元素",
    "{} != a number": "{} != 数",
    "a number != {}": "数 != {}",
    "a number": "数",
    "f, squared error": "f，平方误差",
    "sigmoid, squared error": "sigmoid，平方误差",
    "softmax, cross-entropy": "softmax，交叉熵",
    "sigmoid, binary cross-entropy": "sigmoid，二元交叉熵",
    "tanh, squared error": "tanh，平方误差",
    "linear output, squared error": "线性输出，平方误差",
    "end of formula": "公式末尾",
    "denominator": "分母",
    "numerator": "分子",
}  # fmt: skip
# What stands in the gaps of a sentence: names, numbers and index expressions, no words of prose.
_GAP = r"(\S+(?:, \S+)*)"


def translated(text: str, lang: str) -> str:
    """Return a sentence of an error in the language of the report."""
    if lang != "zh":
        return text
    if text in _CHINESE:
        return _CHINESE[text]
    for pattern, sentence in _patterns():
        if found := pattern.fullmatch(text):
            return sentence.format(*found.groups())
    return text


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the sentences with gaps as patterns, the most definite first."""
    gapped = sorted((key for key in _CHINESE if "{}" in key), key=lambda k: -len(k))
    return tuple(
        (re.compile(_GAP.join(map(re.escape, key.split("{}")))), _CHINESE[key]) for key in gapped
    )

"""Every sentence of a gradient check, in English and Chinese.

A key names a message; placeholders are filled by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from derivgen.errors import DataError

LANGUAGES = ("en", "zh")

_MESSAGES: dict[str, tuple[str, str]] = {
    # --- the report
    "pass": ("pass", "通过"),
    "fail": ("fail", "不符"),
    "kink": ("kink", "不可导点"),
    "inconclusive": ("inconclusive", "无法判定"),
    "part": (
        "{name}: {verdict}, {checked} of {entries} checked",
        "{name}：{verdict}，检查了 {entries} 个分量中的 {checked} 个",
    ),
    "directions": ("random directions", "随机方向"),
    "finding": (
        "{entry}: gradient {derived:.10g}, measured {measured:.10g} +- {bound:.1e}, {verdict}",
        "{entry}：所给梯度 {derived:.10g}，数值测得 {measured:.10g} +- {bound:.1e}，{verdict}",
    ),
    "no-slope": (
        "{entry}: gradient {derived:.10g}; close to the point f has too few finite values to"
        " measure a slope, {verdict}",
        "{entry}：所给梯度 {derived:.10g}；f 在该点附近的有限值太少，测不出斜率，{verdict}",
    ),
    "sides": (
        " (slopes {left:.6g} from the left, {right:.6g} from the right)",
        "（左导数 {left:.6g}，右导数 {right:.6g}）",
    ),
    "verdict": ("verdict: {verdict}", "结论：{verdict}"),
    "no-point": (
        "No point with a finite loss was found.",
        "没有找到损失为有限值的点。",
    ),
    "not-finite": (
        "f gives {value} at the point: nothing can be measured there.",
        "f 在该点的值是 {value}，无法测量。",
    ),
    "coarse": (
        "The code computes in low precision: relative differences below {size:.0e} go unseen."
        " Compute in float64 for a sharper check.",
        "代码的计算精度较低：小于 {size:.0e} 的相对差异无法察觉。改用 float64 可以检查得更细。",
    ),
    "cached": (
        "The gradient depends on where f was called last: it reads what f kept.",
        "梯度取决于上一次调用 f 的点：它用的是 f 留下的缓存。",
    ),
    "part-right": (
        "The gradients of {right} are right, those of {wrong} are not:"
        " look at what leads to the latter alone.",
        "{right} 的梯度正确，{wrong} 的不正确：请检查只通向后者的那一段。",
    ),
    # --- usual mistakes
    "nan": ("The gradient holds values that are not finite.", "梯度中有非有限的值。"),
    "zero": (
        "The gradient is zero, the slope is not: a path is missing.",
        "梯度为零而斜率不为零：漏了一条路径。",
    ),
    "sign": ("Every entry has the wrong sign.", "每个分量的符号都反了。"),
    "factor": (
        "Every entry is {factor} times what it should be.",
        "每个分量都是正确值的 {factor} 倍。",
    ),
    "no-mean": (
        "Every entry is {factor} times what it should be. The 1/{factor} of a mean may be missing.",
        "每个分量都是正确值的 {factor} 倍。可能漏了求平均的 1/{factor}。",
    ),
    "mean": (
        "Every entry is 1/{factor} times what it should be. A mean may stand for a sum.",
        "每个分量都是正确值的 1/{factor}。可能在应求和处取了平均。",
    ),
    "transposed": ("The gradient is transposed.", "梯度被转置了。"),
    "transposed-order": (
        "The gradient is transposed, then read in another order.",
        "梯度被转置后又按另一种次序排列。",
    ),
    "axes": (
        "The axes of the gradient are in another order: {axes}.",
        "梯度的轴次序不对：{axes}。",
    ),
    "flipped": (
        "The gradient is flipped along axis {axes}.",
        "梯度沿第 {axes} 轴翻转了。",
    ),
    "shifted": (
        "The entries are shifted by one along axis {axis}.",
        "各分量沿第 {axis} 轴错开了一位。",
    ),
    "order": (
        "The entries are right but stand in another order.",
        "各分量的值正确，但次序不同。",
    ),
    "row": (
        "Every row is off by a factor of its own: one that belongs to the row,"
        " such as f', is missing or wrong.",
        "每一行各差一个因子：属于该行的因子（例如 f'）漏了或写错了。",
    ),
    "column": (
        "Every column is off by a factor of its own: one that belongs to the column,"
        " such as an input, is missing or wrong.",
        "每一列各差一个因子：属于该列的因子（例如输入）漏了或写错了。",
    ),
    "penalty": (
        "A term {factor} times the parameter is missing, as a squared penalty gives.",
        "漏了参数的 {factor} 倍这一项，即平方惩罚项的导数。",
    ),
    "penalty-extra": (
        "A term {factor} times the parameter is too much, as a squared penalty gives.",
        "多了参数的 {factor} 倍这一项，即平方惩罚项的导数。",
    ),
    "too-large": ("Every entry is {size} too large.", "每个分量都偏大 {size}。"),
    "too-small": ("Every entry is {size} too small.", "每个分量都偏小 {size}。"),
    "only": ("Only {places} is wrong.", "只有 {places} 不对。"),
    "only-many": ("Only {places} are wrong.", "只有 {places} 不对。"),
    "only-zero": (
        "Only at {places} is it wrong: there the gradient is zero, the slope is not.",
        "只有 {places} 不对：梯度在那里为零而斜率不为零。",
    ),
    "only-factor": (
        "Only at {places} is it wrong: there the gradient is {factor} times what it should be.",
        "只有 {places} 不对：梯度在那里是正确值的 {factor} 倍。",
    ),
    "only-tried": (
        "Of {count} entries tried it is wrong only at {places}.",
        "抽查的 {count} 个分量中只有 {places} 不对。",
    ),
    "others": ("{places} and {count} others", "{places} 等另外 {count} 处"),
    "rounding": (
        "All differences are as small as rounding to single precision: compute in float64.",
        "所有差异都与单精度舍入相当：请用 float64 计算。",
    ),
    "other": ("It is the gradient of {name}.", "这是 {name} 的梯度。"),
    # --- what cannot be checked
    "empty": ("The point has no entries.", "该点没有任何分量。"),
    "give-one": ("Give at least one number.", "请至少给出一个数。"),
    "random": (
        "It gives {first:.10g} and {again:.10g} at one point.",
        "它在同一点先后给出 {first:.10g} 和 {again:.10g}。",
    ),
    "fix-seed": ("Fix its seed inside {name}.", "请在 {name} 内部固定随机种子。"),
    "adds-up": (
        "{entry} is {first:.10g} when first called, then {again:.10g} at the same point.",
        "第一次调用时 {entry} 为 {first:.10g}，在同一点再次调用时为 {again:.10g}。",
    ),
    "reset": (
        "Start from zeros in every call, and fix any seed inside.",
        "每次调用都从零开始累加，并在内部固定随机种子。",
    ),
    "ends": ("It ends in {kind}: {reason}.", "它以 {kind} 结束：{reason}。"),
    "changes": ("It changes its argument.", "它改动了自己的参数。"),
    "copy": ("Work on a copy inside.", "请在内部使用副本。"),
    "names": ("There are {names} names for {count} arrays.", "{count} 个数组却有 {names} 个名字。"),
    "complex": ("It holds complex numbers.", "其中有复数。"),
    "real": ("Give real ones.", "请给实数。"),
    "no-numbers": ("It holds no array of numbers: {reason}.", "它不是数的数组：{reason}。"),
    "ragged": (
        "It holds no array of numbers: its parts differ in shape.",
        "它不是数的数组：各部分形状不同。",
    ),
    "holds-none": (
        "It holds no array of numbers: None stands in it.",
        "它不是数的数组：其中有 None。",
    ),
    "deep": ("Its parts are nested too deeply.", "嵌套太深。"),
    "flatten": ("Name the arrays in one dictionary.", "请把各数组放进一个字典。"),
    "twice": ("Two parts have this name.", "有两个部分用了同一个名字。"),
    "rename": ("Name them differently.", "请取不同的名字。"),
    "none": ("The gradient is None.", "梯度是 None。"),
    "return": ("Return it from the function.", "请在函数中用 return 返回它。"),
    "parts": (
        "It returns {count} parts for {wanted} arrays.",
        "它返回 {count} 个部分，而参数有 {wanted} 个数组。",
    ),
    "no-part": ("The gradient has no part for {name}.", "梯度中没有 {name} 的部分。"),
    "keys": ("It has: {keys}.", "它有：{keys}。"),
    "pair": ("It returns a pair of a number and an array.", "它返回的是一个数和一个数组。"),
    "table": (
        "It returns a dictionary of {keys} for one array.",
        "参数是一个数组，返回的却是字典：{keys}。",
    ),
    "alone": ("Return the gradient alone.", "请只返回梯度。"),
    "shape": (
        "The gradient has shape {shape}, {name} has {wanted}.",
        "梯度的形状是 {shape}，而 {name} 的形状是 {wanted}。",
    ),
    "turned": ("It is transposed.", "它被转置了。"),
    "sum-axis": (
        "Sum it over axis {axis}, as over the samples of a batch.",
        "请沿第 {axis} 轴求和，例如对一批样本求和。",
    ),
    "squeeze": ("Drop axis {axis}, which has length 1.", "请去掉长度为 1 的第 {axis} 轴。"),
    "broadcast": (
        "So it is where ({n}, 1) and ({n},) meet: give both one shape.",
        "({n}, 1) 与 ({n},) 相运算会得到这种形状：请统一两者的形状。",
    ),
    "reshape": ("Write .reshape{to} if the order is right.", "若次序正确，请写 .reshape{to}。"),
    "every-entry": ("Return one slope for every entry.", "请为每个分量返回一个斜率。"),
    "many": ("f returns {count} numbers.", "f 返回了 {count} 个数。"),
    "several": ("f returns a {kind} of {count} parts.", "f 返回的是含 {count} 个部分的 {kind}。"),
    "late": ("It gave no answer within {seconds:g} seconds.", "它在 {seconds:g} 秒内没有回答。"),
    "raise-timeout": ("Raise --timeout.", "请加大 --timeout。"),
    "flush": (
        "Flush the output after every answer, or raise --timeout.",
        "请在每次回答后刷新输出（flush），或加大 --timeout。",
    ),
    "quits": ("It ends the program.", "它结束了整个程序。"),
    "no-exit": ("Leave out exit().", "请去掉 exit()。"),
    "undefined": ("It defines no {what}.", "其中没有定义 {what}。"),
    "name-it": ("Name it {names}.", "请命名为 {names}。"),
    "ended": (
        "The program ended without an answer, with status {status}.",
        "程序没有回答就结束了，退出状态为 {status}。",
    ),
    "no-json": ("It answered {line}, which is no JSON.", "它回答了 {line}，这不是 JSON。"),
    "no-utf8": ("It answered {line}, which is not UTF-8.", "它回答了 {line}，这不是 UTF-8。"),
    "no-answer": ("It answered {line}.", "它回答了 {line}。"),
    "no-end": (
        "It wrote {count} bytes and no end of line.",
        "它写了 {count} 个字节而没有换行。",
    ),
    "protocol": (
        'Answer each line {{"x": point}} with one line {{"loss": x, "gradient": lists}}.',
        '对每一行 {{"x": 点}} 请用一行 {{"loss": 数, "gradient": 列表}} 回答。',
    ),
    "loss-alone": ("Return the loss alone.", "请只返回损失。"),
}


@dataclass(frozen=True)
class Message:
    """A sentence by its key and the values in it."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, lang: str = "en") -> str:
        """Return the sentence in a language; values that are messages are put in first."""
        filled = {
            name: value.text(lang) if isinstance(value, Message) else value
            for name, value in self.values.items()
        }
        return _MESSAGES[self.key][LANGUAGES.index(lang)].format(**filled)


def message(key: str, **values: Any) -> Message:
    """Return the message of a key."""
    assert key in _MESSAGES, f"no message {key}"
    return Message(key, values)


class CodeProblem(DataError):
    """A person's code that cannot be checked, sayable in every language."""

    def __init__(self, subject: str, what: Message, advice: Message | None = None) -> None:
        super().__init__(subject)
        self.what, self.how = what, advice
        self.say_in("en")

    def say_in(self, lang: str) -> CodeProblem:
        """Return this error with its sentences in a language."""
        self.problem = self.what.text(lang)
        self.advice = self.how.text(lang) if self.how else ""
        return self

    def __str__(self) -> str:
        return f"DataError{super().__str__().removeprefix(type(self).__name__)}"


def problem(subject: str, key: str, advice: str | None = None, **values: Any) -> CodeProblem:
    """Return an error whose sentences share their values."""
    return CodeProblem(
        subject, message(key, **values), message(advice, **values) if advice else None
    )

r"""Token passes before parsing: brackets matched, what only looks mathematical removed.

Invariant: what is repaired is reported as a `Notice`; what cannot be is a `FormulaError`.
"""

from __future__ import annotations

from dataclasses import replace

from derivgen.formulas.tokens import HELD_CLOSE, HELD_OPEN
from derivgen.formulas.tree import FormulaError, Notice, Token

MAX_DEPTH = 60
OPEN = {"(": ")", "[": "]", r"\{": r"\}", r"\lbrace": r"\rbrace", r"\langle": r"\rangle",
        r"\lfloor": r"\rfloor", "{": "}", r"\lbrack": r"\rbrack", r"\lceil": r"\rceil",
        HELD_OPEN: HELD_CLOSE}  # fmt: skip
CLOSE = frozenset(OPEN.values())
# Commands that take an argument: a brace right after them is not mere grouping.
TAKES_ARGUMENT = frozenset(
    [
        r"\frac",
        r"\dfrac",
        r"\tfrac",
        r"\cfrac",
        r"\sqrt",
        r"\hat",
        r"\bar",
        r"\tilde",
        r"\vec",
        r"\dot",
        r"\ddot",
        r"\overline",
        r"\widehat",
        r"\widetilde",
        r"\mathbf",
        r"\boldsymbol",
        r"\bm",
        r"\mathrm",
        r"\mathit",
        r"\mathcal",
        r"\mathscr",
        r"\mathbb",
        r"\mathsf",
        r"\text",
        r"\textit",
        r"\textbf",
        r"\textrm",
        r"\operatorname",
        r"\underline",
        r"\underbrace",
        r"\overbrace",
        r"\boxed",
        r"\stackrel",
        r"\overset",
        r"\underset",
        r"\substack",
        r"\mathop",
        r"\color",
        r"\textcolor",
        r"\pmb",
        r"\mathfrak",
        r"\mbox",
    ]
)
OVER_RELATION = frozenset({r"\stackrel", r"\overset", r"\underset"})


def balanced(tokens: list[Token]) -> tuple[list[Token], list[Notice]]:
    """Return the tokens with every bracket matched, or say where that is impossible.

    A grouping brace that closes before a parenthesis opened inside it is dropped with its partner.
    """
    stack: list[int] = []
    drop: dict[int, None] = {}
    notices: list[Notice] = []
    for place, token in enumerate(tokens):
        if _opens(tokens, place):
            stack.append(place)
            if len(stack) > MAX_DEPTH:
                raise FormulaError(token.text, "Nested too deeply.", "Name the parts.", token.span)
        elif token.text in CLOSE and token.kind in ("command", token.text):
            _close(tokens, place, stack, drop, notices)
    for place in stack:
        if place not in drop:
            raise _unbalanced(tokens[place])
    return [token for place, token in enumerate(tokens) if place not in drop], notices


def _opens(tokens: list[Token], place: int) -> bool:
    token = tokens[place]
    return token.text in OPEN and token.kind in ("command", token.text)


def _close(
    tokens: list[Token],
    place: int,
    stack: list[int],
    drop: dict[int, None],
    notices: list[Notice],
) -> None:
    token = tokens[place]
    if stack and OPEN[tokens[stack[-1]].text] == token.text:
        stack.pop()
    elif (
        stack and token.text != "}" and tokens[stack[-1]].text in ("(", "[") and token.text in ")]"
    ):
        notices.append(Notice("bracket-kind", token.span, tokens[stack.pop()].text + token.text))
    elif token.text == "}":
        opened = next((p for p in reversed(stack) if tokens[p].text == "{"), None)
        if opened is None or not is_grouping(tokens, opened):
            raise _unbalanced(token)
        stack.remove(opened)
        drop[opened] = drop[place] = None
        notices.append(Notice("brace", token.span))
    elif stack and tokens[stack[-1]].text == "{" and is_grouping(tokens, stack[-1]):
        # The parenthesis was opened before the brace; its closing brace will be met later.
        opened = stack.pop()
        drop[opened] = None
        notices.append(Notice("brace", tokens[opened].span))
        _close(tokens, place, stack, drop, notices)
        _drop_partner(tokens, place, drop)
    else:
        raise _unbalanced(token)


def _drop_partner(tokens: list[Token], place: int, drop: dict[int, None]) -> None:
    level = 0
    for later in range(place + 1, len(tokens)):
        if tokens[later].text == "{":
            level += 1
        elif tokens[later].text == "}":
            if level == 0:
                tokens[later] = Token("nothing", "", tokens[later].span)
                drop[later] = None
                return
            level -= 1


def is_grouping(tokens: list[Token], place: int) -> bool:
    """Tell whether a brace is no argument and no script, so that it only groups."""
    before = tokens[place - 1] if place else None
    return before is None or (before.kind not in "^_" and before.text not in TAKES_ARGUMENT)


def _unbalanced(token: Token) -> FormulaError:
    return FormulaError(
        token.text, "This bracket has no partner.", "Balance the brackets.", token.span
    )


def plain_relations(tokens: list[Token]) -> list[Token]:
    r"""Put the bare relation for ``\stackrel{def}{=}`` and ``\not=``."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        if token.text == r"\not" and following is not None:
            found.append(Token("relation", r"\ne", token.span))
            place += 2
            continue
        if token.text in OVER_RELATION:
            first = argument_end(tokens, place + 1)
            second = argument_end(tokens, first)
            inner = [t for t in tokens[first:second] if t.kind not in "{}"]
            if len(inner) == 1 and inner[0].kind == "relation":
                found.append(inner[0])
                place = second
                continue
        found.append(token)
        place += 1
    return found


def gaps_to_commas(tokens: list[Token]) -> list[Token]:
    """Read a wide space between two complete formulas as a comma; drop all others.

    A narrow gap parts only what looks like a condition: a name and a relation after it.
    """
    found: list[Token] = []
    level = 0
    for place, token in enumerate(tokens):
        level += (token.text in OPEN) - (token.text in CLOSE) + (token.kind == "begin")
        level -= token.kind == "end"
        if token.kind != "gap":
            found.append(token)
        elif level == 0 and _parts(found, tokens, place):
            found.append(Token(",", ",", token.span))
    return found


def _parts(before: list[Token], tokens: list[Token], place: int) -> bool:
    after = [t for t in tokens[place + 1 : place + 12] if t.kind != "gap"]
    if not before or not after or not any(t.kind == "relation" for t in before):
        return False
    if before[-1].kind in ("relation", "operator", "row", "&", ",", "begin"):
        return False
    if after[0].kind in ("relation", "operator", "row", "&", ",", "end", ".", ";"):
        return False
    if tokens[place].text == r"\;":
        return len(after) > 1 and after[0].kind == "name" and after[1].kind == "relation"
    return True


def joined_rows(tokens: list[Token]) -> list[Token]:
    """Drop empty braces, and row breaks inside brackets or before a product sign."""
    kept = [t for place, t in enumerate(tokens) if not _is_empty_brace(tokens, place)]
    found: list[Token] = []
    inside: list[str] = []  # the brackets and matrices a token stands in
    for place, token in enumerate(kept):
        if token.text in OPEN and token.kind in ("command", token.text):
            inside.append(token.text)
        elif inside and (token.text in CLOSE and token.kind in ("command", token.text)):
            inside.pop()
        elif token.kind == "begin" and _holds_entries(token):
            inside.append(token.text)
        elif inside and token.kind == "end" and _holds_entries(token):
            inside.pop()
        broken = token.kind in ("row", "&", "gap")
        if broken and (_goes_on(kept, place) or (inside and inside[-1] in ("(", "["))):
            continue
        found.append(token)
    return found


def equation_rows(tokens: list[Token]) -> list[Token]:
    """Take an array, or cases without conditions, whose rows are equations for an align."""
    found = list(tokens)
    place = 0
    while place < len(found):
        token = found[place]
        end = _environment_end(found, place) if token.text in _ROWS else place
        first = place + 1
        if token.text == "array" and found[first : first + 1] and found[first].kind == "{":
            first = argument_end(found, first)
        if token.kind == "begin" and place < end and _hold_equations(found, place, first, end):
            found[end] = replace(found[end], text="aligned")
            found[place:first] = [replace(token, text="aligned")]
            if place and found[place - 1].text == r"\{":
                del found[place - 1]
        place += 1
    return found


_ROWS = ("array", "cases")


def _environment_end(tokens: list[Token], start: int) -> int:
    level = 0
    for place in range(start, len(tokens)):
        level += (tokens[place].kind == "begin") - (tokens[place].kind == "end")
        if level == 0:
            return place
    return start


def _hold_equations(tokens: list[Token], start: int, first: int, end: int) -> bool:
    """Tell whether an environment stands where formulas begin and each row has a relation."""
    before = tokens[start - 1] if start else None
    braced = before is not None and before.text == r"\{"
    if before is not None and not braced and before.kind not in ("begin", "row", "&"):
        return False
    rows: list[list[Token]] = [[]]
    level = 0
    for token in tokens[first:end]:
        level += token.text in OPEN or token.kind == "begin"
        level -= token.text in CLOSE or token.kind == "end"
        if token.kind == "row" and level == 0:
            rows.append([])
        elif level == 0:
            rows[-1].append(token)
    filled = [row for row in rows if row]
    columns = any(t.kind == "&" for row in filled for t in row)
    if (braced or tokens[start].text == "cases") and columns:
        return False  # values with their conditions
    equal = [any(t.kind == "relation" for t in row) for row in filled]
    return bool(filled) and (all(equal) or not columns and equal[0])


def _is_empty_brace(tokens: list[Token], place: int) -> bool:
    """Tell whether a token is one of the two of ``{}`` that group nothing."""
    for opened in (place, place - 1):
        pair = tokens[max(opened, 0) : opened + 2]
        if len(pair) == 2 and pair[0].kind == "{" and pair[1].kind == "}":
            return is_grouping(tokens, opened)
    return False


def _goes_on(tokens: list[Token], place: int) -> bool:
    while place < len(tokens) and tokens[place].kind in ("row", "&", "gap"):
        place += 1
    following = tokens[place] if place < len(tokens) else None
    return following is not None and following.kind == "operator" and following.text not in "+-"


PROSE = frozenset(
    ("for", "if", "where", "when", "because", "since", "by", "with", "using", "and", "or", "so",
     "hence", "thus", "then", "from", "let", "chain", "else", "otherwise", "s.t.", "i.e.", "as")
)  # fmt: skip
# After these words stands a condition or a reason, which claims nothing by itself.
LEADING = frozenset(("for", "if", "where", "when", "because", "since", "by", "with", "using", "as"))
_TEXTS = (r"\text", r"\mbox", r"\textrm", r"\textnormal", r"\textit")


def without_prose(tokens: list[Token], text: str) -> list[Token]:
    """Put a comma for words set as text between formulas, and drop the condition they introduce."""
    found: list[Token] = []
    place = level = 0
    while place < len(tokens):
        token = tokens[place]
        level += (token.text in OPEN) - (token.text in CLOSE)
        level += (token.kind == "begin") * _holds_entries(token)
        level -= (token.kind == "end") * _holds_entries(token)
        if level or token.text not in _TEXTS:
            found.append(token)
            place += 1
            continue
        end = argument_end(tokens, place + 1)
        words = text[tokens[place].span[1] : tokens[end - 1].span[1]].strip(" {}~.,:;").lower()
        if " " not in words and words not in PROSE:
            found.extend(tokens[place:end])
            place = end
            continue
        found.append(Token(",", ",", token.span))
        found.extend(_inner_condition(tokens[place:end], words))
        place = _behind_words(tokens, end, words)
    return found


# What stands behind these says at which indices or numbers the formula holds.
CONDITIONAL = ("for", "if", "when", "where", "当", "若", "如果")
MAX_CONDITION = 12


def _behind_words(tokens: list[Token], end: int, words: str) -> int:
    """Return where reading goes on: behind a reason, or at a condition such as ``i = j``."""
    first = words.split(" ")[0]
    if first not in LEADING and first not in CONDITIONAL:
        return end
    stop = next((k for k in range(end, len(tokens)) if _ends_condition(tokens[k])), len(tokens))
    if first in CONDITIONAL and _is_condition(tokens[end:stop]):
        return end
    return _after_condition(tokens, end)


def _inner_condition(tokens: list[Token], words: str) -> list[Token]:
    r"""Return the condition between dollar signs in words set as text: ``\text{if $i=j$}``."""
    places = [k for k, token in enumerate(tokens) if token.text == "$"]
    if len(places) != 2 or words.split(" ")[0] not in CONDITIONAL:
        return []
    inner = tokens[places[0] + 1 : places[1]]
    return inner if _is_condition(inner) else []


def _ends_condition(token: Token) -> bool:
    return token.kind in (",", ";", ":", "row", "end", "&", "gap", "command") and (
        token.kind != "command" or token.text in _TEXTS
    )


def _is_condition(tokens: list[Token]) -> bool:
    """Tell whether tokens are a short comparison of names and numbers."""
    relations = [t for t in tokens if t.kind == "relation"]
    plain = all(
        t.kind in ("name", "number", "relation", "_", "^", "{", "}", "(", ")", ".")
        or t.text in "+-"
        or (t.kind == "command" and t.text not in (r"\frac", r"\sum"))
        for t in tokens
    )
    sides = bool(tokens) and tokens[0].kind != "relation" and tokens[-1].kind != "relation"
    return len(relations) == 1 and plain and sides and len(tokens) <= MAX_CONDITION


def _holds_entries(token: Token) -> int:
    return int(token.text.rstrip("*").endswith("matrix") or token.text in ("cases", "array"))


def _after_condition(tokens: list[Token], start: int) -> int:
    level = 0
    for place in range(start, len(tokens)):
        token = tokens[place]
        level += (token.text in OPEN) - (token.text in CLOSE)
        if level < 0 or (level == 0 and token.kind in ("row", "end", ";")):
            return place
    return len(tokens)


def argument_end(tokens: list[Token], start: int) -> int:
    """Return where the argument that begins at ``start`` ends (a token or a braced group)."""
    if start >= len(tokens) or tokens[start].kind != "{":
        return min(start + 1, len(tokens))
    level = 0
    for place in range(start, len(tokens)):
        level += (tokens[place].kind == "{") - (tokens[place].kind == "}")
        if level == 0:
            return place + 1
    return len(tokens)

r"""Token passes over what only sets off: frames and colours around equations, bars, small circles.

Invariant: signs change their meaning to what they look like; no quantity is added or dropped.
"""

from __future__ import annotations

from derivgen.formulas.repair import CLOSE, OPEN, is_grouping
from derivgen.formulas.tree import Token

FRAMES = frozenset([r"\boxed", r"\color", r"\textcolor", r"\fbox", r"\bbox"])


def unframed(tokens: list[Token]) -> list[Token]:
    r"""Take equations out of ``\boxed{a = b}``, ``\color{red}{a = b}`` and plain braces."""
    partner, holding = _brace_pairs(tokens)
    drop: dict[int, None] = {}
    for place in holding:
        before = place - 1
        while before >= 0 and tokens[before].kind == "}" and before in partner:
            before = partner[before] - 1  # over the colour
        framed = before >= 0 and tokens[before].text in FRAMES
        if framed:
            drop.update(dict.fromkeys(range(before, place + 1)))
        elif is_grouping(tokens, place) and not (place and tokens[place - 1].kind == "}"):
            drop[place] = None
        if place in drop:
            drop[partner[place]] = None
    return [token for place, token in enumerate(tokens) if place not in drop]


def _brace_pairs(tokens: list[Token]) -> tuple[dict[int, int], list[int]]:
    """Return the partner of each brace, and the opening ones right around a relation or a row."""
    partner: dict[int, int] = {}
    holding: dict[int, None] = {}
    inside: list[int] = []
    for place, token in enumerate(tokens):
        if token.text in OPEN and token.kind in ("command", token.text):
            inside.append(place)
        elif token.text in CLOSE and token.kind in ("command", token.text) and inside:
            opened = inside.pop()
            partner[opened], partner[place] = place, opened
        elif token.kind in ("relation", "row") and inside and tokens[inside[-1]].kind == "{":
            holding[inside[-1]] = None
            # A frame around a frame holds the equation too.
            for outer in inside[::-1][1:]:
                if tokens[outer].kind != "{":
                    break
                holding[outer] = None
    return partner, [place for place in holding if place in partner]


def round_signs(tokens: list[Token]) -> list[Token]:
    r"""Read ``\text{o}`` between factors as the sign of the entrywise product, a small circle."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        texts = [token.text for token in tokens[place : place + 4]]
        if texts[0] in UPRIGHT_TEXT and texts[1:] == ["{", "o", "}"] and found:
            span = (tokens[place].span[0], tokens[place + 3].span[1])
            found.append(Token("operator", r"\circ", span))
            place += 4
            continue
        found.append(tokens[place])
        place += 1
    return found


UPRIGHT_TEXT = (r"\text", r"\mathrm", r"\textrm")


def double_bars(tokens: list[Token]) -> list[Token]:
    r"""Read two bars in a row as the one sign ``\|`` of a norm, where such pairs come in pairs."""
    starts = [
        place
        for place, (one, other) in enumerate(zip(tokens, tokens[1:]))
        if one.text == other.text == "|" and one.span[1] == other.span[0]
    ]
    if not starts or len(starts) % 2 or any(b - a == 1 for a, b in zip(starts, starts[1:])):
        return tokens
    joined = {
        s: Token("command", r"\|", (tokens[s].span[0], tokens[s + 1].span[1])) for s in starts
    }
    return [
        joined.get(place, token) for place, token in enumerate(tokens) if place - 1 not in joined
    ]

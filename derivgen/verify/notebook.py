"""What verifying has learnt from a text so far, which every later formula is judged with."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from derivgen.verify.context import Reading
from derivgen.verify.messages import message


@dataclass
class Notebook:
    """What verifying has learnt from a text so far, and in which language it speaks."""

    lang: str = "en"
    reading: Reading = field(default_factory=Reading)
    step_values: dict[str, Any] = field(default_factory=dict)
    printed: dict[Fraction, Any] = field(default_factory=dict)  # see `derivgen.verify.numbers`
    explain: bool = True  # look for the edit that mends a wrong member

    def say(self, key: str, **values: object) -> str:
        return message(key, self.lang, **values)

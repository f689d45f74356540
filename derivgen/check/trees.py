"""The forms a point may have, and a gradient in the form of its point.

A point is an array, a number, or a dictionary, list, tuple or named tuple of points. Its arrays
get the names by which a person reaches them: ``W``, ``layer1.W``, ``layers[0].b``, ``x0``.
Invariant: a function sees its point in the form it was given in, with copies of the arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from derivgen.check.messages import problem

DEEPEST = 32  # parts within parts


@dataclass(frozen=True)
class Leaf:
    """One array; ``is_number`` if it was given as a plain number."""

    name: str
    is_number: bool = False

    def build(self, arrays: Mapping[str, Any]) -> Any:
        """Return the array of this name."""
        return arrays[self.name][()] if self.is_number else arrays[self.name]


@dataclass(frozen=True)
class Parts:
    """Forms by key; ``make`` puts the parts together as they were, a list of pairs given."""

    keys: tuple[Any, ...]
    forms: tuple[Form, ...]
    make: Callable[[Sequence[tuple[Any, Any]]], Any]
    is_table: bool = False
    may_spread: bool = False

    def build(self, arrays: Mapping[str, Any]) -> Any:
        """Return the point itself, with these arrays."""
        return self.make([(k, form.build(arrays)) for k, form in zip(self.keys, self.forms)])


Form = Leaf | Parts


def read_point(
    x: Any, function: Callable[..., Any], names: Sequence[str] | None = None
) -> tuple[dict[str, Any], Form]:
    """Return the arrays of a point by name, and its form.

    ``function`` tells whether a list of numbers is an array or one argument each.
    Raises: DataError, for what is no number anywhere.
    """
    arrays: dict[str, Any] = {}
    apart = isinstance(x, (list, tuple)) and (names is not None and len(names) == len(x) > 1)
    if isinstance(x, (list, tuple)) and _plain(x) and (apart or _takes_only(function, len(x))):
        return arrays, _sequence(x, "", arrays, names)
    return arrays, _read(x, "", arrays, names)


def _read(x: Any, name: str, arrays: dict[str, Any], names: Sequence[str] | None = None) -> Form:
    if name.count(".") + name.count("[") > DEEPEST:
        raise problem(name[:40], "deep", "flatten")
    if isinstance(x, Mapping):
        keys = tuple(x)
        forms = tuple(_read(x[k], f"{name}.{k}" if name else str(k), arrays) for k in keys)
        return Parts(keys, forms, dict, is_table=True)
    if isinstance(x, (list, tuple)) and not _plain(x):
        return _sequence(x, name, arrays, names)
    label = name or (names[0] if names else "x")
    if label in arrays:
        raise problem(label, "twice", "rename")
    arrays[label] = numbers(label, x)
    return Leaf(label, isinstance(x, (int, float, np.generic)))


def _sequence(
    x: Sequence[Any], name: str, arrays: dict[str, Any], names: Sequence[str] | None
) -> Parts:
    fields = getattr(x, "_fields", None)
    count = len(x)
    if fields:
        labels = [f"{name}.{field}" if name else field for field in fields]
    elif name:
        labels = [f"{name}[{k}]" for k in range(count)]
    else:
        labels = list(names) if names else [f"x{k}" for k in range(count)]
    if len(labels) != count:
        raise problem("names", "names", names=len(labels), count=count)
    forms = tuple(_read(part, label, arrays) for part, label in zip(x, labels))
    kind: Any = type(x)

    def make(pairs: Sequence[tuple[Any, Any]]) -> Any:
        values = [value for _, value in pairs]
        return kind(*values) if fields else kind(values)

    spread = not name and not fields
    return Parts(tuple(fields or range(count)), forms, make, bool(fields), spread)


def _plain(x: Any) -> bool:
    """Tell whether nested lists are one array: numbers only, and as many in every row."""
    if any(not isinstance(p, (list, tuple)) and np.ndim(_safe(p)) for p in x):
        return False
    if any(isinstance(p, (Mapping, str)) or hasattr(p, "_fields") for p in x):
        return False
    rows = [p for p in x if isinstance(p, (list, tuple))]
    if len(rows) not in (0, len(x)):
        return False
    return all(map(_plain, rows)) and len({_shape(row) for row in rows}) <= 1


def _safe(part: Any) -> Any:
    return part if hasattr(part, "ndim") or isinstance(part, (int, float)) else 0


def _shape(row: Any) -> tuple[int, ...]:
    if not isinstance(row, (list, tuple)):
        return ()
    return (len(row), *(_shape(row[0]) if row else ()))


def numbers(name: str, values: Any) -> Any:
    """Return an array of doubles. Raises: DataError, for anything that is none."""
    try:
        found = np.array(values)
    except ValueError as reason:
        raise problem(name, "ragged") from reason
    except (TypeError, RuntimeError) as reason:  # an array of another library that refuses
        raise problem(name, "no-numbers", reason=str(reason).rstrip(".")) from reason
    if np.iscomplexobj(found):
        raise problem(name, "complex", "real")
    if found.dtype == object and any(part is None for part in found.flat):
        raise problem(name, "holds-none")
    try:
        return found.astype(np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError) as reason:
        raise problem(name, "no-numbers", reason=str(reason).rstrip(".")) from reason


# --- calling -------------------------------------------------------------------------------------


def call(function: Callable[..., Any], form: Form, arrays: Mapping[str, Any]) -> Any:
    """Call a function at a point; a list goes in part by part, unless it takes one argument."""
    built = form.build(arrays)
    if isinstance(form, Parts) and form.may_spread and not _takes_one(function, len(form.keys)):
        return function(*built)
    return function(built)


def _takes_only(function: Callable[..., Any], count: int) -> bool:
    return count > 1 and _binds(function, count) is True and _binds(function, 1) is False


def _takes_one(function: Callable[..., Any], count: int) -> bool:
    """Tell whether a list of ``count`` parts is meant to be the one argument."""
    if count == 1 or _binds(function, 1) is not True:
        return False
    return _binds(function, count) is False or _required(function) == 1


def _required(function: Callable[..., Any]) -> int:
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(function).parameters.values()
    return sum(p.kind in plain and p.default is p.empty for p in found)


def _binds(function: Callable[..., Any], count: int) -> bool | None:
    """Tell whether a function takes so many arguments; ``None`` where nothing says it."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False if callable(function) else None
    except ValueError:
        return None
    return True


# --- gradients -----------------------------------------------------------------------------------


def read_gradient(given: Any, form: Form, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a gradient by the names of the point, as they came.

    Raises: DataError, if a part is missing, ``None``, or of another shape.
    """
    found: dict[str, Any] = {}
    _match(given, form, arrays, found)
    return found


def _match(given: Any, form: Form, arrays: Mapping[str, Any], found: dict[str, Any]) -> None:
    if isinstance(form, Leaf):
        found[form.name] = _leaf(given, form.name, arrays[form.name])
        return
    for part, inner in zip(_parts(given, form), form.forms):
        _match(part, inner, arrays, found)


def _parts(given: Any, form: Parts) -> Sequence[Any]:
    if given is None:
        raise problem("grad", "none", "return")
    if isinstance(given, Mapping):
        return [_by_key(given, key, inner) for key, inner in zip(form.keys, form.forms)]
    if len(form.keys) == 1 and not isinstance(given, (list, tuple)):
        return [given]
    count = len(given) if isinstance(given, (list, tuple)) or np.ndim(_safe(given)) else 1
    if count != len(form.keys):
        raise problem("grad", "parts", count=count, wanted=len(form.keys))
    return list(given)


def _by_key(given: Mapping[Any, Any], key: Any, form: Form) -> Any:
    """Return a part of a gradient: ``W``, also called ``dW``."""
    names = (key, first_name(form), f"d{key}")
    for name in names:
        if name in given:
            return given[name]
    known = ", ".join(map(str, list(given)[:8]))
    raise problem(first_name(form), "no-part", "keys", name=first_name(form), keys=known or "-")


def first_name(form: Form) -> str:
    """Return the name of the first array of a form."""
    return form.name if isinstance(form, Leaf) else first_name(form.forms[0])


def _leaf(given: Any, name: str, array: Any) -> Any:
    if given is None:
        raise problem(name, "none", "return")
    if isinstance(given, Mapping):
        if name in given or len(given) == 1:
            return _leaf(given.get(name, next(iter(given.values()))), name, array)
        raise problem(name, "table", "alone", keys=", ".join(map(str, list(given)[:8])))
    if isinstance(given, tuple) and [np.shape(_safe(part)) for part in given] == [(), array.shape]:
        raise problem(name, "pair", "alone")
    found = numbers(name, given)
    if found.shape != array.shape:
        how, size = _advice(found.shape, array.shape), {"shape": found.shape, "wanted": array.shape}
        raise problem(name, "shape", how[0], name=name, **size, **how[1])
    return given if hasattr(given, "dtype") and hasattr(given, "shape") else found


def _advice(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """Return the key of what to do about a wrong shape, and its values."""
    if len(shape) > 1 and shape == wanted[::-1]:
        return "turned", {}
    for axis in range(len(shape)):
        if len(shape) == len(wanted) + 1 and shape[:axis] + shape[axis + 1 :] == wanted:
            return ("squeeze" if shape[axis] == 1 else "sum-axis"), {"axis": axis}
    if len(shape) == 2 and shape[0] == shape[1] and wanted in (shape[:1], (shape[0], 1)):
        return "broadcast", {"n": shape[0]}
    if int(np.prod(shape)) == int(np.prod(wanted)):
        return "reshape", {"to": wanted}
    return "every-entry", {}

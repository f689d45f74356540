"""The public names: a network and its derivation as objects, with everything one asks of them.

Each method calls one function of a lower room; nothing is decided here. Heavy imports happen where
they are used, so that the command line answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derivgen.errors import DataError, FileProblem, NameProblem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from derivgen.algebra.network import Network
    from derivgen.calculus.derivation import Derivation, Step
    from derivgen.check import Report
    from derivgen.language.builder import Builder
    from derivgen.verify import Report as Verdicts


# The comments of emitted code cite the notes' equations for networks of up to so many.
LONGEST_NUMBERED = 40


@dataclass(frozen=True)
class Net:
    """A network and what can be done with it; make one with `network` or `load`."""

    network: Network

    def derive(self, wrt: Sequence[str] | str | None = None, then: str | None = None) -> Derived:
        """Return the derivation of all gradients, or of those by ``wrt``.

        With ``then``, the gradient by ``wrt`` times a direction ``v`` is differentiated once more:
        the Hessian-vector product.
        """
        from derivgen.calculus.engine import derive, hessian_vector

        by = [wrt] if isinstance(wrt, str) else wrt
        if then is not None:
            return Derived(hessian_vector(self.network, _only(by), [then]))
        return Derived(derive(self.network, by))

    @cached_property
    def _derivation(self) -> Derivation:
        return self.derive().derivation

    @property
    def unknown_functions(self) -> tuple[str, ...]:
        """Return the names declared as unknown: with any, no program can be emitted."""
        return tuple(f.name for f in self.network.functions.values() if f.body is None)

    def emit_files(
        self,
        target: str = "numpy",
        dtype: str = "float32",
        predict_only: bool = False,
        dims: Mapping[str, int] | None = None,
    ) -> dict[str, str]:
        """Return the files of a trainer, or of a predictor, by name.

        ``dims`` gives or overrides sizes by their letters.
        """
        from derivgen.lowering import lower
        from derivgen.targets.emit import emit

        numbers = self._equation_numbers()
        return emit(lower(self._derivation, dims, numbers=numbers), target, dtype, predict_only)

    def _equation_numbers(self) -> dict[str, int]:
        """Return the notes' equation numbers, which emitted comments cite.

        Laying out the notes costs more than emitting; of a deep network nobody reads them.
        """
        if len(self.network.equations) > LONGEST_NUMBERED:
            return {}
        from derivgen.notes.render import equation_numbers

        return equation_numbers(self._derivation)

    def emit(
        self, target: str = "numpy", dtype: str = "float32", predict_only: bool = False
    ) -> str:
        """Return the source of a trainer, or of a predictor, which is one file."""
        return "".join(self.emit_files(target, dtype, predict_only).values())

    def value_and_gradients(
        self, values: Mapping[str, Any] | None = None
    ) -> tuple[float, dict[str, NDArray[Any]]]:
        """Return the loss and its gradients at ``{"dims": .., "params": .., "inputs": ..}``.

        Without values those of the network's text serve. A leading axis of samples means the mean.
        """
        from derivgen.interpret import value_and_gradients
        from derivgen.values import read_values

        return value_and_gradients(self._derivation, read_values(self.network, values))

    def evaluate(
        self, values: Any = None, wrt: Sequence[str] | None = None, hvp: bool = False
    ) -> dict[str, Any]:
        """Return ``{"loss": x, "gradients": {NAME: nested lists}}``, with ``hvp`` also that.

        ``hvp`` is the Hessian times the directions, by parameter, under ``"directions"`` in
        ``values``; a parameter without one has direction 0.
        """
        from derivgen.interpret import value_and_gradients
        from derivgen.values import read_values

        derivation = self.derive(wrt).derivation if wrt else self._derivation
        plain = _directions(values)[0] if hvp else values
        loss, gradients = value_and_gradients(derivation, read_values(self.network, plain))
        result = {"loss": float(loss), "gradients": _nested(gradients)}
        if hvp:
            result["hvp"] = self._hessian_vector(values, wrt)
        return result

    def _hessian_vector(self, values: Any, wrt: Sequence[str] | None) -> dict[str, Any]:
        """Return ``sum_W d/dV (dE/dW . v_W)`` for each V of ``wrt``, over the directions given."""
        from derivgen.calculus.engine import hessian_vector
        from derivgen.interpret import value_and_gradients
        from derivgen.values import read_values

        plain, directions = _directions(values)
        total: dict[str, Any] = {}
        for name, direction in directions.items():
            second = hessian_vector(self.network, name, wrt)
            inputs = {**plain.get("inputs", {}), f"v_{name}": direction}
            point = read_values(second.network, {**plain, "inputs": inputs})
            for by, part in value_and_gradients(second, point)[1].items():
                total[by] = total.get(by, 0) + part
        return _nested(total)

    def check(self, seed: int = 0, dims: Mapping[str, int] | None = None) -> Report:
        """Compare every gradient with finite differences; the report has a ``verdict``.

        ``dims`` gives or overrides sizes by their letters.
        """
        from derivgen.check import check

        given = dims or {}
        sizes = {dim: given[dim.name] for dim in self.network.dims if dim.name in given}
        return check(self.network, seed, sizes or None)

    def verify(self, note: str, lang: str = "en") -> Verdicts:
        """Judge the formulas of a hand-written note, line by line."""
        from derivgen.verify import verify_text

        return verify_text(note, self.network, lang=lang)

    def __str__(self) -> str:
        return self.network.text

    def _repr_markdown_(self) -> str:
        return self.derive()._repr_markdown_()

    def _repr_latex_(self) -> str:
        return self.derive()._repr_latex_()

    def _repr_html_(self) -> str:
        return self.derive()._repr_html_()


@dataclass(frozen=True)
class Derived:
    """A derivation as a person reads it."""

    derivation: Derivation

    def step(self, quantity: str) -> Step:
        """Return how the gradient by ``quantity``, such as ``W``, came about."""
        return self.derivation.step(quantity)

    def to(self, form: str = "text", **options: Any) -> str:
        """Return the notes as text, latex, markdown, html, ...; options as `notes.render`."""
        from derivgen.notes import render

        return render(self.derivation, form, **options)

    def latex(self, **options: Any) -> str:
        """Return the notes as a LaTeX article."""
        return self.to("latex", **options)

    def markdown(self, **options: Any) -> str:
        """Return the notes as Markdown."""
        return self.to("markdown", **options)

    def __str__(self) -> str:
        return self.to("text")

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_latex_(self) -> str:
        return self.latex(fragment=True)

    def _repr_html_(self) -> str:
        return self.to("html", fragment=True)


def _only(names: Sequence[str] | None) -> str:
    if names is None or len(names) != 1:
        raise NameProblem(
            ", ".join(names or ()),
            "A second derivative starts from one tensor.",
            "Name one by wrt.",
        )
    return names[0]


def _nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array.tolist() for name, array in arrays.items()}


def _directions(values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split values from the directions among them."""
    rest = dict(values) if isinstance(values, dict) else {}
    directions = rest.pop("directions", None)
    if not isinstance(directions, dict) or not directions:
        raise DataError(
            "directions",
            "There is no direction to multiply the Hessian with.",
            'Give values with "directions": {"NAME": nested lists in the shape of NAME}.',
        )
    return rest, directions


def network(text: str | Builder) -> Net:
    """Return the network that a text, or what was built in Python, describes.

    Raises: DerivgenError, saying where the text is wrong and what to write.
    """
    from derivgen.language import parse

    return Net(parse(text) if isinstance(text, str) else text.network())


def load(name: str) -> Net:
    """Return the network in a ``.dg`` file, or the shipped one of that name."""
    from derivgen import gallery
    from derivgen.language import parse

    if (entry := gallery.entry(name)) and not Path(name).is_file():
        return Net(parse(entry.text, f"{name}.dg"))
    try:
        return Net(parse(Path(name).read_text(encoding="utf-8"), name))
    except OSError as problem:
        raise FileProblem(name, f"It cannot be read: {problem.strerror}.") from problem

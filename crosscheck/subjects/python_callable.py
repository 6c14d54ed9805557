"""A user's function as a subject: called once a point on fresh copies, and held to the contract."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case, Point
from crosscheck.spec.dtypes import is_floating
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.op import Shape
from crosscheck.spec.ops import OPS
from crosscheck.spec.result import Array, Gradients
from crosscheck.subjects.contract import PointAnswer, checked_loss, checked_point, entry, place_of, readable_point

Function = Callable[[Architecture, Point], object]
# An exception's text is foreign and may hold whole arrays; a message shows so much of it.
LONGEST_TEXT = 300
UNTOUCHED = "what a subject is given stays as it is"
SAME = "the same question has the same answer, bit for bit"
ALL_OR_NONE = "give it at every point or at none"
INSTALLED = ("site-packages", "dist-packages")


class PythonCallable:
    """`fn(architecture, point) -> (loss, dict)` or `Gradients` of one point, without a leading axis.

    Each point is one call with fresh writable copies, compared bytewise afterwards; the first point is asked
    twice, and the two answers must be the same bits (any NaN is like any other). NumPy's floating-point
    warnings are silenced while the function runs. `supports` names the ops it claims; by default all. Where the
    function has an attribute `weighs` that is true, it is asked for losses with weights of the samples and
    penalties too.
    """

    def __init__(self, fn: Function, name: str | None = None, supports: Iterable[str] | None = None) -> None:
        self.fn = fn
        self.name: str = name or str(getattr(fn, "__name__", type(fn).__name__))
        self.supports = frozenset(OPS if supports is None else supports)
        self.error_model: Literal["torch", "jax"] | None = None
        self.asks_twice = True
        self.weighs = bool(getattr(fn, "weighs", False))

    def gradients(self, case: Case) -> Gradients:
        """Its loss (P,) in float64 and its gradients (P, *shape) in the case's dtype; raises ContractBroken."""
        answers = [self._ask(case, index) for index in range(case.n_points)]
        _check_same(answers[0], self._ask(case, 0), case)
        _check_same_inputs(answers)
        first = answers[0]
        return Gradients(
            loss=np.stack([a.loss for a in answers]),
            by_param={key: np.stack([a.params[key] for a in answers]) for key in first.params},
            by_input={name: np.stack([a.inputs[name] for a in answers]) for name in first.inputs},
        )

    def loss(self, case: Case) -> Array:
        """Its own loss at every point, (P,) float64, for differences of its own forward.

        Its gradients, and what becomes of the copies that it was given, are not looked at. Raises ContractBroken where
        it raises, or where there is no loss.
        """
        with np.errstate(all="ignore"):
            answers = [self._called(case.architecture, case.point(index), index) for index in range(case.n_points)]
        return np.stack([checked_loss(answer, index) for index, answer in enumerate(answers)])

    def answer(self, case: Case, point: int) -> Gradients:
        """What it answers at one point, (1, …): the gradients that it has, in whatever floating dtype.

        It is asked once, and what becomes of what it was given is not looked at. Raises ContractBroken where it
        raises, or where there is no loss, or a gradient that is no array of its tensor's shape.
        """
        with np.errstate(all="ignore"):
            answer = self._called(case.architecture, case.point(point), point)
        found = readable_point(answer, case, point)
        return Gradients(
            loss=np.array([found.loss]),
            by_param={key: array[np.newaxis] for key, array in found.params.items()},
            by_input={name: array[np.newaxis] for name, array in found.inputs.items()},
        )

    def node_gradients(self, case: Case) -> Gradients:
        """The same answers with ∂C/∂(a node's output) in `by_node`, of the nodes of which every answer has it.

        It has it where it returns a `Gradients` with `by_node`, an array of the node's shape for each. Raises
        ContractBroken as `gradients` does.
        """
        found, said = [], []
        for index in range(case.n_points):
            with np.errstate(all="ignore"):
                answer = self._called(case.architecture, case.point(index), index)
            found.append(checked_point(answer, case, index))
            said.append(_nodes(answer, case))
        shared = set.intersection(*(set(nodes) for nodes in said))
        return Gradients(
            loss=np.array([point.loss for point in found]),
            by_param={key: np.stack([point.params[key] for point in found]) for key in found[0].params},
            by_input={
                name: np.stack([point.inputs[name] for point in found])
                for name in found[0].inputs
                if all(name in point.inputs for point in found)
            },
            by_node={node: np.stack([nodes[node] for nodes in said]) for node in sorted(shared)},
        )

    def _ask(self, case: Case, index: int) -> PointAnswer:
        point = case.point(index)
        with np.errstate(all="ignore"):
            answer = self._called(case.architecture, point, index)
        _check_untouched(case, point, index)
        return checked_point(answer, case, index)

    def _called(self, architecture: Architecture, point: Point, index: int) -> object:
        # Foreign code may raise anything, and whatever it raises is a finding about it, not an error of ours;
        # SystemExit too, or a subject that exits with 0 would turn a run that verified nothing green.
        try:
            return self.fn(architecture, point)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            place = raised_at(error) or "in the call fn(architecture, point) itself"
            message = f"subject raised {told(error)} at point {index}, {place}"
            raise ContractBroken(message, rule="raised", point=index) from error


def _nodes(answer: object, case: Case) -> dict[int, Array]:
    """∂C/∂(a node's output) of one answer, of the nodes for which it has an array of the right shape."""
    if not isinstance(answer, Gradients):
        return {}
    shapes = dict(enumerate(case.architecture.node_shapes))
    return {
        node: np.array(array)
        for node, array in answer.by_node.items()
        if isinstance(array, np.ndarray) and is_floating(array.dtype) and array.shape == shapes.get(node)
    }


def told(error: BaseException) -> str:
    """Type and text of an exception in one line, cut where it is long; safe where its `__str__` raises."""
    if isinstance(error, SyntaxError):  # Python's own text of it draws the line of code, with a caret
        return f"{type(error).__name__}: {error.msg}"
    text = " ".join("".join(traceback.format_exception_only(error)).split())
    # A lone surrogate in it could be written nowhere.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def raised_at(error: BaseException) -> str:
    """`file:line (function)` of the innermost frame of the user's own code; empty where there is none.

    The user's own is what is neither installed nor Python's, and what stands in the first file that is not
    Python's: the one that was called. The outermost frame, our own call, is left out.
    """
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)[1:]
    called = next((f.filename for f in frames if not _is_pythons(f.filename)), None)
    own = [f for f in frames if f.filename == called or not _is_installed(f.filename)]
    return f"{_shown(own[-1].filename)}:{own[-1].lineno} ({own[-1].name})" if own else ""


def _is_pythons(filename: str) -> bool:
    """Part of Python: `<frozen importlib._bootstrap>` is, `<string>` and `<stdin>` are the user's."""
    path = Path(filename)
    return filename.startswith("<frozen") or (
        path.is_relative_to(sysconfig.get_path("stdlib")) and not any(part in INSTALLED for part in path.parts)
    )


def _is_installed(filename: str) -> bool:
    return _is_pythons(filename) or any(part in INSTALLED for part in Path(filename).parts)


def _shown(filename: str) -> str:
    """The path relative to the current directory where it lies below it."""
    path, here = Path(filename), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else filename


def _check_untouched(case: Case, point: Point, index: int) -> None:
    """The copies that were handed out still have the bytes of the case."""
    for group, given, asked in (("params", point.params, case.params), ("inputs", point.inputs, case.inputs)):
        if given.keys() != asked.keys():
            did = [f"added {k!r}" for k in given if k not in asked] + [
                f"removed {k!r}" for k in asked if k not in given
            ]
            message = f"subject changed point.{group} of point {index}: {' and '.join(did)}; {UNTOUCHED}"
            raise ContractBroken(message, rule="mutated", point=index)
        for key in asked:
            _check_same_bytes(key, asked[key][index], given[key], case.architecture, index)
    _check_same_bytes("targets", case.targets[index], point.targets, case.architecture, index)


def _check_same_bytes(key: str, before: Array, after: object, architecture: Architecture, index: int) -> None:
    place = place_of(key, architecture)
    if not isinstance(after, np.ndarray) or (after.shape, after.dtype) != (before.shape, before.dtype):
        kind = f"{after.dtype}{list(after.shape)}" if isinstance(after, np.ndarray) else type(after).__name__
        was = f"{before.dtype}{list(before.shape)}"
        message = f"subject changed {key}, {place}, of point {index} from {was} to {kind}; {UNTOUCHED}"
        raise ContractBroken(message, rule="mutated", point=index, tensor=key)
    changed = np.flatnonzero(_bytes(before) != _bytes(after))
    if changed.size:
        where = _unravelled(int(changed[0]), before.shape)
        message = (
            f"subject changed {entry(key, where)}, {place}, of point {index}: {before[where]!s} before the call, "
            f"{after[where]!s} after it; {UNTOUCHED}"
        )
        raise ContractBroken(message, rule="mutated", point=index, tensor=key)


def _bytes(array: Array) -> Array:
    """One opaque item for each entry, flat: -0.0 is not 0.0, and NaN equals itself."""
    return np.ascontiguousarray(array).reshape(-1).view(np.dtype(f"V{array.dtype.itemsize}"))


def _check_same(first: PointAnswer, second: PointAnswer, case: Case) -> None:
    """Asked the same twice, a subject answers the same bits."""
    for name in sorted(set(first.inputs) ^ set(second.inputs)):
        message = f"subject returned the gradient of {name} in one of two calls at point 0, not in the other; {SAME}"
        raise ContractBroken(message, rule="nondeterministic", point=0, tensor=name)
    again = dict(second.tensors())
    for name, one in first.tensors():
        _check_same_answer(name, one, again[name], f" of {place_of(name, case.architecture)}")
    _check_same_answer(None, np.asarray(first.loss), np.asarray(second.loss), "")


def _check_same_answer(name: str | None, one: Array, other: Array, place: str) -> None:
    both_nan = np.isnan(one) & np.isnan(other)
    differ = (_bytes(one) != _bytes(other)) & ~both_nan.reshape(-1)
    if differ.any():
        where = _unravelled(int(np.flatnonzero(differ)[0]), one.shape)
        what = f"{entry(name or 'the loss', where)}{place}"
        message = f"subject returned {what} as {one[where]!s} and then as {other[where]!s} at point 0; {SAME}"
        raise ContractBroken(message, rule="nondeterministic", point=0, tensor=name)


def _check_same_inputs(answers: list[PointAnswer]) -> None:
    """The gradient of an input is given at every point, or at none."""
    for index, answer in enumerate(answers):
        for name in sorted(set(answer.inputs) ^ set(answers[0].inputs)):
            here, there = (0, index) if name in answers[0].inputs else (index, 0)
            message = f"subject returned the gradient of {name} at point {here} but not at point {there}; {ALL_OR_NONE}"
            raise ContractBroken(message, rule="keys", point=there, tensor=name)


def _unravelled(flat: int, shape: Shape) -> Shape:
    return tuple(int(k) for k in np.unravel_index(flat, shape)) if shape else ()

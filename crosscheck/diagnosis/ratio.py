"""A constant ratio between the claimed and the true gradient, and which quantity of the case it equals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from crosscheck.diagnosis.quantities import Quantities, of_a_node, of_the_loss, quantities
from crosscheck.judge.compare import Status
from crosscheck.judge.forward import LARGEST_DENOMINATOR, in_words
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.digits import apart
from crosscheck.spec.result import Floats

# What people multiply by has few digits, fewest first: 0.01, 0.9, 1e-3; 1.000001 is seven.
DIGITS = range(6, 11)
# What is longer is no number that anybody wrote.
MOST_LETTERS = 12
# Measured factors that differ by less, relatively, are one: each is known as well as the gradients are.
SAME = 1e-9
# An entry so many bounds from zero says what a factor is.
CLEAR = 1e3


def simple(ratio: float) -> float:
    """The simple fraction that a measured ratio is, to six digits; the short number where there is none. Never 1."""
    near = float(Fraction(ratio).limit_denominator(LARGEST_DENOMINATOR))
    return near if near != 1.0 and abs(near - ratio) <= 1e-6 * abs(ratio) else short(ratio)


def is_fraction(ratio: float) -> bool:
    """Whether it is a whole number or a simple fraction."""
    return float(Fraction(ratio).limit_denominator(LARGEST_DENOMINATOR)) == ratio


def short(ratio: float) -> float:
    """The number of few digits that is as near as a measurement comes; itself where there is none. Never 1."""
    tried = (float(f"{ratio:.{digits}g}") for digits in DIGITS)
    return next((near for near in tried if near != 1.0 and abs(near - ratio) <= SAME * abs(ratio)), ratio)


def constant_ratio(judgement: Judgement) -> float | None:
    """The factor c with claimed = c · reference in every decided entry of every wrong tensor; None if there is none.

    The reference of a tensor is the first witness against the subject.
    """
    compared = []
    for tensor in judgement.tensors.values():
        if not tensor.count(Status.DISAGREE):
            continue
        name = next(w for w, hit in tensor.against.items() if hit.any())
        s, r = tensor.values["subject"].astype(np.float64), tensor.values[name].astype(np.float64)
        bound = tensor.own_bounds["subject"] + tensor.own_bounds[name]
        asked = np.isfinite(bound)
        compared.append((s[asked], r[asked], bound[asked]))
    return common(compared)


def common(compared: Sequence[tuple[Floats, Floats, Floats]]) -> float | None:
    """The c with s = c · r in all of these (s, r, bound), arrays of one shape each; None if there is none.

    Checked within the bounds, so that it is a statement about the gradient and not about rounding. Only
    entries far above their bound say what c is.
    """
    s, r, bound = (np.concatenate([np.zeros(0), *(np.ravel(part[k]) for part in compared)]) for k in range(3))
    clear = np.abs(r) > CLEAR * bound
    if not clear.any() or not np.isfinite(s).all():
        return None
    measured = float(np.median(s[clear] / r[clear]))
    for c in (simple(measured), short(measured), measured):
        if (np.abs(s - c * r) <= max(abs(c), 1.0) * bound).all():
            return c
    return None


def named(ratio: float, architecture: Architecture) -> frozenset[str]:
    """The quantities of this network that equal the ratio, to the last few digits; none where it is all but 1."""
    if abs(ratio - 1.0) <= SAME:
        return frozenset()
    return _equal(ratio, quantities(architecture))


def of_a_loss(ratio: float, architecture: Architecture) -> frozenset[str]:
    """The same of a loss that is `ratio` times the one asked for, with what it may leave out of that."""
    return named(ratio, architecture) | _equal(ratio, of_the_loss(architecture))


def _equal(ratio: float, found: Quantities) -> frozenset[str]:
    return frozenset(name for name, value in found.items() if abs(value - ratio) <= SAME * abs(ratio))


def differ(ratios: Iterable[float]) -> bool:
    """Whether these measured factors are not all one."""
    first, *rest = ratios
    return any(abs(ratio - first) > SAME * abs(first) for ratio in rest)


# How a sentence about a factor begins.
SENTENCES = ("the gradient is the true one times", "constant ratio")


def sentence(ratio: float | None, shared: Iterable[str], cases: int, ratios_differ: bool) -> str | None:
    """The diagnosis in words; `shared` are the quantities that equal the ratio in all of the cases.

    A ratio that is the same in all of them may equal a quantity by chance: only one that changes with it is it.
    """
    names = sorted(shared, key=lambda n: (of_a_node(n), "1 /" in n, "elements" in n, "scale" in n, n))
    if names and ratios_differ:
        shown = f" ({said(ratio)} in the smallest)" if ratio is not None else ""
        return f"the gradient is the true one times {names[0]}{shown}, in all {cases} cases"
    if ratio is not None and not ratios_differ:
        equal = f", which here is also {names[0]}" if names else ""
        return f"constant ratio: the gradient is {said(ratio)} × the true one{equal}"
    return None


def said(ratio: float) -> str:
    """A factor that was measured, with no more digits than it is known to, and enough to be told from 1."""
    words = in_words(ratio)
    return words if len(words) <= MOST_LETTERS else f"{ratio:.{max(DIGITS[-1], apart((ratio, 1.0)))}g}"


# What a loss that is divided by one of these is called in the text notation.
REDUCTIONS = {
    "1 / the batch size": "batch_mean",
    "1 / the number of output elements": "mean",
    "1 / the number of samples": "mean",
}


# What a loss leaves out, simplest first, and what to ask for instead.
LEFT_OUT = {
    "without its scale": "{'scale': 1.0}",
    "without its reduction": "{'reduction': 'sum'}",
    "without its scale and reduction": "{'scale': 1.0, 'reduction': 'sum'}",
}


def loss_sentence(op: str, ratios: Sequence[float], shared: Iterable[str], reduction: object) -> str | None:
    """What the constant factors of the loss, one a case, have in common; None where a single one says it all.

    A factor that changes from case to case is no scale: it follows the batch or the number of elements.
    """
    if len(set(ratios)) < 2:
        return None
    without = next((words for words in LEFT_OUT if words in shared), None)
    if without is not None:
        return (
            f"your loss is {op} {without}: apply architecture.loss.attributes, or ask in Python for "
            f"({op!r}, {LEFT_OUT[without]})"
        )
    names = sorted(shared, key=lambda n: ("elements" in n, "outputs" in n, n))
    if not names:
        return f"your loss is {op} times a factor that changes from network to network"
    known = REDUCTIONS.get(names[0])
    if known and op == "softmax_cross_entropy":
        known = "mean"
    advice = f": write {op}(reduction={known})" if known and reduction == "sum" else ""
    return f"your loss is {op} times {names[0]}{advice}"

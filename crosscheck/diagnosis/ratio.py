"""A constant ratio between the claimed and the true gradient, and which quantity of the case it equals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from crosscheck.judge.compare import Status
from crosscheck.judge.forward import in_words
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.result import Floats

# Named before plain numbers: what is a property of the case explains more than a 2 that happens to equal it.
Quantities = dict[str, float]


def quantities(architecture: Architecture) -> Quantities:
    """The quantities of a network that a forgotten or doubled factor may equal."""
    shape = architecture.shape_of(architecture.loss.inputs[0])
    found: Quantities = {}
    if shape:
        found["the number of outputs"] = float(shape[-1])
    if len(shape) > 1:
        found["the batch size"] = float(shape[0])
        found["the number of output elements"] = float(np.prod(shape))
    found |= {f"1 / {name}": 1.0 / value for name, value in list(found.items())}
    scale = float(architecture.loss.attributes["scale"])
    found["the loss's scale"] = scale
    if scale:
        found["1 / the loss's scale"] = 1.0 / scale
    return found


def constant_ratio(judgement: Judgement) -> float | None:
    """The factor c with claimed = c · reference in every decided entry of every wrong tensor; None if there is none.

    Checked within the bounds of both, so that it is a statement about the gradient and not about rounding.
    """
    factors: list[Floats] = []
    checks = []
    for tensor in judgement.tensors.values():
        if not tensor.count(Status.DISAGREE):
            continue
        name = next((w for w in tensor.values if w != "subject" and np.isfinite(tensor.own_bounds[w]).any()), None)
        if name is None:
            return None
        s, r = tensor.values["subject"].astype(np.float64), tensor.values[name].astype(np.float64)
        bound_s, bound_r = tensor.own_bounds["subject"], tensor.own_bounds[name]
        asked = np.isfinite(bound_s + bound_r)
        clear = asked & (np.abs(r) > 1e3 * (bound_r + bound_s))
        factors.append(s[clear] / r[clear])
        checks.append((s[asked], r[asked], bound_s[asked], bound_r[asked]))
    ratios = np.concatenate(factors) if factors else np.zeros(0)
    if not ratios.size or not np.isfinite(ratios).all():
        return None
    c = float(np.median(ratios))
    # A simple number within the last digits of the median is the number that is meant.
    c = float(round(c)) if abs(c - round(c)) < 1e-6 and round(c) else c
    for s, r, bound_s, bound_r in checks:
        if not (np.abs(s - c * r) <= max(abs(c), 1.0) * (bound_s + bound_r)).all():
            return None
    return c


def named(ratio: float, architecture: Architecture) -> frozenset[str]:
    """The quantities of this network that equal the ratio, to the last few digits."""
    found = quantities(architecture)
    return frozenset(name for name, value in found.items() if abs(value - ratio) <= 1e-9 * abs(ratio))


def sentence(ratio: float | None, shared: Iterable[str], cases: int, ratios_differ: bool) -> str | None:
    """The diagnosis in words; `shared` are the quantities that equal the ratio in all of the cases."""
    names = sorted(shared, key=lambda n: ("1 /" in n, "elements" in n, "scale" in n, n))
    if names:
        where = f"in all {cases} cases" if cases > 1 else "here"
        shown = f" ({in_words(ratio)} in the smallest)" if ratio is not None else ""
        return f"the gradient is the true one times {names[0]}{shown}, {where}"
    if ratio is not None and not ratios_differ:
        return f"constant ratio: the gradient is {in_words(ratio)} × the true one"
    return None

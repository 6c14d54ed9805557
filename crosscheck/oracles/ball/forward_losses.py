"""The losses of forward mode: each term of one point as a series, from its definition alone.

A term is `row(xs, y, own)`: the outputs and the target of one element, or, of `SAMPLES`, lists of those of one sample.
On a kink the derivative is that of one side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from flint import arb, arb_series

from crosscheck.oracles.ball.branches import Series
from crosscheck.oracles.ball.forward_series import Values, total
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.op import Attributes


def _number(value: Any) -> Any:
    return arb(float(value))


def _absolute(d: Series) -> Series:
    return d if d[0].mid() > 0 else -d


def _positive(d: Series) -> Series:
    return d if d[0].mid() > 0 else 0 * d


def _huber(d: Series, own: Attributes) -> Series:
    size, delta = _absolute(d), arb(own["delta"])
    return size * size / 2 if size[0].mid() < delta else size * delta - delta * delta / 2


def _bce_with_logits(z: Series, y: Any) -> Series:
    return _positive(z) - z * y + (1 + (-_absolute(z)).exp()).log()


def _times_log(y: Any, a: Series) -> Series:
    return 0 * a if y.is_zero() else y * a.log()


def _kl_div(a: Series, y: Any, own: Attributes) -> Series:
    if own["log_target"]:
        return y.exp() * y - y.exp() * a
    return (arb(0) if y.is_zero() else y * y.log()) - y * a


def _poisson(a: Series, y: Any, own: Attributes) -> Series:
    return a.exp() - y * a if own["log_input"] else a - y * (a + arb(own["eps"])).log()


def _gaussian(mean: Series, var: Series, y: Any, own: Attributes) -> Series:
    eps = arb(own["eps"])
    v = var if var[0].mid() > eps else 0 * var + eps
    return (v.log() + (mean - y) * (mean - y) / v) / 2


def _focal(z: Series, y: Any, own: Attributes) -> Series:
    """p_t^… by definition: with e = exp(-|z|) each probability is 1/(1 + e) or e/(1 + e)."""
    e = (-_absolute(z)).exp()
    large, small = 1 / (1 + e), e / (1 + e)
    p, rest = (large, small) if z[0].mid() > 0 else (small, large)
    missed, alpha = p * (1 - y) + rest * y, arb(own["alpha"])
    factor = (arb(own["gamma"]) * missed.log()).exp()
    return (1 if alpha < 0 else alpha * y + (1 - alpha) * (1 - y)) * factor * _bce_with_logits(z, y)


def _log_softmax(z: Sequence[Series]) -> list[Series]:
    middle = max(item[0].mid() for item in z)
    log = total((item - middle).exp() for item in z).log()
    return [item - middle - log for item in z]


def _cross_entropy(z: Sequence[Series], y: Any, own: Attributes) -> Series:
    logs, smoothing = _log_softmax(z), arb(own["label_smoothing"])
    hot = own["targets"] == "classes"
    wanted = [arb(int(c == int(y))) for c in range(len(logs))] if hot else [_number(v) for v in y]
    return total(-log * ((1 - smoothing) * v + smoothing / len(logs)) for log, v in zip(logs, wanted, strict=True))


def _norm(z: Sequence[Series]) -> Series | None:
    """None of zeros, of which there is no root."""
    square = total(item * item for item in z)
    return None if square[0].is_zero() else square.sqrt()


def _cosine(a: Sequence[Series], y: Any, own: Attributes) -> Series:
    eps, targets = arb(own["eps"]), [arb_series([_number(v)]) for v in y]
    found = total(p * q for p, q in zip(a, targets, strict=True))
    for vector in (a, targets):
        norm = _norm(vector)
        found = found / (eps if norm is None or norm[0].mid() < eps else norm)
    return 1 - found


def _triplet(a: Sequence[Series], p: Sequence[Series], n: Sequence[Series], own: Attributes) -> Series:
    eps = arb(own["eps"])
    near, far = (_norm([u - v + eps for u, v in zip(a, other, strict=True)]) for other in (p, n))
    zero = arb_series([0])
    return _positive((zero if near is None else near) - (zero if far is None else far) + arb(own["margin"]))


# fmt: off
ELEMENTS: dict[str, Callable[[Sequence[Series], Any, Attributes], Series]] = {
    "sse":             lambda x, y, _: (x[0] - y) * (x[0] - y),
    "mse":             lambda x, y, _: (x[0] - y) * (x[0] - y),
    "mae":             lambda x, y, _: _absolute(x[0] - y),
    "huber":           lambda x, y, own: _huber(x[0] - y, own),
    "bce_with_logits": lambda x, y, _: _bce_with_logits(x[0], y),
    "cotangent":       lambda x, y, _: x[0] * y,
    "bce":             lambda x, y, _: -_times_log(y, x[0]) - _times_log(1 - y, 1 - x[0]),
    "kl_div":          lambda x, y, own: _kl_div(x[0], y, own),
    "poisson_nll":     lambda x, y, own: _poisson(x[0], y, own),
    "gaussian_nll":    lambda x, y, own: _gaussian(x[0], x[1], y, own),
    "focal":           lambda x, y, own: _focal(x[0], y, own),
    "hinge":           lambda x, y, _: _positive(1 - x[0] * y),
}
SAMPLES: dict[str, Callable[[Sequence[Sequence[Series]], Any, Attributes], Series]] = {
    "softmax_cross_entropy": lambda x, y, own: _cross_entropy(x[0], y, own),
    "nll":                   lambda x, y, own: -x[0][int(y)],
    "cosine_similarity":     lambda x, y, own: _cosine(x[0], y, own),
    "triplet":               lambda x, y, own: _triplet(x[0], x[1], x[2], own),
}
# fmt: on


def loss(
    architecture: Architecture, xs: Sequence[Values], y: Any, weights: Any, params: Mapping[str, Values]
) -> Series:
    """The loss of one point: Σ terms, each as often as its sample weighs, over what the reduction divides by."""
    own = architecture.loss.attributes
    terms = {
        i: term for i in np.ndindex(*architecture.terms_shape) if (term := _term(architecture, xs, y, i)) is not None
    }
    each = {i: arb(1) if weights is None else _number(weights[i[0]]) for i in terms}
    rows = arb(xs[0].shape[0] if xs[0].ndim else 1) if weights is None else sum(map(_number, weights), arb(0))
    parts = {"sum": arb(1), "mean": sum(each.values(), arb(0)), "batch_mean": rows}[str(own["reduction"])]
    found = total(term * each[i] for i, term in terms.items())
    found = found * arb(own["scale"]) / (arb(1) if parts.is_zero() else parts)
    for key in architecture.penalised:
        for w in params[key].reshape(-1):
            found = found + arb(own["l1"]) * _absolute(w) + arb(own["l2"]) * w * w / 2
    return found


def _term(architecture: Architecture, xs: Sequence[Values], y: Any, index: tuple[int, ...]) -> Series | None:
    """One term; None where its class is ignored."""
    op, own = architecture.loss.op, architecture.loss.attributes
    if op in ELEMENTS:
        return ELEMENTS[op]([x[index] for x in xs], _number(y[index]), own)
    target = None if not y.size else y[index]
    if own.get("targets") == "classes" and int(y[index]) == own["ignore_index"]:
        return None
    return SAMPLES[op]([[x[(*index, k)] for k in range(x.shape[-1])] for x in xs], target, own)

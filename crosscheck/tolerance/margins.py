"""Textbook rows of the losses of a margin or a distance: see `losses`."""

from __future__ import annotations

import numpy as np

from crosscheck.backprop.rows import Array, Loss
from crosscheck.tolerance.noise import constant

TINY = np.finfo(np.float64).tiny


def _hinge_slope(a: Array, y: Array) -> Array:
    return np.where(y * a < 1.0, -y, 0.0 * y)


def _norm(z: Array) -> Array:
    return np.sqrt((z * z).sum(axis=-1, keepdims=True))


def _cosine_similarity(a: Array, y: Array, eps: float) -> Array:
    return 1.0 - (_over_norm(a, eps) * _over_norm(y, eps)).sum(axis=-1)


def _over_norm(z: Array, eps: float) -> Array:
    return z / np.maximum(_norm(z), constant(z, eps))


def _cosine_similarity_slope(a: Array, y: Array, eps: float) -> Array:
    """(a·y) a / (‖a‖³ ‖y‖) - y / (‖a‖ ‖y‖), two terms that are rounded each on its own."""
    norm, dot = _norm(a), (a * y).sum(axis=-1, keepdims=True)
    longer = norm > eps
    # By the comparison, not a maximum: a vector that cannot be told from 0 may be 0 to others, and is over eps then.
    na: Array = np.where(longer, norm, constant(a, eps))
    ny = np.maximum(_norm(y), constant(y, eps))
    return np.where(longer, dot / (na * na) * (a / (na * ny)), 0.0) - y / (na * ny)


def _apart(a: Array, b: Array, eps: float) -> tuple[Array, Array]:
    """a - b + eps, and its norm."""
    r = a - b + constant(a, eps)
    return r, _norm(r)


def _excess(near: Array, far: Array, margin: float) -> Array:
    return near - far + constant(near, margin)


def _triplet(a: Array, p: Array, n: Array, _y: Array, margin: float, eps: float) -> Array:
    (_, near), (_, far) = _apart(a, p, eps), _apart(a, n, eps)
    return np.maximum(_excess(near, far, margin), 0.0)[..., 0]


def _triplet_slope(a: Array, p: Array, n: Array, _y: Array, margin: float, eps: float) -> tuple[Array, Array, Array]:
    (r, near), (t, far) = _apart(a, p, eps), _apart(a, n, eps)
    u, w = (np.where(d > 0, x / np.maximum(d, TINY), 0.0 * x) for x, d in ((r, near), (t, far)))
    active = _excess(near, far, margin) > 0
    return np.where(active, u - w, 0.0), np.where(active, -u, 0.0), np.where(active, w, 0.0)


def _kinked(a: Array, p: Array, n: Array, _y: Array, margin: float, eps: float) -> Array:
    (_, near), (_, far) = _apart(a, p, eps), _apart(a, n, eps)
    excess = _excess(near, far, margin)
    return np.concatenate([np.broadcast_to(x, excess.shape) for x in (excess, near, far)], axis=-1)


# fmt: off
ROWS: dict[str, Loss] = {
    "hinge":             Loss(lambda a, y: np.maximum(1.0 - y * a, 0.0), _hinge_slope, kinked=lambda a, y: y * a),
    "cosine_similarity": Loss(_cosine_similarity, _cosine_similarity_slope, per_sample=True,
                              kinked=lambda a, y, eps: _norm(a)[..., 0]),
    "triplet":           Loss(_triplet, _triplet_slope, per_sample=True, kinked=_kinked),
}
# fmt: on

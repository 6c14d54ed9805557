"""Losses of a margin or a distance, and their derivatives by what the loss is given.

hinge              max(0, 1 - ya)                  -y where ya < 1, else 0
cosine_similarity  1 - â·ŷ                         -(ŷ - (â·ŷ) â)/‖a‖; where ‖a‖ < ε: -ŷ/ε
                   â = a/max(‖a‖, ε), ŷ likewise
triplet            max(0, ‖r‖ - ‖t‖ + margin)      where positive, with u = r/‖r‖ and w = t/‖t‖:
                   r = a - p + ε, t = a - n + ε    ∂/∂a = u - w, ∂/∂p = -u, ∂/∂n = w

∂â/∂a = (I - ââᵀ)/‖a‖ where ‖a‖ is above ε, so that the part of ŷ along â does not count. Where the vectors are nearly
parallel both 1 - â·ŷ and ŷ - (â·ŷ) â would lose their digits: with α = ‖â‖ and β = ‖ŷ‖, which are 1 unless ε is larger
than the norm,

    1 - â·ŷ = ½‖â - ŷ‖² + ½(1 - α²) + ½(1 - β²)     and     ŷ - (â·ŷ) â = (ŷ - â) + (1 - â·ŷ) â,

the second where |â·ŷ| > ½.

At a kink the derivative from below is taken; of a distance of 0 it is 0.
"""

from __future__ import annotations

import numpy as np

from crosscheck.backprop.rows import Array, Loss
from crosscheck.backprop.vectors import scaled


def hinge(a: Array, y: Array) -> Array:
    return np.maximum(1.0 - y * a, 0.0)


def hinge_slope(a: Array, y: Array) -> Array:
    return np.where(1.0 - y * a > 0, -y, 0.0)


def length(z: Array) -> Array:
    """‖z‖ on the last axis, which stays with size 1."""
    r, unit = scaled(z, -1)
    return unit * np.sqrt((r * r).sum(axis=-1, keepdims=True))


def direction(z: Array) -> Array:
    """z/‖z‖ on the last axis; of zeros 0."""
    r, _ = scaled(z, -1)
    return r / np.maximum(np.sqrt((r * r).sum(axis=-1, keepdims=True)), np.finfo(r.dtype).tiny)


def over_length(z: Array, eps: float) -> tuple[Array, Array]:
    """z/max(‖z‖, ε), and what its squared norm lacks of 1."""
    norm = length(z)
    divisor = np.maximum(norm, eps)
    size = norm / divisor
    return z / divisor, (1.0 - size) * (1.0 + size)


def apart(A: Array, Y: Array, lacking: Array) -> Array:
    """1 - â·ŷ, with an axis of size 1."""
    d = A - Y
    return 0.5 * (d * d).sum(axis=-1, keepdims=True) + 0.5 * lacking


def cosine_similarity(a: Array, y: Array, eps: float) -> Array:
    (A, short), (Y, too) = over_length(a, eps), over_length(y, eps)
    return apart(A, Y, short + too)[..., 0]


def cosine_similarity_slope(a: Array, y: Array, eps: float) -> Array:
    (A, short), (Y, too) = over_length(a, eps), over_length(y, eps)
    norm, cosine = length(a), (A * Y).sum(axis=-1, keepdims=True)
    # Nearly antiparallel vectors are nearly parallel to -a.
    B = np.where(cosine > 0, A, -A)
    across = np.where(abs(cosine) > 0.5, (Y - B) + apart(B, Y, short + too) * B, Y - cosine * A)
    return -np.where(norm > eps, across, Y) / np.maximum(norm, eps)


def differences(a: Array, p: Array, n: Array, eps: float) -> tuple[Array, Array]:
    return (a - p) + eps, (a - n) + eps


def beyond(a: Array, p: Array, n: Array, margin: float, eps: float) -> tuple[Array, Array, Array]:
    """‖r‖ - ‖t‖ + margin; ‖r‖ and ‖t‖."""
    near, far = (length(r)[..., 0] for r in differences(a, p, n, eps))
    return (near - far) + margin, near, far


def triplet(a: Array, p: Array, n: Array, _y: Array, margin: float, eps: float) -> Array:
    return np.maximum(beyond(a, p, n, margin, eps)[0], 0.0)


def triplet_slope(a: Array, p: Array, n: Array, _y: Array, margin: float, eps: float) -> tuple[Array, Array, Array]:
    u, w = map(direction, differences(a, p, n, eps))
    active = (beyond(a, p, n, margin, eps)[0] > 0)[..., np.newaxis]
    return np.where(active, u - w, 0.0), np.where(active, -u, 0.0), np.where(active, w, 0.0)


def kinks_of_triplet(a: Array, p: Array, n: Array, _y: Array, margin: float, eps: float) -> Array:
    parts = beyond(a, p, n, margin, eps)
    return np.stack([np.broadcast_to(part, parts[0].shape) for part in parts], axis=-1)


# fmt: off
ROWS: dict[str, Loss] = {
    "hinge": Loss(hinge, hinge_slope, kinked=lambda a, y: y * a),
    "cosine_similarity": Loss(cosine_similarity, cosine_similarity_slope, per_sample=True,
                              kinked=lambda a, y, eps: length(a)[..., 0], vectors=lambda a, y, eps: (a,)),
    "triplet": Loss(triplet, triplet_slope, per_sample=True, kinked=kinks_of_triplet,
                    vectors=lambda a, p, n, y, margin, eps: differences(a, p, n, eps)),
}
# fmt: on

"""How much a sum may lose to rounding, in any order of its terms: see `rounding`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sum_error(n: int, S: Floats, Q: Floats) -> Floats:
    """Amplitude, in units of u, of the error of a sum of n terms in any order."""
    coherent = max((n + 1) * (2 * n + 1) / (6 * n), n * n / 64)
    scatter = np.maximum(Q - np.square(S) / n, 0.0)
    error: Floats = np.sqrt(coherent * np.square(S) + (n + 1) / 6 * scatter)
    return error


def terms(data: Floats, axis: int, keepdims: bool) -> Floats:
    """Σ √|x|, by which sums are told apart that are equal: of 1 and 1 + 1e-20 only the roots differ in float64.

    Sums of the same terms round alike, others do not, although their results are the same.
    """
    total: Floats = np.sqrt(np.abs(data)).sum(axis=axis, keepdims=keepdims)
    return total

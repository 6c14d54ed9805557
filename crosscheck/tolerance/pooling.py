"""The rows of pools from which the spread is taken.

A mean is the product with 1/n, which is itself rounded. A maximum has no error; its winner is asked for among all of
a window at once, so that the samples part at ties for the first place alone, and take any of those that tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crosscheck.backprop import pooling
from crosscheck.backprop.rows import Array, Row
from crosscheck.tolerance.rounding import Rounded


def times_reciprocal(total: Array, count: Any) -> Array:
    counts = np.reshape(np.asarray(count, np.float64), (1,) * (total.ndim - np.ndim(count)) + np.shape(count))
    return total * (1.0 / Rounded(counts, total.rounding) if isinstance(total, Rounded) else 1.0 / counts)


def winners(seen: Sequence[Array], _padded: bool) -> list[Array]:
    place = np.argmax(np.stack(seen, axis=-1), axis=-1)
    return [place == k for k in range(len(seen))]


ROWS: dict[str, Row] = {
    "max_pool1d": pooling.largest(winners),
    "max_pool2d": pooling.largest(winners),
    "avg_pool1d": pooling.mean(times_reciprocal),
    "avg_pool2d": pooling.mean(times_reciprocal),
    "global_avg_pool": pooling.mean_of_all(times_reciprocal),
}

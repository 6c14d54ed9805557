"""What the layers and losses of the second computation share: a sum of series, and the form of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flint import arb_series

from crosscheck.oracles.ball.branches import Series
from crosscheck.spec.op import Attributes

Values = Any  # an object array of series; a series has a length, so NumPy must never look into one
Params = Mapping[str, Values]
Layer = Callable[[Sequence[Values], Params, Attributes], Values]


def total(items: Iterable[Series]) -> Series:
    return sum(items, start=arb_series([0]))


def whole(item: Series) -> int:
    """The integer, or flag, that a series without ε holds."""
    return int(float(item[0].mid()))

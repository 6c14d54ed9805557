"""The place of the largest of several rounding numbers: where that cannot be decided, the samples part ways.

As in `Rounding.compare`: a place is open whose distance from the largest is zero, or within the working multiple of its
own spread. Two samples at a time take the same one of the open places, so that what differs between them is
rounding alone; the first two pairs take the first and the last of them, the others any. The same numbers, asked
again in the same shape, part alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from crosscheck.tolerance.rounding import Floats, Rounding


@np.errstate(invalid="ignore", over="ignore")  # -inf stands around a padded input
def place_of_largest(rounding: Rounding, data: Floats, axis: int, multiple: float) -> NDArray[np.intp]:
    """The index along `axis` for each sample; the points at which it is open are noted as parted."""
    data = np.moveaxis(data, axis, -1)
    below = data - data.max(axis=-1, keepdims=True)
    centre = below.mean(axis=0)
    spread = np.sqrt(np.square(below - centre).mean(axis=0)) * rounding.format.scale
    tied = (below == 0) | np.isnan(below)
    may_be = (np.isfinite(centre) & (np.abs(centre) <= multiple * spread)) | tied.any(axis=0)
    open_ = np.count_nonzero(may_be, axis=-1) > 1
    own: NDArray[np.intp] = np.argmax(data, axis=-1)
    if not open_.any():
        return own
    rounding.parted |= open_.reshape((len(open_), -1)).any(axis=-1)
    return np.where(open_, _one_of(_choices(rounding, may_be, tied), _chances(rounding, open_.shape)), own)


def _choices(rounding: Rounding, may_be: NDArray[np.bool_], tied: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The places among which each sample chooses: in a coarse format half of the samples stay with their own."""
    samples = len(rounding.keys)
    if not rounding.format.coarse:
        return np.broadcast_to(may_be, (samples, *may_be.shape))
    pairs = np.arange(samples) // 2 * 2
    own = np.broadcast_to(tied, (samples, *may_be.shape))[pairs]
    return np.where((pairs < samples // 2).reshape((-1,) + (1,) * may_be.ndim), may_be, own)


def _one_of(choices: NDArray[np.bool_], chances: Floats) -> NDArray[np.intp]:
    """Of each sample's choices the one that its chance in [0, 1) picks."""
    nth = np.floor(chances * np.count_nonzero(choices, axis=-1)) + 1
    found: NDArray[np.intp] = np.argmax(np.cumsum(choices, axis=-1) == nth[..., np.newaxis], axis=-1)
    return found


def _chances(rounding: Rounding, shape: tuple[int, ...]) -> Floats:
    """In [0, 1), by sample and place within a network, not by point."""
    places = np.arange(np.prod(shape[1:], dtype=np.int64), dtype=np.float64).reshape((1, 1, *shape[1:])) + 0.25
    chances = 0.5 * rounding.xi(places) + 0.5
    first = 2 if len(chances) >= 4 else 1
    pairs = len(chances) // 2 * 2
    chances[1:pairs:2] = chances[:pairs:2]
    chances[:first], chances[first : 2 * first] = 0.0, np.nextafter(1.0, 0.0)
    return chances

"""NumPy's data movements that rules may use on a rounding array: they move numbers and compute none.

Each unwraps whatever rounding arrays it is given, also those in a list, and gives plain numbers back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

MOVEMENTS = frozenset(
    {
        np.broadcast_to,
        np.concatenate,
        np.expand_dims,
        np.flip,
        np.moveaxis,
        np.ones_like,
        np.pad,
        np.repeat,
        np.squeeze,
        np.stack,
        np.swapaxes,
        np.take,
        np.take_along_axis,
        np.tile,
        np.transpose,
        np.where,
        np.zeros_like,
        sliding_window_view,
    }
)


def moved(function: Any, args: Any, kwargs: Any) -> Any:
    """What the function makes of the plain numbers. Raises TypeError for one that is not on the list."""
    if function not in MOVEMENTS:
        raise TypeError(f"np.{function.__name__} is not on the rounding array's list of data movements")
    if function is np.pad and kwargs.get("mode", "constant") != "constant":
        raise TypeError("np.pad on the rounding array takes mode='constant' alone: the others compute")
    return function(*plain(args), **{name: plain(value) for name, value in kwargs.items()})


def plain(x: Any) -> Any:
    """The numbers of a rounding array, or of all those in a list or tuple; anything else as it is."""
    if isinstance(x, list | tuple):
        return type(x)(map(plain, x))
    return x.data if hasattr(x, "rounding") else x

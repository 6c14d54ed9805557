"""The dtypes of a case. NumPy brings all but bfloat16, which ml_dtypes adds to it once that is imported.

To NumPy bfloat16 is of kind 'V', like a record, and an .npy file cannot name it. So whether a dtype is one of
floating-point numbers, and how its numbers are stored, is asked here and nowhere else.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.errors import SpecError

DTYPES = ("float64", "float32", "float16", "bfloat16")
HALF = ("float16", "bfloat16")
# How a file holds the bits of a bfloat16.
BITS = np.dtype("<u2")


def dtype_named(name: str, place: str) -> np.dtype[Any]:
    """NumPy's dtype of that name; raises SpecError for any other, and where ml_dtypes is missing for bfloat16."""
    if name not in DTYPES:
        raise SpecError(f"{place}: dtype is {name!r}, must be one of {', '.join(DTYPES)}")
    return _bfloat16(place) if name == "bfloat16" else np.dtype(name)


def _bfloat16(place: str) -> np.dtype[Any]:
    try:
        found: np.dtype[Any] = np.dtype(importlib.import_module("ml_dtypes").bfloat16)
    except Exception as error:  # whatever a broken installation raises: a missing library, a version that does not fit
        raise SpecError(
            f"{place}: bfloat16 is no dtype of NumPy's own and needs the package ml_dtypes, which cannot be imported "
            f"here ({error}); install it with pip install 'crosscheck[half]'"
        ) from error
    return found


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether arrays of this dtype hold floating-point numbers."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def as_stored(array: NDArray[Any]) -> NDArray[Any]:
    """The array as a file holds it: itself, or the bits of bfloat16."""
    return array.view(BITS) if array.dtype.name == "bfloat16" else array


def as_read(array: NDArray[Any], dtype: str, place: str) -> NDArray[Any]:
    """Inverse of `as_stored` for a case of this dtype; no array of a case holds 16-bit integers of its own."""
    return array.view(dtype_named(dtype, place)) if dtype == "bfloat16" and array.dtype == BITS else array

"""Rows of a matrix taken by number, and added to by number: gather and scatter-add as an embedding has them.

Each point has a matrix (num, dim) and numbers of rows of its own. To take rows moves data; to add to them is XLA's to
do, on one kernel for each standard size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import lax
from numpy.typing import NDArray

Array = NDArray[Any]


def takes_rows(equation: Any, given: list[Array]) -> bool:
    """Whether this gather is (P, num, dim), (P, *shape, 1) → (P, *shape, dim)."""
    (operand, indices), params = given, equation.params
    asked = params["dimension_numbers"]
    return bool(
        operand.ndim == 3
        and _same(asked.operand_batching_dims, asked.start_indices_batching_dims, (0,))
        and _same(asked.collapsed_slice_dims, asked.start_index_map, (1,))
        and tuple(asked.offset_dims) == (indices.ndim - 1,)
        and tuple(params["slice_sizes"]) == (1, 1, operand.shape[2])
        and _in_range(indices, operand.shape[1])
    )


def adds_to_rows(equation: Any, given: list[Array]) -> bool:
    """Whether this scatter-add is (P, num, dim), (P, *shape, 1), (P, *shape, dim) → (P, num, dim)."""
    operand, indices, updates = given
    asked = equation.params["dimension_numbers"]
    return bool(
        operand.ndim == 3
        and _same(asked.operand_batching_dims, asked.scatter_indices_batching_dims, (0,))
        and _same(asked.inserted_window_dims, asked.scatter_dims_to_operand_dims, (1,))
        and tuple(asked.update_window_dims) == (indices.ndim - 1,)
        and updates.shape[-1] == operand.shape[2]
        and _in_range(indices, operand.shape[1])
    )


def rows(given: list[Array]) -> Array:
    """What a gather that takes rows gives."""
    operand, indices = given
    taken = np.take_along_axis(operand, indices.reshape(len(indices), -1, 1), axis=1)
    return taken.reshape((*indices.shape[:-1], operand.shape[2]))


def addition(
    equation: Any, given: list[Array], standard: Callable[[int], int]
) -> tuple[dict[str, Any], list[Array], Callable[[Array], Array]]:
    """A scatter-add to rows in standard sizes: other parameters, arrays, and the way back.

    What is put beside the updates is 0, added to row 0.
    """
    operand, indices, updates = given
    points, num, dim = operand.shape
    numbers, added = indices.reshape(points, -1, 1), updates.reshape(points, -1, dim)
    arrays = [_enlarged(array, standard) for array in (operand, numbers, added)]
    arrays[1] = arrays[1][..., :1]
    asked = lax.ScatterDimensionNumbers(
        update_window_dims=(2,),
        inserted_window_dims=(1,),
        scatter_dims_to_operand_dims=(1,),
        operand_batching_dims=(0,),
        scatter_indices_batching_dims=(0,),
    )

    def back(found: Array) -> Array:
        return found[:points, :num, :dim]

    return equation.params | {"dimension_numbers": asked}, arrays, back


def _same(one: Any, other: Any, wanted: tuple[int, ...]) -> bool:
    return tuple(one) == tuple(other) == wanted


def _in_range(indices: Array, num: int) -> bool:
    """What lies outside is dropped or filled by rules of its own."""
    return bool(((indices >= 0) & (indices < num)).all())


def _enlarged(array: Array, standard: Callable[[int], int]) -> Array:
    whole = np.zeros([standard(n) for n in array.shape], array.dtype)
    whole[tuple(map(slice, array.shape))] = array
    return whole

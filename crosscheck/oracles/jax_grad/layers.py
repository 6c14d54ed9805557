"""Layers: `row(params, a, **attributes)`, `params` by role."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crosscheck.oracles.jax_grad import attention, convolution, moves, normalisation, recurrent, selection, vectors


def _dense(params: Mapping[str, Any], a: Any, *, out: int, bias: bool) -> Any:
    z = a @ params["weight"].T
    if z.shape[-1] != out:
        raise ValueError(f"dense(out={out}) made a last axis of {z.shape[-1]}")
    return z + params["bias"] if bias else z


ROWS: dict[str, Callable[..., Any]] = {
    "dense": _dense,
    **convolution.ROWS,
    **moves.ROWS,
    **vectors.ROWS,
    **recurrent.ROWS,
    **attention.ROWS,
    **normalisation.ROWS,
    **selection.ROWS,
}

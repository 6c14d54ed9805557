"""Attention as Flax writes it, in einsums: `row(params, *inputs, **attributes)`.

Not `jax.nn.dot_product_attention`: its softmax is in float32 whatever the dtype (JAX 0.10), which costs float64 half
of its digits. What is hidden is left out by `where`, as `jax.nn.softmax` offers it, where Flax puts the most negative
number: so a query that sees nothing gives 0, and not the mean of all values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _weights(logits: Any, seen: Any) -> Any:
    return jax.nn.softmax(logits, axis=-1, where=seen)


def _attention(_params: Mapping[str, Any], q: Any, k: Any, v: Any, *masks: Any, mask: str, scale: float) -> Any:
    logits = jnp.einsum("...qd,...kd->...qk", q, k) * (scale or q.shape[-1] ** -0.5)
    seen = None
    if mask == "causal":
        seen = np.tril(np.ones(logits.shape, bool))
    elif mask == "padding":
        between = [1] * (q.ndim - 2)
        seen = jnp.broadcast_to(masks[0].reshape(q.shape[0], *between, k.shape[-2]), logits.shape)
    elif mask == "given":
        seen = masks[0]
    return jnp.einsum("...qk,...kd->...qd", _weights(logits, seen), v)


def _multi_head_attention(
    params: Mapping[str, Any], x: Any, *others: Any, heads: int, bias: bool, mask: str, cross: bool
) -> Any:
    context = others[0] if cross else x

    def dense(a: Any, name: str) -> Any:
        z = a @ params[f"weight_{name}"].T
        return z + params[f"bias_{name}"] if bias else z

    def in_heads(a: Any, name: str) -> Any:
        return dense(a, name).reshape(*a.shape[:2], heads, a.shape[2] // heads)

    q, k, v = in_heads(x, "q"), in_heads(context, "k"), in_heads(context, "v")
    logits = jnp.einsum("nqhd,nkhd->nhqk", q, k) / np.sqrt(q.shape[-1]).astype(q.dtype)
    seen = None
    if mask == "causal":
        seen = np.tril(np.ones(logits.shape, bool))
    elif mask == "padding":
        seen = jnp.broadcast_to(others[-1][:, None, None, :], logits.shape)
    elif mask == "given":
        seen = jnp.broadcast_to(others[-1][:, None], logits.shape)
    out = jnp.einsum("nhqk,nkhd->nqhd", _weights(logits, seen), v)
    return dense(out.reshape(x.shape), "o")


ROWS: dict[str, Callable[..., Any]] = {"attention": _attention, "multi_head_attention": _multi_head_attention}

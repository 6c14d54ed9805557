"""Attention, and attention in heads between four dense layers.

For each query i, over the keys k that it may see, with the scale c:

    s_ik = c Σ_d q_id k_kd,   p_ik = exp(s_ik) / Σ_j exp(s_ij),   out_ie = Σ_k p_ik v_ke

Given d = ∂C/∂out, by the textbook's sum over what each number feeds:

    ∂C/∂v_ke = Σ_i p_ik d_ie                                         dv = pᵀ d
    ∂C/∂p_ik = Σ_e d_ie v_ke                                         dp = d vᵀ
    ∂C/∂s_ik = Σ_j ∂C/∂p_ij · ∂p_ij/∂s_ik, ∂p_ij/∂s_ik = p_ij (δ_jk - p_ik)
             = p_ik (dp_ik - Σ_j p_ij dp_ij)                         ds = p ∘ (dp - m), m the mean of dp by p
    ∂C/∂q_id = c Σ_k ds_ik k_kd,  ∂C/∂k_kd = c Σ_i ds_ik q_id        dq = c ds k,  dk = c dsᵀ q

p is 0 where a key is hidden, and so are its ds; where all are, out is 0. Where one key has nearly all of p, dp - m is
a difference of nearly equal numbers there, and m as inaccurate as the largest of them: so m is taken twice, the second
time of the differences, which the first makes small and exact. The scores themselves are sums of products, each
rounded; no more care than the subtraction of the largest would save a digit of p.

In heads: q = x Wqᵀ + bq, k and v likewise of the context (which is x, if it has none of its own); the columns of head
h are those from h E/heads on; out = a Woᵀ + bo with a the heads' outputs side by side. So da = d Wo, and each of the
projections gives back what a dense layer does; x and the context have the sum over all that they feed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.backprop.dense import as_rows
from crosscheck.backprop.rows import Array, Keeping, Kept, Site, chosen, plus

Params = Mapping[str, Array]
Backward = tuple[tuple[Array | None, ...], dict[str, Array]]


@dataclass(frozen=True)
class Softmax:
    """p from the scores, of which some may be hidden (`seen`, or None); ds from p, dp, d and out.

    `anew` makes p a second time for the way back, from q, k, the scores, `seen` and the scale; None where it is kept.
    """

    p: Callable[[Array, Any], Array]
    ds: Callable[[Array, Array, Array, Array], Array]
    anew: Callable[[Array, Array, Array, Any, float], Array] | None = None


def weights(s: Array, seen: Any) -> Array:
    if seen is None:
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    e = chosen(seen, np.exp(below_the_top(s, seen)))
    # At least 1, the largest one's, if anything is seen.
    return e / np.maximum(e.sum(axis=-1, keepdims=True), 1.0)


def below_the_top(s: Array, seen: Any) -> Array:
    """s less the largest that is seen; 0 where it is hidden, whatever stands there."""
    top = np.where(seen, s, -np.inf).max(axis=-1, keepdims=True)
    return chosen(seen, s - np.where(np.any(seen, axis=-1, keepdims=True), top, 0.0))


def weights_pulled_back(p: Array, dp: Array, _d: Array, _out: Array) -> Array:
    near = dp - (p * dp).sum(axis=-1, keepdims=True)
    return p * (near - (p * near).sum(axis=-1, keepdims=True))


def attend(q: Array, k: Array, v: Array, seen: Any, scale: float, softmax: Softmax) -> tuple[Array, Array]:
    """out (…, Tq, e), and p (…, Tq, Tk) for the way back."""
    s = np.matmul(q, k.swapaxes(-1, -2)) * scale
    p = softmax.p(s, seen)
    return np.matmul(p, v), p if softmax.anew is None else softmax.anew(q, k, s, seen, scale)


def attend_backward(
    d: Array, q: Array, k: Array, v: Array, out: Array, p: Array, scale: float, softmax: Softmax
) -> tuple[Array, Array, Array]:
    """∂C/∂q, ∂C/∂k, ∂C/∂v."""
    ds = softmax.ds(p, np.matmul(d, v.swapaxes(-1, -2)), d, out) * scale
    return np.matmul(ds, k), np.matmul(ds.swapaxes(-1, -2), q), np.matmul(p.swapaxes(-1, -2), d)


def seen_by(site: Site, given: tuple[Array, ...], queries: int, keys: int, axes: int) -> Any:
    """What may be seen, to stand beside scores of so many axes: (leading…, …, Tq, Tk), or None for all."""
    kind = site.attributes["mask"]
    if kind == "none":
        return None
    if kind == "causal":
        return np.tri(queries, keys, dtype=np.bool_)
    mask = given[-1]
    own = 2 if kind == "padding" else len(site.in_shapes[-1])
    lead, core = mask.shape[: mask.ndim - own], mask.shape[mask.ndim - own :]
    behind = core[1:] if kind == "padding" else core[-2:]
    between = (1,) * (axes - len(core[: -len(behind)]) - len(behind))
    return mask.reshape((*lead, *core[: -len(behind)], *between, *behind))


def scale_of(site: Site) -> float:
    """A Python float, which takes the dtype of what it multiplies."""
    return float(site.attributes["scale"]) or 1.0 / math.sqrt(site.in_shapes[0][-1])


def plain(softmax: Softmax) -> Keeping:
    """The layer `attention` with this softmax."""

    def forward(site: Site, inputs: tuple[Array, ...], _params: Params) -> tuple[Array, Kept]:
        q, k, v = inputs[:3]
        (*_, queries, _), (*_, keys, _) = site.in_shapes[:2]
        seen = seen_by(site, inputs, queries, keys, len(site.in_shapes[0]))
        out, p = attend(q, k, v, seen, scale_of(site), softmax)
        return out, Kept((out, p))

    def backward(site: Site, d_out: Array, kept: Kept, inputs: tuple[Array, ...], _params: Params) -> Backward:
        q, k, v = inputs[:3]
        out, p = kept.values
        slopes = attend_backward(d_out, q, k, v, out, p, scale_of(site), softmax)
        return (*slopes, *(None,) * (len(inputs) - 3)), {}

    return Keeping(forward, backward)


def in_heads(softmax: Softmax) -> Keeping:
    """The layer `multi_head_attention` with this softmax."""

    def forward(site: Site, inputs: tuple[Array, ...], params: Params) -> tuple[Array, Kept]:
        x, context = sources(site, inputs)
        heads = int(site.attributes["heads"])
        q, k, v = (
            split(projected(rows, params, name), size, heads)
            for name, rows, size in (("q", *x), ("k", *context), ("v", *context))
        )
        (_, queries, _), (_, keys, _) = x[1], context[1]
        seen = seen_by(site, inputs, queries, keys, 4)
        out, p = attend(q, k, v, seen, head_scale(site), softmax)
        a = joined(out)
        z = projected(a, params, "o")
        return z.reshape((*z.shape[:-2], *site.out_shape)), Kept((q, k, v, out, p, a))

    def backward(site: Site, d_out: Array, kept: Kept, inputs: tuple[Array, ...], params: Params) -> Backward:
        q, k, v, out, p, a = kept.values
        x, context = sources(site, inputs)
        da, gradients = projected_back(as_rows(d_out, 3), a, params, "o")
        d = split(da, site.out_shape, int(site.attributes["heads"]))
        slopes = attend_backward(d, q, k, v, out, p, head_scale(site), softmax)
        by_source = []
        for name, slope, source in zip("qkv", slopes, (x, context, context), strict=True):
            d_rows, found = projected_back(joined(slope), source[0], params, name)
            by_source.append(d_rows)
            gradients |= found
        of_context = by_source[1] + by_source[2]
        found_inputs = (by_source[0], of_context) if site.attributes["cross"] else (by_source[0] + of_context,)
        shaped = (
            rows.reshape((*rows.shape[:-2], *shape)) for rows, shape in zip(found_inputs, site.in_shapes, strict=False)
        )
        return (*shaped, *(None,) * (len(inputs) - len(found_inputs))), gradients

    return Keeping(forward, backward)


Source = tuple[Array, tuple[int, ...]]


def sources(site: Site, inputs: tuple[Array, ...]) -> tuple[Source, Source]:
    """x and the context, each as rows (leading…, N·T, E) and with its own shape (N, T, E)."""
    x, context = ((as_rows(inputs[i], 3), site.in_shapes[i]) for i in (0, int(bool(site.attributes["cross"]))))
    return x, context


def head_scale(site: Site) -> float:
    return 1.0 / math.sqrt(site.out_shape[-1] // int(site.attributes["heads"]))


def projected(rows: Array, params: Params, name: str) -> Array:
    """One of the dense layers, on rows."""
    z = np.matmul(rows, params[f"weight_{name}"].swapaxes(-1, -2))
    if f"bias_{name}" not in params:
        return z
    bias = params[f"bias_{name}"]
    return plus(z, bias.reshape((*bias.shape[:-1], 1, bias.shape[-1])))


def projected_back(dz: Array, rows: Array, params: Params, name: str) -> tuple[Array, dict[str, Array]]:
    gradients = {f"weight_{name}": np.matmul(dz.swapaxes(-1, -2), rows)}
    if f"bias_{name}" in params:
        gradients[f"bias_{name}"] = dz.sum(axis=-2)
    return np.matmul(dz, params[f"weight_{name}"]), gradients


def split(rows: Array, shape: tuple[int, ...], heads: int) -> Array:
    """(leading…, N·T, E) → (leading…, N, heads, T, E/heads)."""
    n, steps, width = shape
    return rows.reshape((*rows.shape[:-2], n, steps, heads, width // heads)).swapaxes(-2, -3)


def joined(a: Array) -> Array:
    """Inverse of `split`."""
    a = a.swapaxes(-2, -3)
    n, steps, heads, width = a.shape[-4:]
    return a.reshape((*a.shape[:-4], n * steps, heads * width))


def rows(softmax: Softmax) -> dict[str, Keeping]:
    return {"attention": plain(softmax), "multi_head_attention": in_heads(softmax)}


ROWS = rows(Softmax(weights, weights_pulled_back))

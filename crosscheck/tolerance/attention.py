"""The plain rows of attention: right formulas that lose the most.

p is exp(s - logsumexp s), as FlashAttention (Dao et al. 2022) makes it anew on the way back: what the logarithm has
lost of its last digits is lost of every p, and so is what the scores, multiplied a second time, in another order, are
off from those of the logarithm. Neither error is that of the p of the way forward: where d hangs on p so that p d does
not, they leave p d its error all the same. Its mean of dp is Σ_e d_e out_e, a sum of other terms than the dp are, so
that where they cancel nothing cancels with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck.backprop import attention
from crosscheck.backprop.rows import Array, Row


def _weights(s: Array, seen: Any) -> Array:
    return _shares(s, s, seen)


def _anew(q: Array, k: Array, s: Array, seen: Any, scale: float) -> Array:
    """p by the logarithm of the first scores, from a second product that has none of its roundings in common with it.

    In one product no two entries round alike: so it is one with the keys twice, of which the first half is not taken.
    """
    twice = np.matmul(q, np.concatenate([k, k], axis=-2).swapaxes(-1, -2)) * scale
    return _shares(twice[..., s.shape[-1] :], s, seen)


def _shares(s: Array, of: Array, seen: Any) -> Array:
    """exp(s - logsumexp of); 0 for what is hidden, and where all is."""
    if seen is None:
        return np.exp(s - _log_sum(of, of.max(axis=-1, keepdims=True)))
    some = np.any(seen, axis=-1, keepdims=True)
    top = np.where(some, np.where(seen, of, -np.inf).max(axis=-1, keepdims=True), 0.0)
    # What is hidden is put so low that nothing of it is left; where all is, any finite numbers will do.
    low = np.where(some, top - 1e6, 0.0)
    return np.where(seen, np.exp(np.where(seen, s, low) - _log_sum(np.where(seen, of, low), top)), 0.0)


def _log_sum(s: Array, top: Array) -> Array:
    return top + np.log(np.exp(s - top).sum(axis=-1, keepdims=True))


def _pulled_back(p: Array, dp: Array, d: Array, out: Array) -> Array:
    return p * dp - p * (d * out).sum(axis=-1, keepdims=True)


ROWS: dict[str, Row] = dict(attention.rows(attention.Softmax(_weights, _pulled_back, _anew)))

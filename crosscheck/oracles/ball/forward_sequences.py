"""Recurrent layers and attention of the second computation: `row(xs, params, attributes)` on series.

One sample and one unit at a time, as the spec's sentences read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from flint import arb, arb_series

from crosscheck.oracles.ball.activations import sigmoid, tanh
from crosscheck.oracles.ball.branches import Series
from crosscheck.oracles.ball.forward_series import Layer, Params, Values, total, whole
from crosscheck.spec.op import Attributes

Line = list[Series]
# What a unit is given of its row in the weights of x, and of that in the weights of h: W x + b and U h + c.
Sums = Callable[[int], tuple[Series, Series]]
# From those sums, the number of the unit, the hidden size and the states of the unit: its states after the step.
Unit = Callable[[Sums, int, int, Sequence[Series], Attributes], tuple[Series, ...]]


def relu(x: Series) -> Series:
    return x if x[0].mid() > 0 else 0 * x


def rnn(sums: Sums, j: int, _hidden: int, _states: Sequence[Series], own: Attributes) -> tuple[Series, ...]:
    z = total(sums(j))
    return (tanh(z) if own["nonlinearity"] == "tanh" else relu(z),)


def lstm(sums: Sums, j: int, hidden: int, states: Sequence[Series], _own: Attributes) -> tuple[Series, ...]:
    i, f, g, o = (total(sums(gate * hidden + j)) for gate in range(4))
    c = sigmoid(f) * states[1] + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def gru(sums: Sums, j: int, hidden: int, states: Sequence[Series], _own: Attributes) -> tuple[Series, ...]:
    r, z = (sigmoid(total(sums(gate * hidden + j))) for gate in range(2))
    from_x, from_h = sums(2 * hidden + j)
    return ((1 - z) * tanh(from_x + r * from_h) + z * states[0],)


def recurrent(unit: Unit, count: int) -> Layer:
    """The layer of a unit with so many states, h first."""

    def layer(xs: Sequence[Values], params: Params, own: Attributes) -> Values:
        x, hidden = xs[0], int(own["hidden"])
        outputs = np.empty((*x.shape[:2], hidden), object)
        for n in range(len(x)):
            states = [list(given[n]) for given in xs[1:]] or [[arb_series([0])] * hidden for _ in range(count)]
            for step in range(x.shape[1]):
                sums = _sums(params, list(x[n, step]), states[0])
                after = [unit(sums, j, hidden, [s[j] for s in states], own) for j in range(hidden)]
                states = [list(state) for state in zip(*after, strict=True)]
                for j in range(hidden):
                    outputs[n, step, j] = states[0][j]
        return outputs if own["output"] == "sequence" else outputs[:, -1]

    return layer


def _sums(params: Params, x: Line, h: Line) -> Sums:
    return lambda row: (_weighed(params, "_ih", row, x), _weighed(params, "_hh", row, h))


def _weighed(params: Params, which: str, row: int, line: Sequence[Series]) -> Series:
    """b_row + Σ_k w_row,k a_k, without b where there is none."""
    weight, bias = params[f"weight{which}"], params.get(f"bias{which}")
    start = arb_series([0]) if bias is None else bias[row]
    return start + total(weight[row, k] * item for k, item in enumerate(line))


def attended(q: Line, keys: Sequence[Line], values: Sequence[Line], scale: Series) -> Line | None:
    """Σ_s p_s v_s, p the softmax of scale q · k_s; None where there is no key."""
    if not keys:
        return None
    scores = [scale * total(a * b for a, b in zip(q, k, strict=True)) for k in keys]
    middle = max(score[0].mid() for score in scores)
    parts = [(score - middle).exp() for score in scores]
    shares = [part / total(parts) for part in parts]
    return [total(p * v[e] for p, v in zip(shares, values, strict=True)) for e in range(len(values[0]))]


def seen(own: Attributes, mask: Values | None, block: tuple[int, ...], query: int, keys: int) -> list[int]:
    """The keys that a query of a block may see; the first number of a block is that of its sample."""
    kind = own["mask"]
    if kind in ("none", "causal"):
        return list(range(keys if kind == "none" else min(query + 1, keys)))
    if mask is None:
        raise ValueError(f"mask={kind} needs a mask")
    flags = mask[block[0]] if kind == "padding" else mask[(*block, query)]
    return [key for key in range(keys) if whole(flags[key])]


def attention(xs: Sequence[Values], _params: Params, own: Attributes) -> Values:
    """Of q (…, Tq, d), k (…, Tk, d) and v (…, Tk, e), with a mask perhaps."""
    q, k, v = xs[:3]
    scale = arb(float(own["scale"])) if own["scale"] else 1 / arb(q.shape[-1]).sqrt()
    result = np.empty((*q.shape[:-1], v.shape[-1]), object)
    for index in np.ndindex(*q.shape[:-1]):
        *block, query = index
        places = seen(own, xs[3] if len(xs) > 3 else None, tuple(block), query, k.shape[-2])
        found = attended(
            list(q[index]), [list(k[(*block, s)]) for s in places], [list(v[(*block, s)]) for s in places], scale
        )
        for e in range(v.shape[-1]):
            result[(*index, e)] = arb_series([0]) if found is None else found[e]
    return result


def multi_head_attention(xs: Sequence[Values], params: Params, own: Attributes) -> Values:
    """Of x (N, T, E), and of a context (N, S, E) where it is a cross one: head after head for each query."""
    x, context = xs[0], xs[1] if own["cross"] else xs[0]
    mask = xs[-1] if own["mask"] in ("padding", "given") else None
    width = x.shape[-1]
    size = width // int(own["heads"])
    result = np.empty(x.shape, object)
    for n in range(len(x)):
        queries = [_projected(params, "_q", list(row)) for row in x[n]]
        keys, values = ([_projected(params, name, list(row)) for row in context[n]] for name in ("_k", "_v"))
        for t, query in enumerate(queries):
            places = seen(own, mask, (n,), t, len(keys))
            joined: Line = []
            for columns in (slice(start, start + size) for start in range(0, width, size)):
                found = attended(
                    query[columns],
                    [keys[s][columns] for s in places],
                    [values[s][columns] for s in places],
                    1 / arb(size).sqrt(),
                )
                joined += found if found is not None else [arb_series([0])] * size
            for e, item in enumerate(_projected(params, "_o", joined)):
                result[n, t, e] = item
    return result


def _projected(params: Params, which: str, line: Line) -> Line:
    return [_weighed(params, which, row, line) for row in range(len(line))]


# fmt: off
ROWS: dict[str, Layer] = {
    "rnn":                  recurrent(rnn, 1),
    "lstm":                 recurrent(lstm, 2),
    "gru":                  recurrent(gru, 1),
    "attention":            attention,
    "multi_head_attention": multi_head_attention,
}
# fmt: on

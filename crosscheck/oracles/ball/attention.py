"""Attention as steps on the tape: for each sample and head a product, softmaxes of what is seen, a product."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from flint import arb

from crosscheck.oracles.ball.activations import softmax
from crosscheck.oracles.ball.branches import ZERO
from crosscheck.oracles.ball.tape import Composition, Place, Tape, Variable

Flags = Sequence[bool]


def attention(tape: Tape, place: Place, xs: tuple[Variable, ...], _params: Mapping[str, Variable]) -> Variable:
    """q (…, Tq, d), k (…, Tk, d), v (…, Tk, e), block after block."""
    (*batch, queries, inner), (*_, keys, _) = place.in_shapes[:2]
    own = arb(place.attributes["scale"]) if place.attributes["scale"] else arb(inner).rsqrt()
    blocks = math.prod(batch)
    of_one_sample = blocks // batch[0] if batch else 1
    parts = []
    for block in range(blocks):
        q, k, v = (_block(tape, x, block, blocks) for x in xs[:3])
        seen = _seen(place, queries, keys, block, block // of_one_sample)
        parts.append(_attended(tape, q, k, _transposed(tape, v, keys), seen, inner, own))
    return tape.gather(range(sum(map(len, parts))), *parts)


def multi_head_attention(
    tape: Tape, place: Place, xs: tuple[Variable, ...], params: Mapping[str, Variable]
) -> Variable:
    """x (N, T, E), context (N, S, E): the columns of a head are those from its number times E/heads on."""
    cross, heads = bool(place.attributes["cross"]), int(place.attributes["heads"])
    (samples, queries, width), keys = place.in_shapes[0], place.in_shapes[cross][1]
    size = width // heads
    q = _dense(tape, xs[0], params, "q", width)
    k, v = (_dense(tape, xs[cross], params, name, width) for name in "kv")
    parts = []
    for sample in range(samples):
        seen = _seen(place, queries, keys, sample, sample)
        for head in range(heads):
            columns = range(head * size, (head + 1) * size)
            own_q = tape.gather([(sample * queries + t) * width + c for t in range(queries) for c in columns], q)
            own_k = tape.gather([(sample * keys + s) * width + c for s in range(keys) for c in columns], k)
            own_v = tape.gather([(sample * keys + s) * width + c for c in columns for s in range(keys)], v)
            parts.append(_attended(tape, own_q, own_k, own_v, seen, size, arb(size).rsqrt()))
    side_by_side = [
        ((sample * heads + head) * queries + t) * size + c
        for sample in range(samples)
        for t in range(queries)
        for head in range(heads)
        for c in range(size)
    ]
    return _dense(tape, tape.gather(side_by_side, *parts), params, "o", width)


def _attended(
    tape: Tape, q: Variable, k: Variable, v_columns: Variable, seen: Sequence[Flags], inner: int, scale: object
) -> Variable:
    """One block: softmax(scale q kᵀ) v over what is seen; v by column, (e, Tk)."""
    scores = tape.product(q, k, inner)
    scores = tape.scale(scores, [scale] * len(scores))
    return tape.product(_shares(tape, scores, seen), v_columns, len(seen[0]))


def _shares(tape: Tape, scores: Variable, seen: Sequence[Flags]) -> Variable:
    """Softmax of each row over what is seen of it; rows that see equally many at once."""
    keys = len(seen[0])
    by_count: dict[int, list[int]] = {}
    for row, flags in enumerate(seen):
        by_count.setdefault(sum(flags), []).append(row)
    found: list[Variable] = [Variable([ZERO])]
    places, start = [0] * len(scores), 1
    for count, rows in by_count.items():
        taken = [row * keys + key for row in rows for key in range(keys) if seen[row][key]]
        if not taken:
            continue
        found.append(softmax(tape, tape.gather(taken, scores), count))
        for i, place in enumerate(taken):
            places[place] = start + i
        start += len(taken)
    return tape.gather(places, *found)


def _seen(place: Place, queries: int, keys: int, block: int, sample: int) -> list[Flags]:
    kind = place.attributes["mask"]
    if kind == "none":
        return [[True] * keys] * queries
    if kind == "causal":
        return [[key <= query for key in range(keys)] for query in range(queries)]
    (mask,) = place.indices.values()
    if kind == "padding":
        return [[bool(flag) for flag in mask[sample * keys : (sample + 1) * keys]]] * queries
    start = block * queries * keys
    return [
        [bool(flag) for flag in mask[start + query * keys : start + (query + 1) * keys]] for query in range(queries)
    ]


def _block(tape: Tape, x: Variable, block: int, blocks: int) -> Variable:
    size = len(x) // blocks
    return tape.gather(range(block * size, (block + 1) * size), x)


def _transposed(tape: Tape, x: Variable, rows: int) -> Variable:
    columns = len(x) // rows
    return tape.gather([row * columns + column for column in range(columns) for row in range(rows)], x)


def _dense(tape: Tape, x: Variable, params: Mapping[str, Variable], name: str, width: int) -> Variable:
    z = tape.product(x, params[f"weight_{name}"], width)
    if f"bias_{name}" not in params:
        return z
    return tape.add(z, tape.gather(list(range(width)) * (len(z) // width), params[f"bias_{name}"]))


ROWS: dict[str, Composition] = {"attention": attention, "multi_head_attention": multi_head_attention}

"""Random recurrent layers and attention, each with whatever it may be given beside its input, as cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from builders import case_of

from crosscheck.spec import Case
from crosscheck.spec.op import Value
from crosscheck.strategies.architectures import choices
from crosscheck.strategies.space import PALETTE, Space
from crosscheck.strategies.values import FAMILIES

RECURRENT = ("rnn", "lstm", "gru")
ATTENTION = ("attention", "multi_head_attention")
STATES = {"rnn": ("h0",), "lstm": ("h0", "c0"), "gru": ("h0",)}


def cases(
    ops: Sequence[str], seed: int, count: int, *, points: int = 2, families: Sequence[str] = tuple(FAMILIES)
) -> Iterator[Case]:
    """So many cases of these ops in turn, in both dtypes."""
    g = np.random.default_rng(seed)
    for i in range(count):
        dtype, family = str(g.choice(["float64", "float32"])), str(g.choice(families))
        yield case_of(
            text(ops[i % len(ops)], g), seed=int(g.integers(2**32)), family=family, points=points, dtype=dtype
        )


def text(op: str, g: np.random.Generator) -> str:
    every = choices(Space.of([op]), op)
    attributes = every[int(g.integers(len(every)))]
    x, further, given = (_recurrent if op in RECURRENT else _attention)(op, attributes, g)
    names = [declared.split("[")[0] for declared in further]
    said = [f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in attributes.items()]
    start = "; ".join([x, *further, "x"]) if further else x
    return f"{start} -> {op}({', '.join([*names, *given, *said])}) -> {g.choice(['cotangent', 'sse'])}"


Parts = tuple[str, list[str], list[str]]


def _recurrent(op: str, _attributes: dict[str, Value], g: np.random.Generator) -> Parts:
    samples, steps, width, hidden = (int(n) for n in g.choice(PALETTE, 4))
    states = [f"{name}[{samples},{hidden}]" for name in STATES[op]] if g.random() < 0.5 else []
    return f"x[{samples},{steps},{width}]", states, [str(hidden)]


def _attention(op: str, attributes: dict[str, Value], g: np.random.Generator) -> Parts:
    queries, keys, width, of_values = (int(n) for n in g.choice(PALETTE, 4))
    batch = [int(n) for n in g.choice(PALETTE, int(g.integers(3)))]
    if op == "multi_head_attention":
        batch, width, heads = batch[:1] or [2], 2 * width, ["c"] if attributes["cross"] else []
        keys = keys if heads else queries
        further = [_input(name, *batch, keys, width) for name in heads]
    else:
        batch = batch or [2] * (attributes["mask"] == "padding")
        further = [_input("k", *batch, keys, width), _input("v", *batch, keys, of_values)]
    masks = {"padding": [*batch[:1], keys], "given": [*batch, queries, keys]}
    if attributes["mask"] in masks:
        further.append(_input("m", *masks[str(attributes["mask"])]) + ":bool")
    return _input("x", *batch, queries, width), further, []


def _input(name: str, *sizes: int) -> str:
    return f"{name}[{','.join(map(str, sizes))}]"

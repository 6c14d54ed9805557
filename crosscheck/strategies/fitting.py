"""What an op needs beside its attributes so that it can stand: the right rank, further inputs, sizes that divide.

Nothing is filtered: an op that does not fit as it was drawn takes the nearest of its own attribute values that does,
and where none does its input is brought into another shape first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from crosscheck.spec.errors import SpecError
from crosscheck.spec.impossible import POSITIVE as POSITIVE
from crosscheck.spec.impossible import PREPARED as PREPARED
from crosscheck.spec.op import Attributes, Shape, Value
from crosscheck.spec.ops import OPS

# Beyond it a network is no small one: what ball and differences cost grows with it.
MOST_NUMBERS = 600
# And of parameters in one layer. Heads, which have 4 d² of them on d columns whatever is drawn, stand on fewer: two
# networks of 20,000 had 90,000 each, a tenth of all that these networks have together.
MOST_PARAMETERS = 20_000
MOST_OF_HEADS = 2_000


@dataclass(frozen=True)
class Extra:
    """A further input of an op, as the architecture declares it."""

    name: str
    shape: Shape
    dtype: Literal["float", "int64", "bool"] = "float"


# Given the attributes, the shape of the first input, and whether what is optional is wanted.
Extras = Callable[[Attributes, Shape, bool], tuple[Extra, ...]]


def _nothing(_attributes: Attributes, _shape: Shape, _wanted: bool) -> tuple[Extra, ...]:
    return ()


def _states(*names: str) -> Extras:
    """Initial states (N, hidden)."""

    def extras(attributes: Attributes, shape: Shape, wanted: bool) -> tuple[Extra, ...]:
        return tuple(Extra(name, (shape[0], int(attributes["hidden"]))) for name in names) if wanted else ()

    return extras


def _statistics(attributes: Attributes, shape: Shape, _wanted: bool) -> tuple[Extra, ...]:
    if attributes["mode"] != "evaluation" or len(shape) < 2:
        return ()
    return Extra("mean", shape[1:2]), Extra("var", shape[1:2])


def _kept(attributes: Attributes, shape: Shape, _wanted: bool) -> tuple[Extra, ...]:
    return (Extra("kept", shape, "bool"),) if attributes["mode"] == "training" else ()


def _seen(attributes: Attributes, queries: Shape, keys: Shape) -> tuple[Extra, ...]:
    """The mask of an attention."""
    if attributes["mask"] == "given":
        return (Extra("mask", (*queries[:-1], keys[-2]), "bool"),)
    if attributes["mask"] == "padding":
        return (Extra("mask", (queries[0], keys[-2]), "bool"),)
    return ()


def _keys_and_values(attributes: Attributes, shape: Shape, wanted: bool) -> tuple[Extra, ...]:
    if len(shape) < 2:
        return ()
    keys = (*shape[:-2], shape[-2] + (1 if wanted else 0), shape[-1])
    if attributes["mask"] == "causal":
        keys = shape
    return Extra("k", keys), Extra("v", keys), *_seen(attributes, shape, keys)


def _context(attributes: Attributes, shape: Shape, _wanted: bool) -> tuple[Extra, ...]:
    if len(shape) != 3:
        return ()
    if not attributes["cross"]:
        return _seen(attributes, shape, shape)
    keys = (shape[0], shape[1] + 1, shape[2]) if attributes["mask"] != "causal" else shape
    return Extra("context", keys), *_seen(attributes, shape, keys)


def _like_output(*names: str) -> Extras:
    return lambda _attributes, shape, _wanted: tuple(Extra(name, shape) for name in names)


EXTRAS: dict[str, Extras] = {
    "rnn": _states("h0"),
    "gru": _states("h0"),
    "lstm": _states("h0", "c0"),
    "batch_norm": _statistics,
    "dropout": _kept,
    "attention": _keys_and_values,
    "multi_head_attention": _context,
    "triplet": _like_output("positive", "negative"),
    "gaussian_nll": _like_output("var"),
}


def preparation(op: str, attributes: Attributes, allowed: Sequence[str]) -> str | None:
    """The op that makes what a loss takes of any numbers; None where it takes any."""
    if op == "poisson_nll" and not attributes["log_input"]:
        return POSITIVE if POSITIVE in allowed else None
    return PREPARED.get(op)


def extras(op: str, attributes: Attributes, shape: Shape, *, wanted: bool = False) -> tuple[Extra, ...]:
    return EXTRAS.get(op, _nothing)(attributes, shape, wanted)


def fits(op: str, attributes: Attributes, shape: Shape, *, wanted: bool = False) -> bool:
    """Whether the op can stand on an input of this shape, with what it needs beside it."""
    return fault(op, attributes, shape, wanted=wanted) is None


def fault(op: str, attributes: Attributes, shape: Shape, *, wanted: bool = False) -> SpecError | None:
    """What the op's own rules say against it."""
    try:
        further = tuple(extra.shape for extra in extras(op, attributes, shape, wanted=wanted))
        shapes = (shape,) * OPS[op].arity[0] if OPS[op].kind == "merge" else (shape, *further)
        out = OPS[op].out_shape(attributes, shapes)
        parameters = sum(map(math.prod, OPS[op].params(attributes, shapes).values()))
    except SpecError as error:
        return error
    except IndexError:  # a shape with too few axes for the sizes of the further inputs
        return SpecError(f"{op} does not take an input of shape {shape}")
    terms = shape[:-1] if OPS[op].per_sample else shape
    if attributes.get("weighted") and not terms:
        return SpecError(f"{op} has no samples to weigh in an input of shape {shape}")
    if parameters > (MOST_OF_HEADS if op == "multi_head_attention" else MOST_PARAMETERS):
        return SpecError(f"{op} would have {parameters} parameters")
    return None if math.prod(out) <= MOST_NUMBERS else SpecError(f"{op} would make {math.prod(out)} numbers")


# On one of them every legal choice of attributes can stand.
TRIALS: tuple[Shape, ...] = ((4, 4), (4,), (4, 4, 4), (4, 4, 4, 4), (4, 4, 7, 7))


def standing_fault(op: str, attributes: Attributes) -> SpecError | None:
    """What the op's own rules say against these attributes, whatever the input."""
    found = [fault(op, attributes, shape) for shape in TRIALS]
    return found[0] if all(found) else None


Step = tuple[str, dict[str, Value]]


def adaptations(shape: Shape, allowed: Sequence[str]) -> Iterator[tuple[Step, ...]]:
    """Ways to bring an input into another shape, by ops that may be used; none at all first."""
    yield ()
    rank = len(shape)
    if "flatten" in allowed and rank > 2:
        yield (("flatten", {"start": 1}),)
    if "reshape" in allowed:
        for target in other_ranks(shape):
            yield (("reshape", {"shape": "x".join(map(str, target)) if len(target) > 1 else target[0]}),)
    if "concat" in allowed and rank:
        yield (("concat", {"axis": -1}),)  # with itself: an even number of columns


def other_ranks(shape: Shape) -> Iterator[Shape]:
    """The same numbers with another number of axes."""
    rank = len(shape)
    if rank == 1:
        yield (1, *shape)
        yield (1, 1, *shape)
        yield (1, 1, 1, *shape)
    elif rank == 2:
        yield (1, *shape)
        yield (shape[0], 1, 1, shape[1])
        yield (1, 1, *shape)
    elif rank == 3:
        yield (shape[0], shape[1] * shape[2])
        yield (shape[0], 1, *shape[1:])
    elif rank == 4:
        yield (*shape[:2], shape[2] * shape[3])
        yield (shape[0], math.prod(shape[1:]))

"""Which values of a case's factors no network can have together, and why."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Op, Value
from crosscheck.spec.ops import OPS

NONE = "none"
# Losses of probabilities or their logarithms, and the activation that makes those of any numbers.
PREPARED = {"nll": "log_softmax", "kl_div": "log_softmax", "bce": "sigmoid"}
# What makes the rates that poisson_nll takes unless it takes their logarithms: of others its value is no number.
POSITIVE = "softplus"
PROBABILITIES = "a loss of probabilities stands behind what makes them"
# Some factors with a value of each: what is covered, or not.
Cell = tuple[tuple[str, str], ...]
# No operation needs more than an image does.
MOST_AXES = 4
# The factors of which three together can be impossible although any two of them are not.
ENTANGLED = (
    ("activation", "loss", "position"),
    ("activation", "loss", "depth"),
    ("layer", "activation", "position"),
    ("layer", "position", "batch"),
    ("layer", "batch", "depth"),
    ("layer", "depth", "sharing"),
)


def impossible(cell: Cell) -> str | None:
    """Why no network can have these values together, two of them at least; None where one can."""
    known = dict(cell)
    for reason, holds in _REASONS:
        if holds(known):
            return reason
    return None


def has(known: Mapping[str, str], **wanted: tuple[str, ...]) -> bool:
    return all(known.get(factor) in values for factor, values in wanted.items())


def choices_of(op: Op, name: str) -> tuple[str, ...]:
    """The values that an attribute may have, as words; none where the operation has no such attribute."""
    return tuple(str(v) for a in op.attributes if a.name == name for v in a.choices)


def _wrong_bias(known: Mapping[str, str]) -> bool:
    if "layer" not in known or "bias" not in known:
        return False
    layer = OPS.get(known["layer"])
    biased = layer is not None and any(a.name == "bias" for a in layer.attributes)
    return biased != (known["bias"] != "has none")


def _nothing_to_share(known: Mapping[str, str]) -> bool:
    if known.get("sharing") != "yes" or "layer" not in known:
        return False
    layer = OPS.get(known["layer"])
    return layer is None or not full_roles(layer)


def full_roles(op: Op) -> tuple[str, ...]:
    """The roles of its parameters with the attributes that give it all of them."""
    chosen: dict[str, bool | int | float | str] = {
        a.name: True if a.type == "bool" else a.default if a.default is not None else 1 for a in op.attributes
    }
    return op.roles(chosen)


def _reduction_not_taken(known: Mapping[str, str]) -> bool:
    if "loss" not in known or "reduction" not in known:
        return False
    return known["reduction"] not in choices_of(OPS[known["loss"]], "reduction")


def _not_prepared(known: Mapping[str, str]) -> bool:
    """The last activation before a loss of probabilities is the one that makes them."""
    wanted = PREPARED.get(known.get("loss", ""))
    ends = has(known, position=("only", "last")) or has(known, depth=("1",))
    return wanted is not None and ends and known.get("activation", wanted) != wanted


@cache
def least_rank(op: str) -> int:
    """How many axes the input of an operation has at least, with any attributes; 0 where there is none."""
    if op == NONE:
        return 0
    chosen: dict[str, Value] = {a.name: a.default if a.default is not None else 1 for a in OPS[op].attributes}
    # A flatten from axis 0 takes a vector; from axis 1, its default, it does not.
    counted = [a.name for a in OPS[op].attributes if a.type == "int" and a.default is not None and int(a.default) > 0]
    from_zero = [chosen | {name: 0} for name in counted]
    for rank in range(1, MOST_AXES + 1):
        for attributes in (chosen, *from_zero):
            for given in {max(n, 1) for n in OPS[op].arity}:
                with suppress(SpecError, IndexError):
                    OPS[op].out_shape(attributes, ((4,) * rank,) * given)
                    return rank
    raise ValueError(f"{op} stands on no input of up to {MOST_AXES} axes")


def _vector_too_early(known: Mapping[str, str]) -> bool:
    """The first input has one axis, and there are too few layers before this one to give it more.

    One that is drawn gives it one more.
    """
    if not has(known, batch=(NONE,)):
        return False
    missing = least_rank(known.get("layer", NONE)) - 1
    at_most = 0 if has(known, depth=("1",)) or has(known, position=("only", "first")) else None
    at_most = 1 if at_most is None and has(known, depth=("2",)) else at_most
    return at_most is not None and missing > at_most


_REASONS = (
    (PROBABILITIES, _not_prepared),
    ("the layer has a bias attribute or has none", _wrong_bias),
    ("the layer has no parameters to share", _nothing_to_share),
    ("the loss does not take that reduction", _reduction_not_taken),
    ("one layer is the only one", lambda k: has(k, position=("only",), depth=("2", "more"))),
    ("one layer is the only one", lambda k: has(k, position=("first", "middle", "last"), depth=("1",))),
    ("two layers have no middle", lambda k: has(k, position=("middle",), depth=("2",))),
    (
        "an embedding takes an input; behind other layers it is added to them",
        lambda k: has(k, layer=("embedding",), position=("last",)),
    ),
    (
        "an embedding takes an input; behind other layers it is added to them",
        lambda k: has(k, layer=("embedding",), position=("middle",)) and k.get("activation", NONE) != NONE,
    ),
    (
        "two embeddings are added to each other, which is a third layer",
        lambda k: has(k, layer=("embedding",), sharing=("yes",), depth=("2",)),
    ),
    ("a layer that needs more axes stands behind those that give them to a vector", _vector_too_early),
    ("sharing takes two layers", lambda k: has(k, sharing=("yes",), depth=("1",))),
    ("sharing takes two layers", lambda k: has(k, sharing=("yes",), position=("only",))),
    ("a layer is an operation or an activation", lambda k: has(k, layer=(NONE,), activation=(NONE,))),
)

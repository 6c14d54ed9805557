"""What a case combines: one row of values, factor by factor, for each of its layers.

Pairs and triples of these values are what coverage is counted in. A layer is a node that is no activation, with the
activation right behind it; an activation behind nothing but another is a layer of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import prod

from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.case import ORDERS
from crosscheck.spec.op import Op, Value
from crosscheck.spec.ops import OPS

FACTORS = (
    "layer",
    "activation",
    "loss",
    "reduction",
    "dtype",
    "bias",
    "position",
    "width",
    "batch",
    "depth",
    "family",
    "order",
    "sharing",
)
NONE = "none"
# Losses of probabilities or their logarithms, and the activation that makes those of any numbers.
PREPARED = {"nll": "log_softmax", "kl_div": "log_softmax", "bce": "sigmoid"}
# What makes the rates that poisson_nll takes unless it takes their logarithms: of others its value is no number.
POSITIVE = "softplus"
# The factors of which three together can be impossible although any two of them are not.
ENTANGLED = (("activation", "loss", "position"), ("activation", "loss", "depth"))
Row = tuple[str, ...]
# Some factors with a value of each: what is covered, or not.
Cell = tuple[tuple[str, str], ...]


def rows(architecture: Architecture, dtype: str, family: str, order: str) -> tuple[Row, ...]:
    """The rows of a network with numbers of a family, each with a value for every factor."""
    loss = architecture.loss
    whole = {
        "loss": loss.op,
        "reduction": str(loss.attributes["reduction"]),
        "dtype": dtype,
        "batch": _batch(architecture),
        "family": family,
        "order": order,
    }
    slots = _slots(architecture)
    depth = how_many(len(slots))
    uses = Counter(key for node in architecture.nodes for key in set(node.params.values()))
    return tuple(
        _row(
            whole
            | {
                "layer": slot.node.op if slot.node else NONE,
                "activation": slot.activation or NONE,
                "bias": _bias(slot.node),
                "position": _position(place, len(slots)),
                "width": how_many(slot.width),
                "depth": depth,
                "sharing": "yes" if slot.node and any(uses[k] > 1 for k in slot.node.params.values()) else "no",
            }
        )
        for place, slot in enumerate(slots)
    )


def _row(values: Mapping[str, str]) -> Row:
    return tuple(values[factor] for factor in FACTORS)


@dataclass
class _Slot:
    node: Node | None
    activation: str | None
    width: int


def _slots(architecture: Architecture) -> list[_Slot]:
    slots: list[_Slot] = []
    owner: dict[int, _Slot] = {}
    for i, node in enumerate(architecture.nodes):
        shape = architecture.node_shapes[i]
        width = shape[-1] if shape else 1
        before = owner.get(node.inputs[0])
        if OPS[node.op].kind == "activation" and before is not None and before.activation is None:
            before.activation, before.width = node.op, width
            continue
        slot = _Slot(None, node.op, width) if OPS[node.op].kind == "activation" else _Slot(node, None, width)
        slots.append(slot)
        if slot.activation is None:
            owner[i] = slot
    return slots


def how_many(n: int) -> str:
    return str(n) if n < 3 else "more"


def _batch(architecture: Architecture) -> str:
    shape = architecture.inputs[0].shape
    return how_many(shape[0]) if len(shape) > 1 else NONE


def _bias(node: Node | None) -> str:
    if node is None or "bias" not in node.attributes:
        return "has none"
    return "yes" if node.attributes["bias"] else "no"


def _position(place: int, slots: int) -> str:
    if slots == 1:
        return "only"
    return "first" if place == 0 else "last" if place == slots - 1 else "middle"


NOTHING: Mapping[str, Mapping[str, Value]] = {}


@dataclass(frozen=True)
class Grid:
    """The values that each factor can take in a run; `fixed` are the attributes, by op, that are not drawn in it."""

    values: Mapping[str, tuple[str, ...]]
    fixed: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        ops: Sequence[str],
        dtypes: Iterable[str],
        families: Iterable[str],
        fixed: Mapping[str, Mapping[str, Value]] = NOTHING,
    ) -> Grid:
        """Of a space of these ops."""
        named = {kind: [op for op in ops if OPS[op].kind == kind] for kind in ("layer", "merge", "activation", "loss")}
        reductions = dict.fromkeys(r for op in named["loss"] for r in _reductions(op, fixed))
        return cls(
            {
                "layer": (*named["layer"], *named["merge"], NONE),
                "activation": (*named["activation"], NONE),
                "loss": tuple(named["loss"]),
                "reduction": tuple(reductions),
                "dtype": tuple(dtypes),
                "bias": ("yes", "no", "has none"),
                "position": ("only", "first", "middle", "last"),
                "width": ("1", "2", "more"),
                "batch": ("1", "2", "more", NONE),
                "depth": ("1", "2", "more"),
                "family": tuple(families),
                "order": ORDERS,
                "sharing": ("no", "yes"),
            },
            fixed,
        )

    def size(self, strength: int) -> int:
        """How many cells there are."""
        return sum(prod(len(self.values[f]) for f in chosen) for chosen in combinations(FACTORS, strength))

    def entangled(self) -> Iterable[Cell]:
        """The triples of ENTANGLED."""
        for chosen in ENTANGLED:
            yield from _cells(chosen, self.values)

    def impossible(self, cell: Cell) -> str | None:
        """Why no network of this run's operations can have these values together; None where one can."""
        reason = self._at_once(cell)
        known = dict(cell)
        if reason is None and "layer" not in known:
            behind = (self._at_once((("layer", value), *cell)) for value in self.values["layer"])
            reason = None if None in behind else "no operation of this run has both"
        if reason is None and _has(known, batch=(NONE,), reduction=("batch_mean",)):
            reason = None if "reshape" in self.values["layer"] else "a vector has no batch, and nothing gives it one"
        return reason

    def _at_once(self, cell: Cell) -> str | None:
        known = dict(cell)
        reason = impossible(cell)
        if reason is None and "loss" in known and "reduction" in known:
            taken = _reductions(known["loss"], self.fixed)
            reason = None if known["reduction"] in taken else "an attribute is fixed in this run"
        bias = self.fixed.get(known.get("layer", ""), {}).get("bias")
        if reason is None and bias is not None and known.get("bias") == ("no" if bias else "yes"):
            reason = "an attribute is fixed in this run"
        return reason

    def cells(self, strength: int) -> Iterable[Cell]:
        for chosen in combinations(FACTORS, strength):
            yield from _cells(chosen, self.values)


def _cells(chosen: Sequence[str], values: Mapping[str, tuple[str, ...]]) -> Iterable[Cell]:
    if not chosen:
        yield ()
        return
    first, *others = chosen
    for value in values[first]:
        for rest in _cells(others, values):
            yield ((first, value), *rest)


def _reductions(loss: str, fixed: Mapping[str, Mapping[str, Value]]) -> tuple[str, ...]:
    """The reductions that a loss may have in a run."""
    held = fixed.get(loss, {}).get("reduction")
    return _choices(OPS[loss], "reduction") if held is None else (str(held),)


def _choices(op: Op, name: str) -> tuple[str, ...]:
    return tuple(str(v) for a in op.attributes if a.name == name for v in a.choices)


def impossible(cell: Cell) -> str | None:
    """Why no network can have these values together, two of them at least; None where one can."""
    known = dict(cell)
    for reason, holds in _REASONS:
        if holds(known):
            return reason
    return None


def _has(known: Mapping[str, str], **wanted: tuple[str, ...]) -> bool:
    return all(known.get(factor) in values for factor, values in wanted.items())


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
    return known["reduction"] not in _choices(OPS[known["loss"]], "reduction")


def _not_prepared(known: Mapping[str, str]) -> bool:
    """The last activation before a loss of probabilities is the one that makes them."""
    wanted = PREPARED.get(known.get("loss", ""))
    ends = _has(known, position=("only", "last")) or _has(known, depth=("1",))
    return wanted is not None and ends and known.get("activation", wanted) != wanted


_REASONS = (
    ("a loss of probabilities stands behind what makes them", _not_prepared),
    ("the layer has a bias attribute or has none", _wrong_bias),
    ("the layer has no parameters to share", _nothing_to_share),
    ("the loss does not take that reduction", _reduction_not_taken),
    ("one layer is the only one", lambda k: _has(k, position=("only",), depth=("2", "more"))),
    ("one layer is the only one", lambda k: _has(k, position=("first", "middle", "last"), depth=("1",))),
    ("two layers have no middle", lambda k: _has(k, position=("middle",), depth=("2",))),
    (
        "an embedding takes an input; behind other layers it is added to them",
        lambda k: _has(k, layer=("embedding",), position=("last",)),
    ),
    ("sharing takes two layers", lambda k: _has(k, sharing=("yes",), depth=("1",))),
    ("sharing takes two layers", lambda k: _has(k, sharing=("yes",), position=("only",))),
    ("a layer is an operation or an activation", lambda k: _has(k, layer=(NONE,), activation=(NONE,))),
)

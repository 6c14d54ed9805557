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
from crosscheck.spec.impossible import ENTANGLED, MOST_AXES, NONE, Cell, choices_of, has, impossible, least_rank
from crosscheck.spec.op import Value
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
Row = tuple[str, ...]


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
        layers = [*named["layer"], *named["merge"]]
        reductions = dict.fromkeys(r for op in named["loss"] for r in _reductions(op, fixed))
        return cls(
            {
                # An activation may be a layer of its own, and a layer may have none behind it, where there are both.
                "layer": (*layers, *([NONE] if named["activation"] else [])),
                "activation": (*named["activation"], *([NONE] if layers or not named["activation"] else [])),
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
        if reason is None and has(known, batch=(NONE,), reduction=("batch_mean",)):
            reason = None if "reshape" in self.values["layer"] else "a vector has no batch, and nothing gives it one"
        if reason is None and has(known, batch=(NONE,)) and least_rank(known.get("layer", NONE)) > self._most_axes():
            reason = "a vector has too few axes for the layer, and nothing gives it more"
        return reason

    def _most_axes(self) -> int:
        """How many axes the operations of this run can give to a vector."""
        given = {"reshape": MOST_AXES, "embedding": 2}
        return max((axes for op, axes in given.items() if op in self.values["layer"]), default=1)

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
    return choices_of(OPS[loss], "reduction") if held is None else (str(held),)

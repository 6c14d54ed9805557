"""Planned cases: choices of indices into what a menu offers, and where the wanted values stand in its lists.

A planned case is a choice like a drawn one, so that it shrinks like one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import ORDERS, Case
from crosscheck.spec.factors import Row, how_many, rows
from crosscheck.spec.impossible import NONE, impossible
from crosscheck.spec.op import Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.architectures import FURTHER_SIZES, Menu, assembled
from crosscheck.strategies.values import make_case

# Which layers a network of this depth has.
POSITIONS = {"1": ("only",), "2": ("first", "last"), "more": ("first", "middle", "middle", "middle", "last")}
# Losses whose value is the same whatever a single class, or a single coordinate, is given.
OF_CLASSES = ("softmax_cross_entropy", "nll", "kl_div", "cosine_similarity")
# The factors of a whole network, and those of a layer beside its position.
WHOLE = ("loss", "reduction", "dtype", "batch", "depth", "family", "order")
SLOT = ("layer", "activation", "bias", "width", "sharing")
# (op, variant, activation, joint)
Layer = tuple[int, int, int, int]


@dataclass(frozen=True)
class Choices:
    """A drawn case as indices into what its menu offers. `layers`: (op, variant, activation, joint)."""

    shape: int
    further: int
    layers: tuple[Layer, ...]
    loss: int
    attributes: tuple[int, ...]
    dtype: int
    family: int
    order: int
    seed: int


class Planner:
    """Turns choices into cases."""

    def __init__(self, menu: Menu, dtypes: Sequence[str], families: Sequence[str], points: int) -> None:
        self.menu, self.dtypes, self.families, self.points = menu, tuple(dtypes), tuple(families), points
        # The last network is asked about several times in a row while it is planned.
        self._last: tuple[Choices, Architecture] | None = None

    def architecture(self, chosen: Choices) -> Architecture:
        if self._last is None or self._last[0] != chosen:
            self._last = chosen, self._built(chosen)
        return self._last[1]

    def _built(self, chosen: Choices) -> Architecture:
        menu = self.menu
        plans = [
            menu.plan(menu.ops[op], number, menu.activations[activation], menu.joints[joint])
            for op, number, activation, joint in chosen.layers
        ]
        offered = zip(menu.loss_attributes.items(), chosen.attributes, strict=True)
        drawn: dict[str, Value] = {name: values[i] for (name, values), i in offered}
        loss = menu.loss(menu.losses[chosen.loss], drawn)
        return assembled(menu, menu.shapes[chosen.shape], FURTHER_SIZES[chosen.further], plans, loss)

    def flat(self, chosen: Choices) -> tuple[Any, ...]:
        """The choices as Hypothesis records them for the strategy of random cases: none where there is no choice."""
        menu = self.menu
        sizes = (len(menu.ops), menu.most_variants, len(menu.activations), len(menu.joints))
        listed = [
            item
            for layer in chosen.layers
            for item in (True, *(place for place, size in zip(layer, sizes, strict=True) if size > 1))
        ]
        attributes = zip(chosen.attributes, menu.loss_attributes.values(), strict=True)
        rest = (
            (chosen.loss, len(menu.losses)),
            *((place, len(values)) for place, values in attributes),
            (chosen.dtype, len(self.dtypes)),
            (chosen.family, len(self.families)),
            (chosen.order, len(ORDERS)),
        )
        return (
            chosen.shape,
            chosen.further,
            *listed,
            False,
            *(place for place, size in rest if size > 1),
            chosen.seed,
        )

    def case(self, chosen: Choices) -> Case:
        return make_case(
            self.architecture(chosen),
            family=self.families[chosen.family],
            seed=chosen.seed,
            points=self.points,
            dtype=self.dtypes[chosen.dtype],
            order=ORDERS[chosen.order],
        )

    def rows(self, chosen: Choices) -> tuple[Row, ...]:
        """What the network really combines."""
        names = self.dtypes[chosen.dtype], self.families[chosen.family], ORDERS[chosen.order]
        return rows(self.architecture(chosen), *names)


class Places:
    """Where in the menu's lists the wanted values stand."""

    def __init__(self, planner: Planner) -> None:
        self._planner, self._menu = planner, planner.menu
        # Whether every pair is held: then what has one column is put where something can be seen of it, for triples.
        self.beyond_pairs = False
        self._activations: dict[str, list[int]] = {}
        for i, activation in enumerate(self._menu.activations):
            self._activations.setdefault(activation[0] if activation else NONE, []).append(i)
        self._merges: dict[str, list[int]] = {}
        for i, joint in enumerate(self._menu.joints):
            if joint.merge is not None:
                self._merges.setdefault(joint.merge, []).append(i)
        self._shapes: dict[str, list[int]] = {}
        for i, shape in enumerate(self._menu.shapes):
            self._shapes.setdefault(how_many(shape[0]) if len(shape) > 1 else NONE, []).append(i)

    def layers(self, wanted: Mapping[str, str], random: np.random.Generator) -> list[Layer]:
        """One layer, or two: the activation behind a merge is a layer of the list."""
        op = wanted["layer"]
        activation = _one_of(self._activations.get(wanted["activation"], [0]), random)
        if op in self._merges:
            # Where every layer is an operation, the merge stands behind one of any size.
            variant = int(random.integers(self._menu.most_variants)) if None not in self._menu.ops else 0
            merged = (self._nothing, variant, self._activations[NONE][0], _one_of(self._joints(op, wanted), random))
            behind: Layer = (self._nothing, 0, activation, 0)
            return [merged, behind] if wanted["activation"] != NONE else [merged]
        if op == NONE:
            return [(self._nothing, 0, activation, 0)]
        joint = next((i for i, j in enumerate(self._menu.joints) if j.share), 0) if wanted["sharing"] == "yes" else 0
        if joint == 0 and random.random() < 0.5:
            joint = next((i for i, j in enumerate(self._menu.joints) if j.extras), 0)
        layer = (self._menu.ops.index(op), self._variant(op, wanted, random), activation, joint)
        return [(*layer[:3], 0), layer] if wanted["sharing"] == "yes" else [layer]

    def _joints(self, op: str, wanted: Mapping[str, str]) -> list[int]:
        """Of a merge; one column stays one where they are put together on another axis."""
        other = [i for i in self._merges[op] if self._menu.joints[i].axis != -1]
        narrow = self.beyond_pairs and op == "concat" and wanted["width"] == "1"
        return other if narrow and other else self._merges[op]

    @property
    def _nothing(self) -> int:
        return self._menu.ops.index(None) if None in self._menu.ops else 0

    def _variant(self, op: str, wanted: Mapping[str, str], random: np.random.Generator) -> int:
        variants = self._menu.variants(op)
        biased = [i for i, v in enumerate(variants) if v.get("bias") in (None, wanted["bias"] == "yes")]
        sizes = [a.name for a in OPS[op].attributes if a.default is None and a.type == "int"]
        fitting = [i for i in biased if any(how_many(int(variants[i][n])) == wanted["width"] for n in sizes)]
        return _one_of(fitting or biased or list(range(len(variants))), random)

    def choices(self, whole: Mapping[str, str], layers: tuple[Layer, ...], random: np.random.Generator) -> Choices:
        attributes = []
        for name, values in self._menu.loss_attributes.items():
            picked = random.integers(len(values))
            wanted = name == "reduction" and whole["reduction"] in values
            attributes.append(values.index(whole["reduction"]) if wanted else int(picked))
        return Choices(
            shape=_one_of(self._shapes.get(whole["batch"], [0]), random),
            further=int(random.integers(len(FURTHER_SIZES))),
            layers=layers,
            loss=self._menu.losses.index(whole["loss"]),
            attributes=tuple(attributes),
            dtype=self._planner.dtypes.index(whole["dtype"]),
            family=self._planner.families.index(whole["family"]),
            order=ORDERS.index(whole["order"]),
            seed=0,
        )

    def of_several(self, chosen: Choices, random: np.random.Generator) -> Choices:
        """The same with more than one column at the end, if its last layer that has a size, or its input, can have it.

        Only a layer's size is changed, or the input's shape: its other attributes stay as they were chosen.
        """
        for place in reversed(range(len(chosen.layers))):
            op, number, *rest = chosen.layers[place]
            name = self._menu.ops[op]
            sized = [a.name for a in OPS[name].attributes if a.default is None and a.type == "int"] if name else []
            if name is None or not sized:
                continue
            variants = self._menu.variants(name)
            own = {k: v for k, v in variants[number].items() if k not in sized}
            wide = [
                i
                for i, v in enumerate(variants)
                if own.items() <= v.items() and all(int(v[size]) > 1 for size in sized)
            ]
            if all(int(variants[number][size]) > 1 for size in sized) or not wide:
                return chosen
            layer: Layer = (op, _one_of(wide, random), rest[0], rest[1])
            return replace(chosen, layers=(*chosen.layers[:place], layer, *chosen.layers[place + 1 :]))
        shapes = self._menu.shapes
        alike = [i for i, s in enumerate(shapes) if len(s) == len(shapes[chosen.shape]) and s[-1] > 1]
        same = [i for i in alike if shapes[i][:-1] == shapes[chosen.shape][:-1]]
        narrow = shapes[chosen.shape][-1] == 1 and (same or alike)
        return replace(chosen, shape=_one_of(same or alike, random)) if narrow else chosen


def _one_of(places: Sequence[int], random: np.random.Generator) -> int:
    return places[int(random.integers(len(places)))]


def place_of(asked: Mapping[str, str], whole: Mapping[str, str], positions: Sequence[str]) -> int:
    """The last place that may hold what was asked for; where it is shared, another layer follows."""
    places = range(len(positions))[: -1 if asked.get("sharing") == "yes" and len(positions) > 1 else None]
    wanted = [place for place in places if positions[place] == asked.get("position", positions[place])]
    known = {**whole, **asked}
    return next(
        (place for place in reversed(wanted) if possible(known | {"position": positions[place]})),
        (wanted or places)[-1],
    )


def stands_somewhere(known: Mapping[str, str]) -> bool:
    """Whether the values go together, at some position of a network of their depth."""
    positions = POSITIONS.get(known.get("depth", ""), ())
    if "position" in known or not positions:
        return possible(known)
    return any(possible({**known, "position": place}) for place in positions)


def possible(known: Mapping[str, str]) -> bool:
    return impossible(tuple(known.items())) is None


def may_stand(factors: Sequence[str], values: Sequence[str]) -> bool:
    """Whether the factors of a whole network, as far as they are chosen, go together."""
    return impossible(tuple(zip(factors, values, strict=False))) is None

"""Networks around a triple of values, packed with what else is wanted of triples.

A network of five layers holds five triples of a layer, its activation and the loss: so many networks fewer are needed
where each layer is chosen for what it adds. What was asked for is placed first, and then what has room beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from crosscheck.strategies.numbered import Bools, Numbered
from crosscheck.strategies.planning import (
    OF_CLASSES,
    POSITIONS,
    SLOT,
    WHOLE,
    Choices,
    Layer,
    Places,
    possible,
    stands_somewhere,
)
from crosscheck.strategies.triples import Triples

# How many layers with their activations are compared in all their widths and biases.
TOP = 8


class Packer:
    """Plans networks around triples; `places` says where in the menu the values stand."""

    def __init__(self, numbered: Numbered, places: Places, most_layers: int, random: np.random.Generator) -> None:
        self._numbered, self._places, self._most, self._random = numbered, places, most_layers, random
        self._values = numbered.grid.values

    def network(self, asked: Mapping[str, str], triples: Triples, *, plain: bool) -> Choices:
        """A network that may hold the values asked for; where it is `plain`, beside layers that fit everything."""
        wanted = np.zeros_like(triples.wanted) if plain else triples.wanted.copy()
        whole = self._whole(asked, wanted)
        mine = {factor: value for factor, value in asked.items() if factor not in WHOLE}
        positions = POSITIONS[whole["depth"]]
        place = self._place(mine, whole, positions)
        planned: dict[int, list[Layer]] = {}
        deep = 0
        for number in _inwards(place, len(positions)):
            here = mine if number == place else self._beside(plain)
            found = self._best(whole | {"position": positions[number]}, here, wanted)
            if found is None:
                continue
            layers = self._places.layers(found, self._random)
            rows = 2 if found["sharing"] == "yes" else 1
            room = self._most - sum(map(len, planned.values()))
            if not deep or (deep + rows <= len(positions) and len(layers) <= room):
                planned[number] = layers
                deep += rows
                row = self._numbered.row(whole | {"position": positions[number]} | found)
                wanted[np.ix_(row, row, row)] = False  # so that the next layer is another
        flat = tuple(layer for number in sorted(planned) for layer in planned[number])
        return self._places.choices(whole, flat, self._random)

    def _place(self, asked: Mapping[str, str], whole: Mapping[str, str], positions: Sequence[str]) -> int:
        """A place that may hold what was asked for, by chance.

        What has one column does not stand last before a loss of classes: of one class alone nothing can be seen.
        """
        places = self._random.permutation(len(positions)).tolist()
        if asked.get("width") == "1" and whole["loss"] in OF_CLASSES:
            places.sort(key=lambda place: place == len(positions) - 1)
        known = {**whole, **asked}
        wanted = [place for place in places if positions[place] == asked.get("position", positions[place])] or places
        return int(next((p for p in wanted if possible(known | {"position": positions[p]})), wanted[0]))

    def _beside(self, plain: bool) -> dict[str, str]:
        """What is asked of the other layers."""
        fillers = [op for op in ("dense", "reshape") if op in self._values["layer"]]
        if not (plain and fillers):
            return {}
        return {"layer": fillers[int(self._random.integers(len(fillers)))], "sharing": "no"}

    def _whole(self, asked: Mapping[str, str], wanted: Bools) -> dict[str, str]:
        """A value for every factor of a whole network, one after the other in an order of chance."""
        known = dict(asked)
        for factor in self._random.permutation([f for f in WHOLE if f not in asked]).tolist():
            values = [v for v in self._values[factor] if stands_somewhere(known | {factor: v})] or self._values[factor]
            known[factor] = self._of_most(factor, values, known, wanted)
        return {factor: known[factor] for factor in WHOLE}

    def _of_most(self, factor: str, values: Sequence[str], known: Mapping[str, str], wanted: Bools) -> str:
        ids, row = [self._numbered.ids[factor, value] for value in values], self._numbered.row(known)
        score = wanted[np.ix_(ids, row, row)].sum(axis=(1, 2)) + self._random.random(len(values))
        return values[int(score.argmax())]

    def _best(self, known: Mapping[str, str], asked: Mapping[str, str], wanted: Bools) -> dict[str, str] | None:
        """The values of a layer, those asked for among them, that hold most of what is wanted.

        None where no layer can have what was asked for.
        """
        others = [[asked[f]] if f in asked else self._values[f] for f in SLOT[2:]]
        candidates = [
            dict(zip(SLOT, (*top, *rest), strict=True))
            for top in self._top(known, asked, wanted)
            for rest in product(*others)
        ]
        table = np.array([self._numbered.row({**known, **candidate}) for candidate in candidates])
        can_be = self._numbered.can_be(table)
        if not can_be.any():
            return None
        a, b, c = (
            table[:, :, np.newaxis, np.newaxis],
            table[:, np.newaxis, :, np.newaxis],
            table[:, np.newaxis, np.newaxis],
        )
        gains = wanted[a, b, c].sum(axis=(1, 2, 3)) + self._random.random(len(table))
        return candidates[int(np.where(can_be, gains, -1).argmax())]

    def _top(self, known: Mapping[str, str], asked: Mapping[str, str], wanted: Bools) -> list[tuple[str, str]]:
        """The layers with their activations that hold most of what is wanted beside what is known."""
        given = self._numbered.row({**known, **asked})
        layers, activations = ([asked[f]] if f in asked else list(self._values[f]) for f in ("layer", "activation"))
        rows, columns = (
            [self._numbered.ids["layer", v] for v in layers],
            [self._numbered.ids["activation", v] for v in activations],
        )
        among = wanted[np.ix_(range(len(wanted)), given, given)].sum(axis=(1, 2)) / 2
        score = among[rows][:, np.newaxis] + among[columns] + wanted[np.ix_(rows, columns, given)].sum(axis=2)
        score = score + self._random.random(score.shape)
        score[~self._numbered.pairs[np.ix_(rows, columns)]] = -1
        best = np.argsort(score, axis=None)[::-1][:TOP]
        return [(layers[a], activations[b]) for a, b in (divmod(int(i), len(activations)) for i in best)]


def _inwards(place: int, depth: int) -> list[int]:
    """What was asked for first, then the ends, which make the middle one."""
    return list(dict.fromkeys((place, 0, depth - 1, *range(depth))))

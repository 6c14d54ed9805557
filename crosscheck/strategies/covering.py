"""The systematic phase: networks that together hold every pair of values of all factors that can be had.

The factors of a whole network (loss, reduction, dtype, batch, depth, family, memory order) come as rows of a pairwise
covering array, made by allpairspy. The layers of each network are then filled in one after the other, each with what
covers most pairs that no network holds yet: of the values within the layer, and of them with those of the network. What
counts is what the built network holds, not what was asked of it. Then come chains of operations, until every legal edge
was there, networks around triples that none has held, and both again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np
from allpairspy import AllPairs
from numpy.typing import NDArray

from crosscheck.spec.case import Case
from crosscheck.spec.factors import FACTORS, Grid
from crosscheck.spec.ops import OPS
from crosscheck.strategies import edges, shoulders, visible
from crosscheck.strategies.numbered import Numbered
from crosscheck.strategies.packing import Packer
from crosscheck.strategies.planning import (
    OF_CLASSES,
    POSITIONS,
    SLOT,
    WHOLE,
    Choices,
    Places,
    Planner,
    may_stand,
    place_of,
    stands_somewhere,
)
from crosscheck.strategies.triples import Triples

# How many ops and activations are compared for a layer, and how many networks in vain are tried for what is left, and
# around one pair.
TOP = 5
PATIENCE = 300
PAIR_ATTEMPTS = 120
# So many networks come before those on the shoulders of activations: they show most bugs, and the simplest.
AT_FIRST = 40
# How often a network is planned around a triple before the next one has its turn, round by round; and so many in a row
# that hold nothing new end it: of some operations there are triples that cannot be had for no reason that is known.
ATTEMPTS, FRUITLESS = (4, 12, 24, 48, 400), 4000
# Of so many networks one may end in a single class, where all losses are of classes.
SELDOM = 4
# The first few of them are packed with what else is wanted.
PACKED = 2
# Every edge and every triple comes so often: of one network alone nothing may be seen, where it saturates. From the
# second time the edges have numbers of these families.
TIMES = 3
EVERYDAY = ("normal", "initialised")


class Array:
    """The networks of the systematic phase, made as they are asked for; `open` are the pairs that none holds yet."""

    def __init__(self, planner: Planner) -> None:
        self.planner, self.menu = planner, planner.menu
        self.grid = Grid.of(self.menu.space.ops, planner.dtypes, planner.families, self.menu.space.fixed)
        self._numbered = Numbered(self.grid)
        self._ids, self._names, self._row = self._numbered.ids, self._numbered.names, self._numbered.row
        self._open = self._numbered.pairs.copy()
        self._around_few = False
        # Where no other loss is, one class at the end shows nothing: then few networks have it.
        self._of_classes_alone = set(self.menu.losses) <= set(OF_CLASSES)
        self._planned = 0
        self._random = np.random.default_rng(0)
        self._made: list[Choices] = []
        self._source = self._networks()
        self._places = Places(planner)
        self._packer = Packer(self._numbered, self._places, self.menu.space.most_layers, self._random)

    def __getitem__(self, index: int) -> Choices | None:
        """Network `index`; None beyond the last."""
        while len(self._made) <= index:
            found = next(self._source, None)
            if found is None:
                return None
            self._made.append(found)
        return self._made[index]

    def case(self, index: int, seed: int) -> Case | None:
        """The case of network `index` with the numbers of a seed."""
        chosen = self._seeded(index, seed)
        return None if chosen is None else self.planner.case(chosen)

    def choices(self, index: int, seed: int) -> tuple[Any, ...] | None:
        """What Hypothesis would have had to draw for that case."""
        chosen = self._seeded(index, seed)
        return None if chosen is None else self.planner.flat(chosen)

    def _seeded(self, index: int, seed: int) -> Choices | None:
        chosen = self[index]
        if chosen is None:
            return None
        digest = hashlib.sha256(f"crosscheck/{seed}/{index}".encode()).digest()
        return replace(chosen, seed=int.from_bytes(digest[:4], "little"))

    @property
    def open(self) -> int:
        """How many possible pairs no network holds yet."""
        return int(np.count_nonzero(np.triu(self._open)))

    def _networks(self) -> Iterator[Choices]:
        covering = self._covering()
        yield from islice(covering, AT_FIRST)
        yield from self._on_shoulders()
        yield from covering
        yield from self._left_over()
        self._around_few = True
        yield from self._shown_pairs()
        triples = Triples(self._numbered.triples)
        self._places.beyond_pairs = True
        yield from self._chains()
        for times in range(1, TIMES):
            yield from self._around_triples(triples, times)
            yield from self._chains(EVERYDAY)
        yield from self._around_triples(triples, TIMES)

    def _on_shoulders(self) -> Iterator[Choices]:
        for chosen in shoulders.networks(self.planner, np.random.default_rng(1)):
            self._hold(self._held_by(chosen))
            yield chosen

    def _covering(self) -> Iterator[Choices]:
        """Those of the covering array's rows that hold a pair which none did before."""
        factors = [factor for factor in WHOLE if factor != "depth"]
        rows = AllPairs([list(self.grid.values[factor]) for factor in factors], filter_func=partial(may_stand, factors))
        for number, values in enumerate(rows):
            before = self.open
            # A deep network holds most; of the others there are enough for every operation to stand alone.
            depth = "1" if number % 5 == 3 else "2" if number % 8 == 5 else "more"
            made = self._filled({**dict(zip(factors, values, strict=True)), "depth": depth}, {})
            if self.open < before:
                yield made

    def _left_over(self) -> Iterator[Choices]:
        fruitless = 0
        while self.open and fruitless < PATIENCE:
            before = self.open
            made = self._filled(*self._around(self._some_open_pair()))
            fruitless = 0 if self.open < before else fruitless + 1
            if self.open < before:
                yield made

    def _shown_pairs(self) -> Iterator[Choices]:
        """Networks around pairs that were only in networks of which nothing can be seen."""
        held, unseen = self._open, self._numbered.pairs.copy()
        for chosen in self._made:
            _clear(unseen, self._shown_by(chosen, by_penalty=False))
        for pair in self._random.permutation(np.argwhere(np.triu(unseen))):
            for attempt in range(PAIR_ATTEMPTS if unseen[tuple(pair)] else 0):
                self._open = unseen.copy()  # so that it is filled with what else was not seen
                # Of several numbers side by side more is seen than of one.
                wanted = ({"width": "more"} if attempt % 2 == 0 else {}) | dict(self._names[i] for i in pair)
                planned = self._filled(*self._around(wanted))
                self._open, shown = held, self._shown_by(planned, by_penalty=False)
                if any(set(pair.tolist()) <= set(row) for row in shown):
                    _clear(unseen, shown)
                    yield planned
                    break

    def _chains(self, families: Sequence[str] = ()) -> Iterator[Choices]:
        """Networks of one op behind the other, until every legal edge was there or no way to one is found.

        With numbers of these families, where the run has any of them.
        """
        families = [family for family in families if family in self.grid.values["family"]]
        wanted = set(edges.legal(self.menu))
        fruitless = 0
        while wanted and fruitless < PATIENCE:
            chosen, met = self._chain(wanted, families)
            fruitless = fruitless + 1 if met.isdisjoint(wanted) else 0
            if not met.isdisjoint(wanted):
                wanted -= met
                yield chosen

    def _chain(self, wanted: set[edges.Edge], families: Sequence[str]) -> tuple[Choices, set[edges.Edge]]:
        """A chain of open edges, and all edges that its network has."""
        whole = {factor: str(self._random.permutation(self.grid.values[factor])[0]) for factor in WHOLE}
        if families:
            whole["family"] = families[int(self._random.integers(len(families)))]
        start, target = sorted(wanted)[int(self._random.integers(len(wanted)))]
        ops = [start] if OPS[target].kind == "loss" else [start, target]
        while True:
            loss = next((b for a, b in sorted(wanted) if a == ops[-1] and OPS[b].kind == "loss"), whole["loss"])
            layers = tuple(edges.layer_of(self.menu, op, self._variant_of(op)) for op in ops)
            chosen = self._places.choices(whole | {"loss": loss}, layers, self._random)
            architecture = self.planner.architecture(chosen)
            met = set(architecture.edges)
            (last, *_) = architecture.loss.inputs
            following = sorted(b for a, b in wanted - met if a == ops[-1] and OPS[b].kind != "loss")
            fitting = [b for b in following if edges.fitting(self.menu, b, architecture.shape_of(last)) is not None]
            if len(ops) >= self.menu.space.most_layers or not fitting:
                return chosen, met
            ops.append(fitting[int(self._random.integers(len(fitting)))])

    def _variant_of(self, op: str) -> int:
        return 0 if OPS[op].kind == "merge" else int(self._random.integers(len(self.menu.variants(op))))

    def _around_triples(self, triples: Triples, times: int) -> Iterator[Choices]:
        """Networks around triples that fewer networks have held so far, in an order of chance.

        A network that was planned around a triple need not hold it: what does not fit gives way. It is planned anew
        a few times, and is drawn only if it holds the triple.
        """
        for chosen in self._made[triples.networks :]:
            triples.hold(self._shown_by(chosen))
        triples.want(times)
        fruitless = 0
        for attempts in ATTEMPTS:
            for ids in self._random.permutation(triples.left(times)):
                if triples.often(ids) >= times:
                    continue  # a network planned around another one holds it
                if fruitless >= FRUITLESS:
                    return
                planned = self._holding(ids, attempts, triples)
                fruitless = fruitless + attempts if planned is None else 0
                if planned is not None:
                    triples.hold(self._shown_by(planned))
                    yield planned

    def _holding(self, ids: NDArray[np.int_], attempts: int, triples: Triples) -> Choices | None:
        asked = dict(self._names[i] for i in ids)
        for attempt in range(attempts):
            chosen = self._packer.network(asked, triples, plain=attempt >= PACKED)
            if any(set(ids.tolist()) <= set(row) for row in self._shown_by(chosen)):
                return chosen
        return None

    def _shown_by(self, chosen: Choices, *, by_penalty: bool = True) -> list[list[int]]:
        """What it holds, if anything can be seen of it: of one class alone every gradient is 0, but for a penalty's.

        That is enough for triples, of which some have one class whatever else; pairs are to be seen without. For these
        nothing else is asked: that a pair was compared is counted, and looked at.
        """
        architecture = self.planner.architecture(chosen)
        if by_penalty:
            seen = visible.penalised(architecture) or visible.shows(architecture)
        else:
            loss = architecture.loss
            seen = not visible.of_one_class(loss, architecture.shape_of(loss.inputs[0]))
        return self._held_by(chosen) if seen else []

    def _held_by(self, chosen: Choices) -> list[list[int]]:
        rows = self.planner.rows(chosen)
        return [self._row(dict(zip(FACTORS, values, strict=True))) for values in rows]

    def _some_open_pair(self) -> dict[str, str]:
        pairs = np.argwhere(np.triu(self._open))
        return dict(self._names[i] for i in pairs[self._random.integers(len(pairs))])

    def _around(self, wanted: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Values for a whole network that has these, and what of these belongs to one of its layers."""
        layer = {factor: value for factor, value in wanted.items() if factor not in WHOLE}
        whole = {factor: value for factor, value in wanted.items() if factor in WHOLE}
        for factor in self._random.permutation(WHOLE).tolist():
            values = [value for value in self.grid.values[factor] if stands_somewhere(whole | layer | {factor: value})]
            if factor not in whole:
                values = values or list(self.grid.values[factor])
                whole[factor] = values[int(self._random.integers(len(values)))]
        return {factor: whole[factor] for factor in WHOLE}, layer

    def _filled(self, whole: dict[str, str], asked: dict[str, str]) -> Choices:
        """A network of these values, its layers filled with what covers most; what it holds is covered.

        `asked` are values for one of its layers.
        """
        before, layers = self._open.copy(), []
        positions = POSITIONS[whole["depth"]]
        place = place_of(asked, whole, positions)
        # Beside what was asked for stands what fits everything, every other time.
        fillers = [op for op in ("dense", "reshape") if op in self.menu.ops]
        plain = fillers[int(self._random.integers(len(fillers)))] if asked and fillers else None
        plain = plain if self._random.integers(2) else None
        for number, position in enumerate(positions):
            others = {"layer": plain, "sharing": "no"} if plain else {}
            mine = asked if number == place else others
            known = whole | {"position": position}
            wanted = self._best(known, mine)
            layers += self._places.layers(wanted, self._random)
            self._hold([self._row(known | wanted)])  # so that the next layer is another
            if len(layers) >= len(positions) > 1:
                break
        chosen = self._places.choices(whole, tuple(layers[: self.menu.space.most_layers]), self._random)
        self._planned += 1
        if self._of_classes_alone and self._planned % SELDOM:
            chosen = self._places.of_several(chosen, self._random)
        self._open = before
        self._hold(self._held_by(chosen))
        return chosen

    def _best(self, known: dict[str, str], asked: dict[str, str]) -> dict[str, str]:
        """The values of a layer, those asked for among them, that cover most open pairs beside those known."""
        given = [self._ids[item] for item in known.items()]
        weight = self._open[:, given].sum(axis=1) + self._random.random(len(self._ids))
        tops = {f: [asked[f]] if f in asked else self._top(f, weight, known | asked) for f in ("layer", "activation")}
        others = ([asked[f]] if f in asked else self.grid.values[f] for f in ("bias", "width", "sharing"))
        candidates = [dict(zip(SLOT, values, strict=True)) for values in product(*tops.values(), *others)]
        table = np.array([self._row(known | candidate) for candidate in candidates])
        gains = self._open[table[:, :, np.newaxis], table[:, np.newaxis, :]].sum(axis=(1, 2))
        can_be = self._numbered.can_be(table)
        if not can_be.any():
            return dict(zip(SLOT, (self.grid.values[f][0] for f in SLOT), strict=True))
        return candidates[int(np.where(can_be, gains, -1).argmax())]

    def _top(self, factor: str, weight: NDArray[np.float64], known: Mapping[str, str]) -> list[str]:
        """The few values of a factor with the most open pairs; each also by what it misses within the layer.

        Around a pair or triple, where few are open, of those that go with what is known.
        """
        values: Sequence[str] = self.grid.values[factor]
        if self._around_few:
            values = [value for value in values if stands_somewhere({**known, factor: value})] or values
        other = "activation" if factor == "layer" else "layer"
        partners = [self._ids[other, value] for value in self.grid.values[other]]
        score = [weight[self._ids[factor, v]] + 0.1 * self._open[self._ids[factor, v], partners].sum() for v in values]
        return [values[i] for i in np.argsort(score)[::-1][:TOP]]

    def _hold(self, rows: Iterable[Sequence[int]]) -> None:
        _clear(self._open, rows)


def _clear(pairs: NDArray[np.bool_], rows: Iterable[Sequence[int]]) -> None:
    for row in rows:
        pairs[np.ix_(row, row)] = False

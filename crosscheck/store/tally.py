"""Counting a run: cases go in one by one, in any order, and the parts of the record come out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from crosscheck.judge.compare import Status, TensorJudgement, difference
from crosscheck.judge.verdict import Judgement
from crosscheck.spec.architecture import Architecture, Loss, Node
from crosscheck.spec.case import Case
from crosscheck.spec.impossible import full_roles
from crosscheck.spec.ops import OPS
from crosscheck.spec.record import (
    Agreement,
    Certification,
    Coverage,
    Deviation,
    Entries,
    KinkMet,
    OracleRecord,
    Resolution,
    number,
)
from crosscheck.spec.result import Array, DeviationMet, Floats
from crosscheck.store.combinations import Edge, Held
from crosscheck.tolerance.formats import FORMATS

# Resolutions are counted in bins of a twentieth of a decade: the median is exact to 12 %.
BINS = 20


@dataclass
class PairTally:
    """One pair of parties: comparisons, differences, and the worst error in units of the bound and in ulps."""

    comparisons: int = 0
    disagreements: int = 0
    worst_bounds: float = 0.0
    worst_ulps: float = 0.0

    def add(self, errors: Floats, bounds: Floats, values: Array, informative: Array, dtype: str = "float64") -> None:
        """Entries of one tensor in this dtype; `values` are those of one party, for the size of an ulp."""
        asked = np.isfinite(bounds) & informative
        if not asked.any():
            return
        e, b = errors[asked], bounds[asked]
        self.comparisons += e.size
        self.disagreements += int(np.count_nonzero(~(e <= b)))
        # Ulps of the tensor's largest entry: a cancelled entry has none of its own to speak of, and a tensor
        # that is lost in its bound has none at all.
        size = np.abs(values.astype(np.float64))
        largest = np.broadcast_to(size.max(axis=tuple(range(1, size.ndim)), keepdims=True), size.shape)[asked]
        with np.errstate(all="ignore"):
            in_bounds = np.where(b > 0, e / b, np.where(e > 0, np.inf, 0.0))
            clear = largest > b
            in_ulps = e[clear] / np.maximum(largest[clear] * 2 * FORMATS[dtype].roundoff, FORMATS[dtype].smallest)
        self.worst_bounds = _worst(self.worst_bounds, in_bounds)
        self.worst_ulps = _worst(self.worst_ulps, in_ulps)


def _worst(so_far: float, values: Floats) -> float:
    if not values.size:
        return so_far
    if np.isnan(values).any():
        return math.inf
    return max(so_far, float(values.max()))


@dataclass
class Tally:
    """Everything counted so far."""

    cases: int = 0
    points: int = 0
    status: Counter[Status] = field(default_factory=Counter)
    by_design: int = 0
    not_claimed: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    resolution: dict[str, Counter[int]] = field(default_factory=dict)
    pairs: dict[tuple[str, str], PairTally] = field(default_factory=dict)
    answered: Counter[str] = field(default_factory=Counter)
    gaps: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    roles: dict[str, Counter[str]] = field(default_factory=dict)
    losses: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    depths: Counter[str] = field(default_factory=Counter)
    deviations: Counter[DeviationMet] = field(default_factory=Counter)
    unclaimed_names: Counter[str] = field(default_factory=Counter)
    witness_resolution: dict[str, Counter[int]] = field(default_factory=dict)
    certified_entries: int = 0
    void: int = 0
    proofs: Counter[str] = field(default_factory=Counter)
    most_bits: int = 0
    kinks: set[str] = field(default_factory=set)
    directed: int = 0
    untraced: int = 0
    seen_along: float = 0.0
    held: Held | None = None
    places: dict[tuple[str, float | None], tuple[int, int]] = field(default_factory=dict)

    def add(self, case: Case, judgement: Judgement) -> None:
        """Count one judged case."""
        self.cases += 1
        self.points += case.n_points
        self.verdicts[judgement.verdict.name] += 1
        self.answered.update(list(judgement.references))
        self.families[case.family] += 1
        self.dtypes[case.dtype] += 1
        self.losses[case.architecture.loss.op] += 1
        self.depths[str(len(case.architecture.nodes))] += 1
        self.deviations.update(judgement.deviations)
        kinds = {"an input" if name in case.inputs else "a parameter" for name in judgement.not_claimed}
        self.unclaimed_names.update(kinds)
        for name in judgement.not_claimed:
            shape = case.inputs[name] if name in case.inputs else case.params[name]
            self.not_claimed += int(shape.size)
        for tensor in judgement.tensors.values():
            self._tensor(case, tensor)
        self._witness_pairs(judgement)
        if judgement.contract is not None and not judgement.references:
            self.proofs["nothing to judge"] += case.n_points
        self._proof(judgement)
        self._coverage(case.architecture, judgement)
        if judgement.directed is not None and judgement.directed.by_point:
            self.directed += 1
            self.untraced += judgement.directed.untraced
            self.seen_along = max(self.seen_along, judgement.directed.seen())
        if self.held is not None and any(t.informative.any() for t in judgement.tensors.values()):
            self.held.add(case)
        for place, (exactly, near) in judgement.kinks.items():
            before = self.places.get(place, (0, 0))
            self.places[place] = (before[0] + exactly, before[1] + near)

    def add_gap(self, witness: str, op: str, reason: str) -> None:
        self.gaps.setdefault(witness, Counter())[op, reason] += 1

    def _tensor(self, case: Case, tensor: TensorJudgement) -> None:
        for status in Status:
            self.status[status] += tensor.count(status)
        if case.aims_at_kinks:
            self.by_design += tensor.count(Status.UNDECIDABLE)
        informative = tensor.informative
        self.void += int(np.count_nonzero(tensor.void))
        bins = self.resolution.setdefault(case.dtype, Counter())
        bins.update(_bins(tensor.resolution[tensor.status != Status.NOT_COMPARED]))
        for witness, errors in tensor.errors.items():
            pair = self.pairs.setdefault(("subject", witness), PairTally())
            values, bounds = tensor.values[witness], tensor.bounds[witness]
            if tensor.truth is not None and witness == tensor.truth.name:
                bounds = _of_numbers(tensor, "subject")
            pair.add(errors, bounds, values, informative, case.dtype)
        if tensor.truth is not None:
            self.certified_entries += int(np.count_nonzero(tensor.truth.answered))
            for party, found in tensor.truth.resolutions.items():
                if party != "subject":
                    counted = found[tensor.truth.answered & np.isfinite(tensor.own_bounds[party])]
                    self.witness_resolution.setdefault(party, Counter()).update(_bins(counted))

    def _proof(self, judgement: Judgement) -> None:
        proof = judgement.certified
        if proof is None:
            return
        asked = proof.bits > 0
        self.proofs["points"] += int(np.count_nonzero(asked))
        self.proofs["hulls"] += int(np.count_nonzero(proof.hull & asked))
        self.proofs["at_limit"] += int(np.count_nonzero(proof.at_limit & asked))
        self.most_bits = max(self.most_bits, int(proof.bits.max(initial=0)))
        self.kinks |= {op for op, _ in proof.kinks}

    def _witness_pairs(self, judgement: Judgement) -> None:
        names = list(judgement.references)
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                pair = self.pairs.setdefault((a, b), PairTally())
                for tensor in judgement.tensors.values():
                    allowed = tensor.own_bounds[a] + tensor.own_bounds[b]
                    if tensor.truth is not None and a == tensor.truth.name:
                        allowed = _of_numbers(tensor, b)
                    values = tensor.values[a], tensor.values[b]
                    pair.add(difference(*values), allowed, values[0], tensor.informative)

    def _coverage(self, architecture: Architecture, judgement: Judgement) -> None:
        informative = {name: int(np.count_nonzero(t.informative)) for name, t in judgement.tensors.items()}
        before = _upstream(architecture)
        for node in architecture.nodes:
            counts = self.roles.setdefault(node.op, Counter())
            for role, key in node.params.items():
                counts[role] += informative.get(key, 0)
            self._inputs(node, before, informative)
        self._inputs(architecture.loss, before, informative)

    def _inputs(self, asked: Node | Loss, before: Mapping[int, set[str]], informative: Mapping[str, int]) -> None:
        """What was decided of the gradients that pass through each input of a node, or of the loss."""
        for role, links in _inputs(asked).items():
            through = set().union(*(before[link] for link in links))
            self.roles.setdefault(asked.op, Counter())[role] += sum(informative.get(name, 0) for name in through)

    # The parts of the record.

    def entries(self) -> Entries:
        s = self.status
        disagreeing = s[Status.DISAGREE] + s[Status.ORACLE_DISAGREES]
        undecidable = s[Status.UNDECIDABLE] + s[Status.OVERFLOW]
        counted = s[Status.AGREE] + s[Status.UNINFORMATIVE] + undecidable + disagreeing
        return Entries(
            compared=counted,
            informative=s[Status.AGREE],
            uninformative=s[Status.UNINFORMATIVE],
            undecidable=undecidable,
            disagreeing=disagreeing,
            not_compared=s[Status.NOT_COMPARED] + self.not_claimed,
            undecidable_by_design=self.by_design,
            overflowed=s[Status.OVERFLOW],
            certified=self.certified_entries,
            void=self.void,
        )

    def certification(self, arbiter: str, mode: str) -> Certification:
        """What was proved in this run, by whom and on which points.

        Where a subject broke its contract there was nothing to hold against a truth: nobody was left out.
        """
        return Certification(
            arbiter=arbiter,
            mode=mode,
            points=self.proofs["points"],
            left_out=self.points - self.proofs["points"] - self.proofs["nothing to judge"],
            most_bits=self.most_bits,
            hulls=self.proofs["hulls"],
            at_limit=self.proofs["at_limit"],
        )

    def resolutions(self) -> tuple[Resolution, ...]:
        """Of the subject by dtype, then of the witnesses, who compute in float64, against the truth."""
        own = [_resolution(bins, dtype, "subject") for dtype, bins in sorted(self.resolution.items())]
        others = [_resolution(bins, "float64", party) for party, bins in self.witness_resolution.items()]
        return (*own, *others)

    def agreement(self) -> tuple[Agreement, ...]:
        return tuple(
            Agreement(
                a=a,
                b=b,
                comparisons=p.comparisons,
                disagreements=p.disagreements,
                worst_bounds=number(p.worst_bounds),
                worst_ulps=number(p.worst_ulps),
            )
            for (a, b), p in sorted(self.pairs.items())
        )

    def oracles(self, asked: Iterable[str]) -> tuple[OracleRecord, ...]:
        return tuple(
            OracleRecord(
                name=name,
                answered=self.answered[name],
                gaps=tuple((op, why, n) for (op, why), n in sorted(self.gaps.get(name, Counter()).items())),
            )
            for name in asked
        )

    def known_deviations(self) -> tuple[Deviation, ...]:
        ordered = sorted(self.deviations.items(), key=lambda item: (item[0].witness, item[0].op, item[0].where))
        return tuple(
            Deviation(witness=d.witness, op=d.op, region=d.where, size=d.size, source=d.source, cases=n)
            for d, n in ordered
        )

    def coverage(
        self,
        ops: Iterable[str],
        legal: frozenset[Edge] = frozenset(),
        illegal: Mapping[str, frozenset[Edge]] = MappingProxyType({}),
    ) -> Coverage:
        """Coverage of these ops; what was never compared is named.

        `legal` are the edges that can be had, `illegal` the others by reason.
        """
        roles = {op: dict.fromkeys(_roles(op), 0) | dict(self.roles.get(op, {})) for op in ops}
        return Coverage(
            combinations=() if self.held is None else self.held.combinations(),
            edges=None if self.held is None else self.held.edges_of(legal, illegal),
            roles=roles,
            losses=dict(sorted(self.losses.items())),
            families=dict(sorted(self.families.items())),
            dtypes=dict(sorted(self.dtypes.items())),
            depths=dict(sorted(self.depths.items(), key=lambda item: int(item[0]))),
            never_compared=tuple(f"{op}.{role}" for op, r in roles.items() for role, n in r.items() if not n),
            kinks=tuple(
                KinkMet(op=op, at=at, exactly=exactly, near=near)
                for (op, at), (exactly, near) in sorted(
                    self.places.items(), key=lambda item: (item[0][0], item[0][1] or 0)
                )
            ),
        )


def _of_numbers(tensor: TensorJudgement, party: str) -> Floats:
    """The party's bounds against the truth where that is a number; infinite where it is not known, or is a hull.

    From a hull there is no distance to speak of: its middle is nobody's value.
    """
    truth = tensor.truth
    if truth is None:
        raise ValueError("there is no truth to be held against")
    radius = tensor.own_bounds[truth.name]
    number = truth.answered & ((2.0 * radius < truth.bounds[party]) | (radius == 0))
    return np.where(number, truth.bounds[party], np.inf)


def _resolution(bins: Mapping[int, int], dtype: str, party: str) -> Resolution:
    decades: Counter[str] = Counter()
    for place, count in bins.items():
        if place < WORST:
            decades[str(min(max(place // BINS, FINEST), COARSEST))] += count
    finite = {k: v for k, v in bins.items() if k < WORST}
    return Resolution(
        dtype=dtype,
        median=_quantile(finite, 0.5),
        p95=_quantile(finite, 0.95),
        histogram=dict(sorted(decades.items(), key=lambda item: int(item[0]))),
        party=party,
    )


def _roles(op: str) -> tuple[str, ...]:
    """The roles of an op's parameters, with every choice of its attributes that gives it some, and its inputs."""
    # Whole numbers have no gradient.
    return (*full_roles(OPS[op]), *(() if op == "embedding" else ("input", *OPS[op].further)))


def _inputs(asked: Node | Loss) -> dict[str, tuple[int, ...]]:
    """By role the links that are numbers: the first is the input, the others are that too, or have names."""
    op = OPS[asked.op]
    slots = op.slots(asked.attributes, len(asked.inputs))
    links = [link for link, slot in zip(asked.inputs, slots, strict=True) if slot.dtype == "float"]
    if not op.further:
        return {"input": tuple(links)} if links else {}
    return {role: (link,) for role, link in zip(("input", *op.further), links, strict=False)}


# The histogram's ends: float64 resolves no finer than the first, and from the last on nothing is seen.
FINEST, COARSEST = -17, 0
# Above any finite resolution that is counted.
WORST = 400 * BINS


def _bins(resolution: Floats) -> dict[int, int]:
    with np.errstate(divide="ignore"):
        places = np.floor(np.log10(np.maximum(resolution, 1e-320)) * BINS)
    places = np.where(np.isfinite(places), np.minimum(places, WORST), WORST)
    found, counts = np.unique(places.astype(np.int64), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _quantile(bins: Mapping[int, int], q: float) -> float | None:
    """The middle of the bin in which the quantile lies."""
    total = sum(bins.values())
    seen = 0
    for place in sorted(bins):
        seen += bins[place]
        if seen >= q * total:
            # Three digits: more would claim what a bin does not know.
            return float(f"{10.0 ** ((place + 0.5) / BINS):.3g}")
    return None


def _upstream(architecture: Architecture) -> dict[int, set[str]]:
    """For every link the gradients that pass through it."""
    held = {-k - 1: {item.name} for k, item in enumerate(architecture.inputs)}
    for i, node in enumerate(architecture.nodes):
        held[i] = set().union(*(held[k] for k in node.inputs)) | set(node.params.values())
    return held

"""What was proved, how far every party is from it, and what each takes for the derivative exactly at a kink."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.report.sections import words
from crosscheck.spec.record import Agreement, Certification, Convention, Number, Resolution, Run

MODES = {
    "every": "every point was asked",
    "sample": "the first point of each architecture was asked, and whatever looked wrong",
    "suspects": "only what looked wrong was asked",
}
UNPROVED = (
    "No truth was certified in this run: the witnesses are held against each other. The one that proves what it says, "
    "ball, comes with python-flint."
)
# The record keeps the ends of a hull to six decimals.
HULL_ENDS = 1e-6


@dataclass(frozen=True)
class Distance:
    """A party held against the truth: how many entries are off, the worst error, and what it could resolve."""

    party: str
    tone: str
    mark: str
    off: str
    compared: str
    in_bounds: str
    ulps: str
    median: tuple[str, ...]
    p95: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """What a party takes at a kink; `outside` where no choice between the one-sided derivatives gives that."""

    text: str
    outside: bool


@dataclass(frozen=True)
class Kink:
    op: str
    at: str
    hull: str
    taken: tuple[Taken, ...]
    alike: bool


@dataclass(frozen=True)
class Truth:
    """All that the page shows of it; without an arbiter the sentences alone."""

    lead: str
    sentences: tuple[str, ...]
    distances: tuple[Distance, ...]
    parties: tuple[str, ...]
    kinks: tuple[Kink, ...]
    hulls: bool = False


def truth(run: Run, *, kinks: bool = True) -> Truth:
    """`kinks`: whether the conventions are shown too."""
    proof = run.certification
    if proof is None:
        return Truth(UNPROVED, (), (), (), ())
    told = run.conventions if kinks else ()
    parties = words.in_order({party for item in told for party in item.values})
    return Truth(
        lead=_lead(proof, run),
        sentences=tuple(_limits(proof)),
        distances=distances(run),
        parties=parties,
        kinks=tuple(_kink(item, parties) for item in told),
        hulls=proof.hulls > 0,
    )


def facts(run: Run) -> tuple[tuple[str, str], ...]:
    """What was proved, by whom and how, as names and values."""
    proof = run.certification
    if proof is None:
        return (("Certified", "nothing"),)
    return (
        ("Certified", f"{words.percent(run.entries.certified, run.entries.compared)} of entries"),
        ("Points proved", f"{proof.points:,} of {proof.points + proof.left_out:,}, by {proof.arbiter}"),
        ("Proof", f"{mode(proof)}; at most {proof.most_bits:,} bits"),
    )


def mode(proof: Certification) -> str:
    """Which points were asked, in words; a mode of another version under its own name."""
    return MODES.get(proof.mode, proof.mode)


def _lead(proof: Certification, run: Run) -> str:
    points = f"{proof.points:,} of {words.count(proof.points + proof.left_out, 'point')}"
    bits = f", in at most {words.count(proof.most_bits, 'bit')}" if proof.points else ""
    certified = words.percent(run.entries.certified, run.entries.compared)
    return (
        f"{proof.arbiter} proved the gradient at {points} ({mode(proof)}){bits}. It judges {certified} of the "
        f"{words.count(run.entries.compared, 'compared entry', 'compared entries')}: a party is right where it lies "
        "within its own bound of what is proved."
    )


def _limits(proof: Certification) -> list[str]:
    """Where the proof is less than a number."""
    said = []
    if proof.hulls:
        said.append(
            f"{words.count(proof.hulls, 'point meets', 'points meet')} a kink or a tie: there the proof is the hull of "
            "the one-sided derivatives, and any value in it is accepted."
        )
    if proof.left_out:
        unproved = words.count(proof.left_out, "point was", "points were")
        said.append(
            f"{unproved} not proved, for {proof.arbiter} was not asked or has a gap: there the witnesses are held "
            "against each other."
        )
    if proof.at_limit:
        said.append(
            f"At {words.count(proof.at_limit, 'point')} the largest precision left a wider radius than was asked for; "
            "it counts as it is."
        )
    return said


def distances(run: Run) -> tuple[Distance, ...]:
    """Every party that was held against the arbiter, the subject first."""
    if run.certification is None or not run.entries.certified:
        return ()
    arbiter = run.certification.arbiter
    pairs = {pair.b if pair.a == arbiter else pair.a: pair for pair in run.agreement if arbiter in (pair.a, pair.b)}
    asked = [name for name in words.in_order(pairs) if pairs[name].comparisons]
    return tuple(_distance(name, pairs[name], [r for r in run.resolution if r.party == name]) for name in asked)


def _distance(party: str, pair: Agreement, resolutions: list[Resolution]) -> Distance:
    ordered = sorted(resolutions, key=lambda item: item.dtype, reverse=True)
    return Distance(
        party=party,
        tone="bad" if pair.disagreements else "good",
        mark="✗" if pair.disagreements else "✓",
        off=f"{pair.disagreements:,}" if pair.disagreements else "none",
        compared=f"{pair.comparisons:,}",
        in_bounds=f"{words.times(pair.worst_bounds)} ×",
        ulps=words.times(pair.worst_ulps),
        median=_by_dtype([(item.dtype, item.median) for item in ordered]),
        p95=_by_dtype([(item.dtype, item.p95) for item in ordered]),
    )


def _by_dtype(values: list[tuple[str, float | None]]) -> tuple[str, ...]:
    """One figure, or several with the dtype of each."""
    named = len(values) > 1
    said = [f"{words.magnitude(value)}{f' {dtype}' if named else ''}" for dtype, value in values]
    return tuple(said) or (words.MISSING,)


def _kink(item: Convention, parties: tuple[str, ...]) -> Kink:
    return Kink(
        op=item.op,
        at=words.number(item.at),
        hull=hull(item),
        taken=tuple(
            Taken(taken(item, party), party in item.values and outside(item.values[party], item)) for party in parties
        ),
        alike=alike(item),
    )


def hull(item: Convention) -> str:
    return f"[{words.number(item.low)}, {words.number(item.high)}]"


def taken(item: Convention, party: str) -> str:
    """What it takes, a zero without its sign."""
    value = item.values.get(party)
    return words.number(value if value is None or isinstance(value, str) else value + 0.0)


def outside(value: Number, item: Convention) -> bool:
    """NaN is outside any hull."""
    return not item.low - HULL_ENDS <= words.as_float(value) <= item.high + HULL_ENDS


def stray(item: Convention) -> list[str]:
    """The parties that no hull excuses."""
    return [party for party in words.in_order(item.values) if outside(item.values[party], item)]


def alike(item: Convention) -> bool:
    """Whether all parties take the same, to the digits that are shown."""
    return len({taken(item, party) for party in item.values}) <= 1


def text(run: Run) -> list[tuple[str, str]]:
    """The proof and every party's resolution, as titles and texts of one line each."""
    proof = run.certification
    if proof is None:
        return [("proof", "none")]
    points = f"{proof.arbiter}: {proof.points:,} of {words.count(proof.points + proof.left_out, 'point')}"
    hulls = f", {proof.hulls:,} at a kink or a tie" if proof.hulls else ""
    found = [_resolves(item, run) for item in run.resolution if item.median is not None]
    proved = f"{points} ({mode(proof)}), at most {words.count(proof.most_bits, 'bit')}{hulls}"
    return [("proof", proved), *([("resolves", " · ".join(found))] if found else [])]


def _resolves(item: Resolution, run: Run) -> str:
    several = sum(other.party == item.party for other in run.resolution) > 1
    who = f"{item.party} in {item.dtype}" if several else item.party
    return f"{who} {words.magnitude(item.median)} (95 %: {words.magnitude(item.p95)})"

"""The self-test: the kill table by family, other checkers beside it, and whatever went wrong, name by name."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from crosscheck import gate
from crosscheck.report.sections import verdict, words
from crosscheck.spec.kills import Kill, Peer, Selftest, SelftestFile

# A bug of one operation shows in a network of one; two where it needs a neighbour.
SMALL = 2
ALL = "all"
LEGEND = (
    "Networks is the median number until a bug was caught. Located: the first wrong factor of the chain rule that was "
    "found is one that the bug changes; alone: the same without ∂C/∂ any intermediate from the subject. Named: the "
    "diagnosis's first guess is this bug, or what it looks like."
)


@dataclass(frozen=True)
class Row:
    """A family: counts as texts, a peer's as caught of asked."""

    family: str
    planted: str
    caught: str
    peers: tuple[str, ...]
    networks: str
    located: str
    alone: str
    named: str
    small: str
    tone: str


@dataclass(frozen=True)
class Group:
    """Bugs or controls of one kind of outcome, each by name with what was said of it."""

    title: str
    tone: str
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PeerRow:
    name: str
    settings: str
    caught: str
    alarms: str


@dataclass(frozen=True)
class Bug:
    """One bug, as a row of the table of all."""

    name: str
    family: str
    source: str
    networks: str
    place: str
    likely: str
    smallest: str
    tone: str


@dataclass(frozen=True)
class Section:
    """All that the template reads. `bugs` are all of them, where they are asked for."""

    headline: verdict.Headline
    lead: str
    rows: tuple[Row, ...]
    peers: tuple[PeerRow, ...]
    legend: str
    totals: tuple[str, ...]
    groups: tuple[Group, ...]
    left_out: tuple[tuple[str, str], ...]
    bugs: tuple[Bug, ...]
    provenance: str
    small: int = SMALL


def section(file: SelftestFile, *, every_bug: bool = False) -> Section:
    found = words.cleaned_record(file).selftest
    return Section(
        headline=headline(found),
        lead=_lead(found),
        rows=rows(found),
        peers=tuple(map(_peer, found.peers)),
        legend=LEGEND,
        totals=tuple(totals(found)),
        groups=groups(found),
        left_out=found.left_out,
        bugs=tuple(map(_bug, found.kills)) if every_bug else (),
        provenance=_provenance(file),
    )


def headline(found: Selftest) -> verdict.Headline:
    ending = gate.of_selftest(found)
    label, mark, tone = verdict.LABELS[ending.code]
    return verdict.Headline(label, mark, tone, "; ".join(score(found)) + ".", ending.code, ending.reason)


def score(found: Selftest) -> tuple[str, str]:
    """`438 of 438 planted bugs caught` and `24 of 24 controls passed`."""
    bugs, controls = len(found.kills), len(found.controls)
    caught, passed = bugs - len(found.survivors), controls - len(found.flagged)
    said = f"{caught:,} of {words.count(bugs, 'planted bug')} caught"
    return said, f"{passed:,} of {words.count(controls, 'control')} passed"


def _lead(found: Selftest) -> str:
    return (
        "Every known bug is planted in the built-in backprop and hunted over at most "
        f"{words.count(found.most_networks, 'random network')} of the operations that it touches, "
        f"{words.count(found.points, 'point')} each, in {found.dtype}. A control looks wrong and is right."
    )


def _provenance(file: SelftestFile) -> str:
    found, measured = file.selftest, file.measured
    versions = ", ".join(f"{name} {version}" for name, version in sorted(measured.versions.items()))
    said = f"crosscheck {found.version}, seed {found.seed}, profile {found.profile}, {measured.started}"
    return words.printable(f"{said}, {words.duration(measured.seconds)}; {versions}")


# --- the table ---------------------------------------------------------------------------------------------------


def rows(found: Selftest) -> tuple[Row, ...]:
    """A row for each family, and one for all of them where there are several."""
    families = found.families
    made = [_row(family, kills, [_share(peer, family) for peer in found.peers]) for family, kills in families.items()]
    if len(families) > 1:
        made.append(_row(ALL, found.kills, [(peer.caught, peer.asked) for peer in found.peers]))
    return tuple(made)


def _row(name: str, kills: Sequence[Kill], peers: Sequence[tuple[int, int]]) -> Row:
    caught = [kill.networks for kill in kills if kill.networks is not None]
    return Row(
        family=name,
        planted=f"{len(kills):,}",
        caught=f"{len(caught):,}",
        peers=tuple(_of(part, whole) for part, whole in peers),
        networks=f"{statistics.median(caught):g}" if caught else words.MISSING,
        located=_counted(kills, lambda kill: kill.located),
        alone=_counted(kills, lambda kill: kill.mute_located),
        named=_counted(kills, lambda kill: kill.named),
        small=_counted(kills, is_small),
        tone="" if len(caught) == len(kills) else "bad",
    )


def _share(peer: Peer, family: str) -> tuple[int, int]:
    return peer.by_family.get(family, (0, 0))


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" if whole else words.MISSING


def diagnosed(kills: Sequence[Kill]) -> list[Kill]:
    """Those that were shrunk, and so located and named too."""
    return [kill for kill in kills if kill.smallest is not None]


def is_small(kill: Kill) -> bool:
    return kill.layers is not None and kill.layers <= SMALL


def _counted(kills: Sequence[Kill], holds: Callable[[Kill], bool]) -> str:
    asked = diagnosed(kills)
    return f"{sum(map(holds, asked)):,}" if asked else words.MISSING


def totals(found: Selftest) -> Iterator[str]:
    """The shares over all families, and what was not planted, in sentences."""
    asked = diagnosed(found.kills)
    if asked:
        shares = {
            "located": sum(kill.located for kill in asked),
            "without intermediates": sum(kill.mute_located for kill in asked),
            "named": sum(kill.named for kill in asked),
            f"shrunk to at most {SMALL} layers": sum(map(is_small, asked)),
        }
        said = [f"{words.percent(part, len(asked))} {what}" for what, part in shares.items()]
        yield f"Of {words.count(len(asked), 'caught bug')}: {', '.join(said)}."
    elif found.kills:
        yield f"The profile {found.profile} asks only whether a bug is caught: none was shrunk, located or named."
    if found.equivalent:
        alike = words.count(found.equivalent, "systematic change gives", "systematic changes give")
        yield f"{alike} the right gradient everywhere, and so cannot be caught: not planted."


# --- what went wrong ---------------------------------------------------------------------------------------------


def groups(found: Selftest) -> tuple[Group, ...]:
    """What went wrong, worst first; only what there is."""
    asked = diagnosed(found.kills)
    nowhere = "nowhere"
    told = (
        Group("Survived", "bad", tuple((kill.name, _origin(kill)) for kill in found.survivors)),
        Group("Controls accused", "bad", tuple((c.name, f"{c.accused}; it is right: {c.why}") for c in found.flagged)),
        Group("Mislocated", "unsure", tuple((k.name, k.place or nowhere) for k in asked if not k.located)),
        Group(
            "Mislocated without intermediates",
            "unsure",
            tuple((k.name, k.mute_place or nowhere) for k in asked if k.located and not k.mute_located),
        ),
        Group("Misnamed", "unsure", tuple((k.name, k.likely or "nothing was said") for k in asked if not k.named)),
        Group(
            f"Shrunk to more than {SMALL} layers",
            "unsure",
            tuple((k.name, f"{k.layers}: {k.smallest}") for k in asked if not is_small(k)),
        ),
    )
    return tuple(group for group in told if group.items)


def _origin(kill: Kill) -> str:
    parts = (kill.family, kill.source, f"of {kill.op}" if kill.op else "of the walk")
    return ", ".join(dict.fromkeys(parts))


def _peer(peer: Peer) -> PeerRow:
    return PeerRow(peer.name, peer.settings, _of(peer.caught, peer.asked), _of(peer.alarms, peer.sound))


def _bug(kill: Kill) -> Bug:
    return Bug(
        name=kill.name,
        family=kill.family,
        source=kill.source,
        networks=words.MISSING if kill.networks is None else f"{kill.networks:,}",
        place=kill.place or words.MISSING,
        likely=kill.likely or words.MISSING,
        smallest=kill.smallest or words.MISSING,
        tone="" if kill.caught else "bad",
    )

"""From a record to an exit code: pure functions of counts and verdicts.

Internal errors and crashed oracles (3), interruptions (2) and usage (4) are the callers' to decide; here
are 0, 1, 5 and 6, and 1 wins over 5, 5 over 6.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from crosscheck.spec.errors import SpecError, UsageError
from crosscheck.spec.kills import Selftest
from crosscheck.spec.record import Entries, Exit, Run
from crosscheck.spec.result import Verdict

AGREE, DIFFER, INTERRUPTED, CRASHED, USAGE, NOTHING, UNMET = range(7)
# Of several codes the first of these is the one to exit with.
PRECEDENCE = (CRASHED, INTERRUPTED, USAGE, DIFFER, NOTHING, UNMET, AGREE)
FAILING = (Verdict.BROKE_CONTRACT, Verdict.FORWARD_DISAGREES, Verdict.DISAGREES)
# What --fail-on may add to them.
FAIL_ON = {"oracle": Verdict.ORACLE_DISAGREES, "undecidable": Verdict.UNDECIDABLE, "unchecked": Verdict.UNCHECKED}
# interface.md, "Exit codes": more than 5 % of entries undecidable is no pass.
MOST_UNDECIDABLE = 0.05


@dataclass(frozen=True)
class Threshold:
    """One demand on a run: what was asked, what was found, whether that is enough."""

    name: str
    asked: str
    found: str
    met: bool


def exit_for(
    verdicts: Mapping[str, int],
    entries: Entries,
    *,
    fail_on: Collection[str] = (),
    thresholds: Iterable[Threshold] = (),
    only_differences_left: bool = False,
) -> Exit:
    """The exit code of a run and the reason for it.

    `verdicts` counts cases by the verdict's name; `fail_on` names what fails besides FAILING (FAIL_ON);
    `only_differences_left` says that no other oracle could be asked though one was wanted.
    Raises SpecError for an unknown verdict, UsageError for an unknown `fail_on`.
    """
    counts = by_verdict(verdicts)
    rules = (
        _differ(counts, entries, fail_on),
        _nothing(counts, entries, only_differences_left),
        _undecided(entries),
        _unmet(thresholds),
    )
    return next((found for found in rules if found), _agree(counts, entries))


def by_verdict(verdicts: Mapping[str, int]) -> dict[Verdict, int]:
    """Counts for every verdict; raises SpecError for a name that is none, which would pass unseen."""
    counts = dict.fromkeys(Verdict, 0)
    for name, count in verdicts.items():
        known = Verdict.__members__.get(name.upper().replace(" ", "_"))
        if known is None:
            raise SpecError(f"verdicts: {name!r} is not one of {', '.join(Verdict.__members__)}")
        counts[known] += count
    return counts


def undecided_share(entries: Entries) -> float:
    """The undecidable share of the entries that were not drawn to be undecidable.

    (undecidable - undecidable by design) / (compared - undecidable by design): entries at a kink that was
    aimed at count on neither side. 0 where nothing was compared.
    """
    asked = entries.compared - entries.undecidable_by_design
    return (entries.undecidable - entries.undecidable_by_design) / asked if asked else 0.0


def first_of(*exits: Exit) -> Exit:
    """Of several exits the one that wins (PRECEDENCE); the earlier one of equals."""
    return min(exits, key=lambda item: PRECEDENCE.index(item.code))


def _differ(counts: Mapping[Verdict, int], entries: Entries, fail_on: Collection[str]) -> Exit | None:
    for name in fail_on:
        if name not in FAIL_ON:
            raise UsageError(f"--fail-on is one of {', '.join(FAIL_ON)}, not {name!r}")
    failing = (*FAILING, *(FAIL_ON[name] for name in FAIL_ON if name in fail_on))
    found = [f"{counts[v]:,} {v.name}" for v in failing if counts[v]]
    if found:
        return Exit(code=DIFFER, reason=f"cases with a failing verdict: {', '.join(found)}")
    if entries.disagreeing and not counts[Verdict.ORACLE_DISAGREES]:
        return Exit(code=DIFFER, reason=f"entries disagree ({entries.disagreeing:,}), though no case's verdict says so")
    return None


def _nothing(counts: Mapping[Verdict, int], entries: Entries, only_differences_left: bool) -> Exit | None:
    if not sum(counts.values()):
        return Exit(code=NOTHING, reason="nothing was verified: no case was checked")
    if not entries.compared:
        return Exit(code=NOTHING, reason="nothing was verified: no entry was compared")
    only_void = bool(entries.void) and not entries.resolved
    if not entries.informative and (only_void or not counts[Verdict.ORACLE_DISAGREES]):
        return Exit(code=NOTHING, reason=f"nothing was verified: none of {entries.compared:,} entries was informative")
    # In a case that is ORACLE_DISAGREES the subject agrees with at least one witness.
    if not counts[Verdict.AGREES] + counts[Verdict.ORACLE_DISAGREES]:
        return Exit(code=NOTHING, reason="nothing was verified: no case agrees")
    if only_differences_left:
        return Exit(code=NOTHING, reason="no oracle but finite differences could be asked, and more was wanted")
    return None


def _undecided(entries: Entries) -> Exit | None:
    share = undecided_share(entries)
    if share <= MOST_UNDECIDABLE:
        return None
    reason = f"{share:.1%} of the entries that aim at no kink are undecidable, more than {MOST_UNDECIDABLE:.0%}"
    return Exit(code=UNMET, reason=reason)


def _unmet(thresholds: Iterable[Threshold]) -> Exit | None:
    unmet = [f"{t.name} is {t.found}, asked was {t.asked}" for t in thresholds if not t.met]
    return Exit(code=UNMET, reason=f"gate not met: {'; '.join(unmet)}") if unmet else None


def _agree(counts: Mapping[Verdict, int], entries: Entries) -> Exit:
    odd = counts[Verdict.ORACLE_DISAGREES]
    if odd:
        off = "is off the certified truth" if entries.certified else "disagrees with the others"
        return Exit(code=AGREE, reason=f"the subject agrees; in {odd:,} case{'s' * (odd != 1)} an oracle {off}")
    return Exit(code=AGREE, reason="everything that was verified agrees")


# What `crosscheck gate` can ask of a run. Written so that a missing or NaN value is not enough.


def min_informative(run: Run, fraction: float) -> Threshold:
    """At least this fraction of the compared entries is informative."""
    share = run.entries.resolved / run.entries.compared if run.entries.compared else 0.0
    return Threshold("informative share of entries", f"at least {fraction:g}", f"{share:.4g}", share >= fraction)


def min_cases(run: Run, least: int) -> Threshold:
    """At least this many cases were checked."""
    return Threshold("cases", f"at least {least:,}", f"{run.cases:,}", run.cases >= least)


def max_resolution(run: Run, most: float, dtype: str | None = None) -> tuple[Threshold, ...]:
    """95 % of the entries of a dtype (None: of each) would have shown a bug of this relative size."""
    p95 = {r.dtype: r.p95 for r in run.resolution if r.party == "subject"}
    names = sorted(p95) if dtype is None else [dtype]
    return tuple(_resolution(name, p95.get(name), most) for name in names or ["any dtype"])


def _resolution(dtype: str, p95: float | None, most: float) -> Threshold:
    found = "unknown, nothing was compared" if p95 is None else f"{p95:.3g}"
    met = p95 is not None and p95 <= most
    return Threshold(f"resolution (95th percentile) in {dtype}", f"at most {most:g}", found, met)


def require_oracle(run: Run, name: str) -> Threshold:
    """This oracle answered for at least one case."""
    answered = sum(oracle.answered for oracle in run.oracles if oracle.name == name)
    return Threshold(f"oracle {name}", "an answer", f"{answered:,} of {run.cases:,} cases answered", answered > 0)


def judge(run: Run, thresholds: Iterable[Threshold] = (), *, fail_on: Collection[str] = ()) -> Exit:
    """The exit of a stored run under further demands: never milder than the one that it ended with."""
    return first_of(run.exit, exit_for(run.verdicts, run.entries, fail_on=fail_on, thresholds=thresholds))


def of_selftest(found: Selftest) -> Exit:
    """The exit of a self-test: every planted bug must be caught, and nobody accused who is right."""
    survived, flagged = len(found.survivors), len(found.flagged)
    wrong = [f"planted bugs that got through: {survived:,}"] if survived else []
    wrong += [f"controls that are right and were accused: {flagged:,}"] if flagged else []
    if wrong:
        return Exit(code=DIFFER, reason="; ".join(wrong))
    if not found.kills:
        return Exit(code=NOTHING, reason="no bug was planted: nothing shows that one would be caught")
    return Exit(code=AGREE, reason="every planted bug was caught, and no control accused")

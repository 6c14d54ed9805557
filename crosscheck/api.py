"""The Python interface: `check`, `check_vjp`, and what they raise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosscheck import session, vjp
from crosscheck.gate import MOST_UNDECIDABLE, NOTHING, UNMET
from crosscheck.judge.forward import in_words
from crosscheck.report import terminal
from crosscheck.report.sections import taylor
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import DTYPES, Case
from crosscheck.spec.errors import ContractBroken, UsageError
from crosscheck.spec.notation import to_text
from crosscheck.spec.op import Value
from crosscheck.spec.protocols import Subject
from crosscheck.spec.record import Finding, RunFile
from crosscheck.strategies.cases import POINTS
from crosscheck.subjects.named import subject_named
from crosscheck.subjects.python_callable import PythonCallable

FAILED = 1
WIDTH = 120


class GradientMismatch(AssertionError):
    """A gradient is wrong. `finding` is the first finding of the run, `run` its whole record.

    For check_vjp both are None and `result` holds the wrong entries.
    """

    def __init__(
        self,
        message: str,
        *,
        finding: Finding | None = None,
        run: RunFile | None = None,
        result: vjp.VjpResult | None = None,
    ) -> None:
        super().__init__(message)
        self.finding = finding
        self.run = run
        self.result = result


class NothingVerified(AssertionError):
    """Nothing, or too little, could be compared: no pass. `run` is the record of the run."""

    def __init__(self, message: str, *, run: RunFile | None = None) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True)
class Summary:
    """What was verified, and how small a bug would have been seen. `run` is the whole record."""

    cases: int
    points: int
    compared: int
    informative: int
    uninformative: int
    undecidable: int
    not_compared: int
    resolution: float | None
    warnings: tuple[str, ...]
    run: RunFile | None = None

    def __str__(self) -> str:
        """One line."""
        seen = "" if self.resolution is None else f", median resolution {self.resolution:.1e}"
        networks = f"{self.cases} networks, {self.points} points, " if self.run else ""
        left = "".join(
            f", {count:,} {word}"
            for word, count in (("undecidable", self.undecidable), ("not compared", self.not_compared))
            if count
        )
        return f"verified: {networks}{self.compared:,} entries, {self.informative:,} informative{left}{seen}"


def check(
    subject: Callable[..., Any] | Subject,
    architecture: str | Architecture | None = None,
    *,
    ops: Sequence[str | tuple[str, Mapping[str, Value]]] | None = None,
    max_examples: int = 50,
    points: int = POINTS,
    dtype: str = "float64",
    seed: int = 0,
    oracles: Sequence[str] | None = None,
) -> Summary:
    """Verify `subject(architecture, point) -> (loss, gradients)` on one network, or on random networks of `ops`.

    `architecture` is the text notation (`*` for a drawn size) or an Architecture; with neither it nor `ops`
    all operations are drawn. `point.params["0.weight"]` has shape (out, in), "0" being the node's index;
    `point.inputs["x"]` and `point.targets` are arrays too (class targets int64). The gradients are a dict of
    arrays of the params' keys and shapes and of `dtype`; the gradients of inputs may stand beside them by name.
    Returns a Summary. Raises GradientMismatch where the subject is wrong, NothingVerified where too little
    could be compared, SpecError or UsageError where the question is malformed.
    """
    if dtype not in DTYPES:
        raise UsageError(f"check: dtype is {dtype!r}, must be one of {', '.join(DTYPES)}")
    if isinstance(ops, str):
        raise UsageError(f"check: ops is the text {ops!r}, must be a list of operations such as ['dense', 'tanh']")
    text = to_text(architecture) if isinstance(architecture, Architecture) else architecture
    outcome = session.verify(
        session.Settings(
            subject=_subject(subject),
            seed=seed,
            dtypes=(dtype,),
            ops=None if ops is None else tuple(ops),
            architecture=text,
            examples=max_examples,
            points=points,
            oracles=None if oracles is None else tuple(oracles),
        )
    )
    return _summary(outcome)


def _summary(outcome: session.Outcome) -> Summary:
    """What was verified; raises where it was not."""
    __tracebackhide__ = True  # pytest shows the finding, not how it was come by
    run = outcome.run_file.run
    if outcome.exit.code == session.INTERRUPTED.code:
        raise KeyboardInterrupt
    if outcome.exit.code:
        said = terminal.render(outcome.run_file, width=WIDTH, color=False)
        if outcome.exit.code == FAILED:
            wrong = [f for f in run.findings if f.verdict != "ORACLE_DISAGREES"]
            raise GradientMismatch("\n" + said, finding=wrong[0] if wrong else None, run=outcome.run_file)
        raise NothingVerified("\n" + said, run=outcome.run_file)
    return _passed(outcome)


def _passed(outcome: session.Outcome) -> Summary:
    run = outcome.run_file.run
    entries = run.entries
    return Summary(
        cases=run.cases,
        points=run.points,
        compared=entries.compared,
        informative=entries.informative,
        uninformative=entries.uninformative,
        undecidable=entries.undecidable,
        not_compared=entries.not_compared,
        resolution=run.resolution[0].median if run.resolution else None,
        warnings=run.warnings,
        run=outcome.run_file,
    )


def _subject(subject: Callable[..., Any] | Subject) -> Subject:
    if isinstance(subject, Subject):
        return subject
    if not callable(subject):
        raise UsageError(f"check: the subject is {type(subject).__name__}, must be a callable (architecture, point)")
    return PythonCallable(subject)


def check_case(
    subject: Callable[..., Any] | Subject | str, case: Case | Path | str, *, tensor: str | None = None
) -> Summary:
    """Verify one case: an architecture with its numbers, or the file of one that a run has saved.

    `subject` is a callable as `check` takes it, or the name under which `crosscheck run` knows it. All witnesses that
    are installed are asked. Returns a Summary; raises GradientMismatch where the subject is wrong, NothingVerified
    where too little could be compared, SpecError for a broken file, UsageError for an unknown subject.

    `tensor` names the gradient that the case is there for. Where it is proved to be right it is enough, though the case
    stands at a kink or the gradient is 0, so that no entry would have shown a bug of another kind.
    """
    chosen = subject_named(subject) if isinstance(subject, str) else _subject(subject)
    asked = case if isinstance(case, Case) else Case.load(Path(case))
    outcome = session.verify_case(asked, chosen)
    too_little = outcome.exit.code in (NOTHING, UNMET)
    if too_little and tensor is not None and session.is_right(asked, chosen, tensor):
        return _passed(outcome)
    return _summary(outcome)


def check_vjp(
    f: Callable[..., Any], vjp_of_f: Callable[..., Any], *args: np.ndarray[Any, Any], seed: int = 0
) -> Summary:
    """Verify `vjp_of_f(c, *args)`, which must be the gradient of Σ c ∘ f(*args) by each argument.

    `f` maps float64 arrays to a float64 array; `vjp_of_f` takes a cotangent of f's shape first and returns one
    array for each argument (a lone array where there is one). Judged against finite differences of f, entry
    by entry, under random cotangents. Returns a Summary; raises GradientMismatch, NothingVerified, UsageError.
    """
    try:
        result = vjp.examine(f, vjp_of_f, args, seed=seed)
    except ContractBroken as contract:
        raise GradientMismatch(f"BROKE_CONTRACT: {contract}") from contract
    if result.wrong:
        raise GradientMismatch(_told(result), result=result)
    if not result.informative:
        raise NothingVerified(
            f"nothing was verified: none of {result.compared} entries could be resolved "
            f"({result.undecidable} undecidable: a kink, or noise above the slope)"
        )
    if result.undecidable > MOST_UNDECIDABLE * result.compared:
        raise NothingVerified(
            f"too little was verified: {result.undecidable} of {result.compared} entries are undecidable (a kink, or "
            f"noise above the slope), more than {MOST_UNDECIDABLE:.0%}; ask at a point away from kinks"
        )
    return Summary(
        cases=1,
        points=1,
        compared=result.compared,
        informative=result.informative,
        uninformative=result.compared - result.informative - result.undecidable,
        undecidable=result.undecidable,
        not_compared=result.not_compared,
        resolution=result.resolution,
        warnings=_unseen(result),
    )


def _unseen(result: vjp.VjpResult) -> tuple[str, ...]:
    """What a pass does not speak of."""
    said = []
    if result.undecidable:
        said.append(f"{result.undecidable} entries are undecidable: a kink, or noise above the slope")
    if result.not_compared:
        said.append(f"{result.not_compared} entries were not compared: only a sample of large arguments is")
    if result.along is not None and result.along.untraced:
        said.append(
            f"along a random direction the product differs from f's slope, and {result.along.forwards} calls of f did "
            "not trace it to an entry: an error, or kinks on the way"
        )
    return tuple(said)


def _told(result: vjp.VjpResult) -> str:
    worst = result.wrong[0]
    lines = [
        f"DISAGREES: {len(result.wrong)} of {result.compared} entries differ from finite differences of f",
        f"  entry   argument {worst.argument}{list(worst.index)} = {worst.claimed!r}; differences "
        f"{worst.differences!r}; off by {abs(worst.claimed - worst.differences):.1e}, bound {worst.bound:.1e}",
    ]
    if result.ratio is not None:
        lines.append(f"  likely  constant ratio: {in_words(result.ratio)} × the true one")
    if result.taylor is not None:
        lines.append(f"  taylor  {taylor.slopes(result.taylor)} (2 is right, 1 is wrong)")
    return "\n".join(lines)

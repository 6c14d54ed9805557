"""A large network from the question to the record: refused at once, or asked less of, and told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import case_of, off_by

from crosscheck import session
from crosscheck.checking import Witnesses, check
from crosscheck.oracles.ball import Ball, oracle
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.report import terminal
from crosscheck.search import Limits, hunt
from crosscheck.session import Outcome, Settings, verify
from crosscheck.shrinking import shrunk
from crosscheck.spec import Subject, Verdict
from crosscheck.spec.errors import UsageError
from crosscheck.spec.notation import template
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases_of
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance import memory

NET = "x[*,4] -> dense(8) -> tanh -> dense(3) -> sse"


def run(subject: Subject | None = None, text: str = NET, **options: Any) -> Outcome:
    asked: dict[str, Any] = {"oracles": ("ball", "torch"), "examples": 4} | options
    return verify(Settings(subject or Builtin(), architecture=text, **asked))


def test_a_network_that_does_not_fit_is_refused_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "bytes_of_this_machine", lambda: 1e9)
    monkeypatch.setattr(session, "hunt", None)
    with pytest.raises(UsageError, match=r"in node 1 \(dense\).* this machine has 1: smaller layers"):
        run(text="x[2,5] -> dense(2000) -> dense(2000) -> sse")


def test_the_largest_of_the_drawn_sizes_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = template(NET).fill([1]), template(NET).fill([5])
    between = (memory.bytes_needed(small) + memory.bytes_needed(large)) / 2
    monkeypatch.setattr(memory, "bytes_of_this_machine", lambda: between)
    with pytest.raises(UsageError, match="this machine has 0"):
        run()


def test_fewer_points_are_drawn_of_a_large_network_and_the_record_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = memory.numbers(template(NET).fill([5]))
    monkeypatch.setattr(memory, "OF_A_CASE", 3 * largest)
    record = run().run_file.run
    assert record.points == 4 * 3
    assert record.verdicts == {"AGREES": 4}
    assert [w for w in record.warnings if w.startswith("large network")] == [
        f"large network, {largest} numbers a point: 3 of 8 points a network"
    ]


def test_a_truth_that_would_take_too_long_a_tape_is_a_gap_that_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "MOST_ENTRIES", 150)
    outcome = run(text="x[3,4] -> dense(8) -> tanh -> dense(20) -> sse")
    record = outcome.run_file.run
    entries = (4 * 8 + 8) + (8 * 20 + 20) + 12 + 2 * 24 + 60
    ball = next(o for o in record.oracles if o.name == "ball")
    reason = f"{entries} entries on the tape, more than 150"
    assert (ball.answered, ball.gaps) == (0, (("dense", reason, 4),))
    assert f"ball left out in 4 networks: dense: {reason}" in record.warnings
    assert record.verdicts == {"AGREES": 4}, "the others are held against each other"
    assert f"ball left out in 4 networks: dense: {reason}" in " ".join(
        terminal.render(outcome.run_file, width=120, color=False).split()
    )


def test_the_ball_oracle_counts_parameters_inputs_and_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = case_of("x[3,4] -> dense(2) -> tanh -> sse").architecture
    monkeypatch.setattr(oracle, "MOST_ENTRIES", memory.numbers(architecture))
    assert Ball().gaps(architecture) == ()
    monkeypatch.setattr(oracle, "MOST_ENTRIES", memory.numbers(architecture) - 1)
    assert [gap.op for gap in Ball().gaps(architecture)] == ["dense"]
    without_layers = case_of("x[3,4] -> tanh -> sse").architecture
    monkeypatch.setattr(oracle, "MOST_ENTRIES", 1)
    assert [gap.op for gap in Ball().gaps(without_layers)] == ["tanh"]


def test_a_suspect_gets_as_many_samples_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is accused all the same."""
    case = case_of("x[3,4] -> dense(8) -> tanh -> dense(3) -> sse", points=3)
    wrong = off_by("0.weight", 1.001)
    monkeypatch.setattr(memory, "OF_SUSPECTS", 32 * memory.numbers(case.architecture))
    assert memory.samples_of_a_suspect(case.architecture) == 32
    judgement = check(case, wrong, Witnesses((Ball(), TorchAutograd()), differences=True))
    assert judgement.verdict is Verdict.DISAGREES
    assert np.isfinite(judgement.tensors["0.weight"].own_bounds["subject"]).all()


def test_a_failure_of_a_large_network_is_shrunk_with_few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    witnesses = Witnesses((Ball(),), differences=False)
    source = Source(cases_of(template(NET), points=2), 5)
    asked = []

    class Counted(Builtin):
        def gradients(self, case: Any) -> Any:
            asked.append(case)
            return off_by("0.weight", 2.0).gradients(case)

    def evaluations() -> int:
        result = hunt(source, Counted(), witnesses, Limits(10, first_failure=True))
        asked.clear()
        assert shrunk(source, result.failures[0], Counted(), witnesses).case.n_points == 1
        return len(asked)

    many = evaluations()
    monkeypatch.setattr(memory, "OF_SHRINKING", 1)
    monkeypatch.setattr(memory, "FEWEST_EVALUATIONS", 2)
    assert evaluations() < many

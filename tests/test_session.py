"""A run: who is called, what is drawn, what is warned of, and a record that is the same to the byte."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import Wrong, as_callable, changed, off_by
from meta.planted import slope

from crosscheck import calling, session
from crosscheck.calling import call_witnesses
from crosscheck.oracles.ball import Ball
from crosscheck.session import Outcome, Settings, save, verify
from crosscheck.spec import Architecture, Case, Gradients, Point, SpecError, Subject
from crosscheck.spec.errors import OracleUnavailable, UsageError
from crosscheck.store import runs
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.python_callable import PythonCallable

DIFFERENCES = ("differences",)
FEW = ("dense", "tanh", "mae", "sse")
TANH = slope("tanh", lambda z, a, da: da * (1.0 - a))


def run(subject: Subject | None = None, **options: Any) -> Outcome:
    asked: dict[str, Any] = {"oracles": DIFFERENCES, "examples": 6, "points": 2} | options
    return verify(Settings(subject or Builtin(), **asked))


def missing(name: str) -> Callable[[], Any]:
    def make() -> Any:
        raise OracleUnavailable(f"oracle {name}: {name} cannot be imported here; install crosscheck[{name}]")

    return make


@pytest.fixture
def no_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calling.MAKERS, "jax", missing("jax"))


@pytest.fixture
def no_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calling.MAKERS, "ball", missing("ball"))


@pytest.fixture
def no_oracle(monkeypatch: pytest.MonkeyPatch, no_jax: None, no_ball: None) -> None:
    monkeypatch.setitem(calling.MAKERS, "torch", missing("torch"))


# Who is called.


def test_an_oracle_that_was_asked_for_and_is_missing_is_an_error(no_jax: None) -> None:
    with pytest.raises(OracleUnavailable, match="jax cannot be imported here"):
        call_witnesses(("torch", "jax"), "builtin")


def test_a_default_oracle_that_is_missing_is_a_warning(no_jax: None) -> None:
    called = call_witnesses(None, "builtin")
    assert called.witnesses.names == ("ball", "torch", "differences")
    assert called.warnings == ("oracle jax is missing: jax cannot be imported here; install crosscheck[jax]",)
    assert not called.only_differences_left
    outcome = run(oracles=None, examples=2)
    assert outcome.run_file.run.warnings == called.warnings
    assert outcome.exit.code == 0


def test_with_no_oracle_nothing_counts_as_verified(no_oracle: None) -> None:
    outcome = run(oracles=None, examples=2)
    assert outcome.exit.code == 5
    assert outcome.exit.reason == "no oracle but finite differences could be asked, and more was wanted"
    assert len(outcome.run_file.run.warnings) == 3
    assert outcome.run_file.run.verdicts == {"AGREES": 2}, "what differences said is kept"


def test_without_ball_the_witnesses_are_judged_pairwise_and_that_is_said(no_ball: None) -> None:
    record = run(oracles=None, examples=2).run_file.run
    assert record.warnings == ("oracle ball is missing: ball cannot be imported here; install crosscheck[ball]",)
    assert record.certification is None
    assert record.entries.certified == 0
    assert record.exit.code == 0


def test_without_flint_a_run_says_what_is_lost_and_how_to_get_it(no_jax: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    (ball, _) = call_witnesses(None, None).warnings
    assert ball.startswith("oracle ball is missing: flint cannot be imported here (")
    assert "no gradient can be held against certified truth, and at a kink nothing can be decided" in ball
    assert ball.endswith("install it with pip install 'crosscheck[ball]'")


def test_a_proof_that_needs_more_bits_than_the_limit_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calling.MAKERS, "ball", partial(Ball, most_bits=40))
    record = run(oracles=("ball",), ops=FEW, examples=3).run_file.run
    proof = record.certification
    assert proof is not None
    assert 0 < proof.at_limit <= proof.points == 6
    assert (
        f"ball reached its limit of 40 bits at {proof.at_limit} points: what it says there is wider than was asked "
        "for, and is counted so"
    ) in record.warnings


def test_with_ball_alone_a_run_verifies_and_every_entry_is_certified() -> None:
    record = run(oracles=("ball",), examples=4).run_file.run
    assert record.exit.code == 0
    assert record.entries.certified == record.entries.compared > 0
    assert record.certification is not None
    assert (record.certification.points, record.certification.left_out) == (8, 0)


def test_a_framework_that_cannot_be_believed_is_named_by_the_truth_alone() -> None:
    """No second framework is asked: torch's hardsigmoid is held against ball, and nothing else."""
    record = run(oracles=("ball", "torch"), ops=["dense", "hardsigmoid", "sse"], examples=4).run_file.run
    assert record.exit.code == 0
    (finding,) = record.findings
    assert (finding.verdict, finding.odd_one_out) == ("ORACLE_DISAGREES", "torch")
    assert any(line.startswith("torch hardsigmoid is off at z") for line in finding.diagnosis)
    assert finding.taylor is not None
    assert finding.taylor.claimed == pytest.approx(1.0, abs=0.05)
    assert finding.taylor.reference == pytest.approx(2.0, abs=0.05)


def test_points_that_are_not_certified_are_counted_and_said() -> None:
    record = run(oracles=("ball", "torch"), ops=["dense", "tanh", "sse"], examples=4, certify="sample").run_file.run
    assert record.certification is not None
    assert (record.certification.points, record.certification.left_out) == (4, 4)
    assert (
        "ball was not asked about, or has a gap for, 4 of 8 points: there the witnesses are judged pairwise"
        in record.warnings
    )
    assert 0 < record.entries.certified < record.entries.compared


def test_suspects_are_certified_whatever_was_asked() -> None:
    record = run(TANH, oracles=("ball", "torch"), ops=FEW, examples=6, certify="suspects").run_file.run
    assert record.verdicts["DISAGREES"] > 0
    assert record.certification is not None
    assert record.certification.points > 0
    assert all(f.message.endswith("differs from the certified one") for f in record.findings)


def test_unless_differences_were_what_was_asked_for(no_oracle: None) -> None:
    outcome = run(oracles=DIFFERENCES, examples=2)
    assert (outcome.exit.code, outcome.run_file.run.warnings) == (0, ())


def test_a_framework_is_no_witness_to_itself(no_jax: None) -> None:
    assert call_witnesses(None, "torch").witnesses.names == ("ball", "differences")
    with pytest.raises(UsageError, match="--oracles: torch is the subject of this run and no witness to itself"):
        call_witnesses(("torch", "differences"), "torch")


def test_only_the_oracles_named_are_made() -> None:
    assert call_witnesses(("torch",), "builtin").witnesses.names == ("torch",)
    assert call_witnesses(DIFFERENCES, "builtin").witnesses.names == DIFFERENCES


# fmt: off
REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"oracles": ("flint",)},      UsageError,
     "--oracles: 'flint' is no oracle; the oracles are ball, torch, jax, differences"),
    ({"oracles": ()},              UsageError,
     "--oracles names no oracle; name at least one of ball, torch, jax, differences"),
    ({"points": 0},                UsageError, "--points is 0, must be at least 1"),
    ({"ops": ("dense",), "architecture": "x[1] -> sse"}, UsageError,
     "--architecture and --ops exclude each other: a fixed network has fixed operations"),
    ({"ops": ("dens",)},           SpecError,  "ops: 'dens' is not an operation; did you mean dense?"),
    ({"architecture": "x[3] -> tanh"}, SpecError,
     "the architecture has no loss: end it with one, such as -> sse or -> cotangent"),
]
# fmt: on


@pytest.mark.parametrize(("options", "error", "text"), REFUSED)
def test_what_cannot_be_asked_is_refused_before_anything_runs(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    def never(_case: Case, _found: Gradients) -> Gradients:
        raise AssertionError("the subject was asked")

    with pytest.raises(error) as caught:
        run(Wrong(never), **options)
    assert str(caught.value) == text


def test_ops_that_the_subject_does_not_support_are_refused_by_name() -> None:
    subject = dataclasses.replace(Wrong(lambda c, g: g), supports=frozenset({"dense", "sse"}))
    with pytest.raises(UsageError) as caught:
        run(subject, ops=("dense", "tanh", "sin", "sse"))
    assert str(caught.value) == "subject wrong does not support tanh, sin"
    with pytest.raises(UsageError, match="subject wrong does not support tanh"):
        run(subject, architecture="x[1] -> tanh -> sse")


def test_by_default_only_what_the_subject_supports_is_drawn() -> None:
    subject = dataclasses.replace(Wrong(lambda c, g: g), supports=frozenset({"dense", "sin", "mse"}))
    record = run(subject, examples=10).run_file.run
    assert set(record.coverage.roles) == {"dense", "sin", "mse"}
    assert record.coverage.losses == {"mse": 10}


# The record.


def canonical(outcome: Outcome) -> bytes:
    return msgspec.json.encode(outcome.run_file.run, order="deterministic")


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import test_session
sys.stdout.buffer.write(test_session.canonical(test_session.run(test_session.TANH, examples=8, ops=test_session.FEW)))
"""


@pytest.mark.thorough
def test_the_canonical_record_is_the_same_to_the_byte_here_and_in_another_process() -> None:
    here = canonical(run(TANH, examples=8, ops=FEW))
    assert b'"findings":[{' in here, "the part that is shrunk is in it"
    assert canonical(run(TANH, examples=8, ops=FEW)) == here
    other = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)],
        env=os.environ | {"PYTHONHASHSEED": "271828"},
        capture_output=True,
        check=True,
    )
    assert other.stdout == here


def test_another_seed_is_another_record() -> None:
    assert canonical(run(seed=1)) != canonical(run(seed=0))


def test_the_record_adds_up() -> None:
    record = run(TANH, examples=8, ops=FEW).run_file.run
    entries = record.entries
    assert sum(record.verdicts.values()) == record.cases == 8
    assert record.points == 16
    assert entries.compared == entries.informative + entries.uninformative + entries.undecidable + entries.disagreeing
    assert sum(f.count for f in record.findings) == record.verdicts["DISAGREES"]
    assert [o.answered for o in record.oracles] == [8]
    assert record.exit.code == 1
    assert record.settings["max_examples"] == 8
    assert record.settings["oracles"] == ["differences"]


def test_what_was_measured_stands_apart() -> None:
    measured = run(TANH, examples=3).run_file.measured
    assert {"drawing", "subject", "tolerance", "differences", "counting", "shrinking"} <= set(measured.seconds_by_part)
    assert {"crosscheck", "python", "numpy", "hypothesis"} <= set(measured.versions)
    assert measured.seconds >= sum(measured.seconds_by_part.values()) * 0.5


def test_a_profile_says_how_many_and_max_examples_overrides_it() -> None:
    counts = {p: Settings(Builtin(), profile=p).limits.examples for p in session.PROFILES}
    assert counts == {"quick": 100, "ci": 400, "nightly": 20_000}
    assert Settings(Builtin(), profile="ci", examples=3).limits.examples == 3
    assert Settings(Builtin(), examples=0).limits.examples == 0


# How it ends.


def test_a_time_budget_is_said() -> None:
    outcome = run(time_budget=0.0)
    (said,) = outcome.run_file.run.warnings
    assert said == "time budget of 0 s used up after 0 of 6 examples: 0 of 6 architectures were checked"
    assert outcome.exit.code == 5


def test_the_first_failure_ends_it() -> None:
    outcome = run(off_by("x", 2.0), first_failure=True, ops=("dense", "tanh", "sse"))
    assert outcome.run_file.run.cases == 1
    assert outcome.run_file.run.warnings[0].startswith("stopped at the first failure: 1 of 6 architectures")
    assert outcome.exit.code == 1


def interrupting_at(call: int, factor: float = 1.0) -> Wrong:
    calls = 0

    def spoil(_case: Case, found: Gradients) -> Gradients:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return changed(found, "x", lambda g: g + (factor - 1.0))

    return Wrong(spoil, asks_twice=True)  # so that a case is one call


@pytest.mark.thorough
@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_an_interrupt_ends_with_2_and_keeps_the_record(factor: float) -> None:
    outcome = run(interrupting_at(5, factor))
    assert outcome.exit.code == 2
    assert outcome.exit.reason == "interrupted; what was found until then stands above"
    assert outcome.run_file.run.cases == 4
    assert "interrupted: 4 of 6 architectures were checked" in outcome.run_file.run.warnings
    assert outcome.run_file.run.entries.compared > 0
    found = [(f.verdict, f.count, f.first_index, f.minimal) for f in outcome.run_file.run.findings]
    assert found == ([] if factor == 1.0 else [("DISAGREES", 4, 0, False)])


@pytest.mark.thorough
def test_an_interrupt_while_shrinking_keeps_what_the_hunt_found() -> None:
    outcome = run(interrupting_at(9, factor=2.0))
    assert outcome.exit.code == 2
    assert outcome.run_file.run.verdicts == {"DISAGREES": 6}
    assert "interrupted while failures were shrunk: 6 of 6 architectures were checked" in outcome.run_file.run.warnings
    (finding,) = outcome.run_file.run.findings
    assert (finding.count, finding.minimal, finding.tensor) == (6, False, "x")


# Warnings.


def test_gradients_of_the_input_that_were_not_given_are_said() -> None:
    def without(_case: Case, found: Gradients) -> Gradients:
        return dataclasses.replace(found, by_input={})

    record = run(Wrong(without)).run_file.run
    assert "the subject returned no gradient of an input in 6 cases: it was not compared" in record.warnings
    assert record.entries.not_compared > 0


# What is saved.


@pytest.mark.thorough
def test_what_is_saved_can_be_read_and_asked_again(tmp_path: Path) -> None:
    outcome = save(run(TANH, examples=8, ops=FEW), tmp_path / "reports" / "one")
    folder = tmp_path / "reports" / "one"
    assert runs.read(folder) == outcome.run_file
    for finding, shown in zip(outcome.run_file.run.findings, outcome.shown, strict=True):
        assert finding.case_file == f"failures/{finding.id}.npz"
        assert finding.worst_case_file == f"failures/{finding.id}-worst.npz"
        case = Case.load(folder / finding.case_file)
        assert case.key == shown.smallest.key
        assert case.key.startswith(finding.id)
        assert str(Case.load(folder / finding.worst_case_file).architecture) == finding.worst_architecture


def test_a_pass_saves_the_record_alone(tmp_path: Path) -> None:
    save(run(examples=2), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


# Weights of samples, and penalties.


@pytest.mark.parametrize("weighs", [False, True])
def test_a_callable_that_says_so_is_asked_for_weights_and_penalties(weighs: bool) -> None:
    sound, asked = as_callable(Builtin()), []

    def backprop(architecture: Architecture, point: Point) -> object:
        asked.append(architecture.loss.attributes)
        return sound(architecture, point)

    if weighs:
        backprop.weighs = True  # type: ignore[attr-defined]
    outcome = run(PythonCallable(backprop), oracles=("ball",), ops=FEW, examples=20)
    assert outcome.run_file.run.exit.code == 0
    for name in ("weighted", "l1", "l2"):
        assert any(attributes[name] for attributes in asked) == weighs, name


def test_a_subject_whose_answers_change_in_the_last_digits_is_told_so_and_never_ends_the_run() -> None:
    """Every third answer is right; where the gradient of an input is all there is, nothing narrows down where it is."""
    sound, calls = as_callable(Builtin()), []

    def backprop(architecture: Architecture, point: Point) -> object:
        loss, found = sound(architecture, point)
        calls.append(point)
        return loss, {name: g * (1.0 + 1e-13 * (len(calls) % 3)) for name, g in found.items()}

    outcome = run(PythonCallable(backprop), oracles=("ball",), ops=("dense", "tanh", "sse"), examples=30, points=8)
    first = outcome.run_file.run.findings[0]
    assert (first.verdict, outcome.run_file.run.exit.code) == ("BROKE_CONTRACT", 1)

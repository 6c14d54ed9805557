"""A hunt folds and never raises on a failure; each distinct cause is one finding, shrunk, counted and explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from builders import Wrong, changed
from meta.planted import ROWS, slope

from crosscheck.checking import Witnesses
from crosscheck.findings import findings
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.search import Hunt, Limits, hunt
from crosscheck.spec import Architecture, Case, ContractBroken, Gradients, HasLoss, Point, Reference, Subject
from crosscheck.spec.errors import OracleCrashed
from crosscheck.spec.notation import template
from crosscheck.spec.ops import OPS as SPEC_OPS
from crosscheck.spec.record import Finding
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.cases import cases, cases_of
from crosscheck.strategies.space import Space
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.python_callable import PythonCallable

BOTH = Witnesses((TorchAutograd(),), differences=True)
OPS = ("dense", "tanh", "sigmoid", "sin", "sse", "mae")


def source_of(*ops: str, seed: int = 0) -> Source:
    space = Space.of(ops or OPS)
    return Source(cases(space, points=2), seed, ops=space.ops)


def found_in(subject: Subject, examples: int = 25, *ops: str, most: int = 10) -> tuple[list[Finding], int, Hunt]:
    source = source_of(*ops)
    result = hunt(source, subject, BOTH, Limits(examples))
    shown, left = findings(result, source, subject, BOTH, most)
    return [s.finding for s in shown], left, result


TANH = slope("tanh", lambda z, a, da: da * (1.0 - a))
TWO = Builtin({**TANH.rows, "sin": dataclasses.replace(ROWS["sin"], dz=lambda z, a, da: -da * np.cos(z))})


def test_one_bug_is_one_finding_however_many_cases_it_spoils() -> None:
    found, left, result = found_in(TANH)
    (only,) = found
    assert (only.count, left) == (len(result.failures), 0)
    assert only.count > 5
    assert only.architecture == "x[1,1] -> tanh -> sse"
    assert only.first_index == result.failures[0].index
    assert (only.verdict, only.odd_one_out) == ("DISAGREES", "subject")


@pytest.mark.thorough
def test_two_bugs_at_once_are_two_findings_that_share_out_the_cases() -> None:
    found, left, result = found_in(TWO)
    assert sorted(f.architecture for f in found) == [
        "x[1,1] -> sin -> sse",
        "x[1,1] -> tanh -> sse",
    ]
    assert sum(f.count for f in found) + left == len(result.failures)
    assert left == 0
    assert len({f.id for f in found}) == 2


@pytest.mark.thorough
def test_what_is_not_shown_is_counted() -> None:
    found, left, result = found_in(TWO, most=1)
    assert len(found) == 1
    assert left == len(result.failures) - found[0].count
    assert left > 0


@pytest.mark.thorough
def test_the_finding_says_what_was_claimed_by_whom_and_how_to_see_it_again() -> None:
    source = source_of()
    result = hunt(source, TANH, BOTH, Limits(25))
    (shown,), _ = findings(result, source, TANH, BOTH)
    finding = shown.finding
    assert finding.replay == f"crosscheck replay {finding.id}"
    assert finding.id == shown.smallest.key[:6]
    assert finding.taylor is not None
    assert finding.taylor.claimed == pytest.approx(1.0, abs=0.1)
    assert finding.taylor.reference == pytest.approx(2.0, abs=0.1)
    worst = finding.entries[0]
    assert worst.tensor == finding.tensor
    assert set(worst.values) == {"subject", "torch", "differences"}
    assert shown.smallest.n_points == 1
    assert finding.worst_architecture == str(shown.worst.architecture)
    assert any(shown.worst.key == source.case(f.index).key for f in result.failures)  # type: ignore[union-attr]


def test_a_sound_subject_has_no_findings() -> None:
    assert found_in(Builtin())[:2] == ([], 0)


# The constant ratio.


def outputs_times(_case: Case, found: Gradients) -> Gradients:
    """scikit-learn issue 8349: too large by the number of outputs."""
    for name, _ in list(found.tensors()):
        found = changed(found, name, lambda g: g * float(_case.architecture.target_shape[-1]))
    return found


@pytest.mark.thorough
def test_a_factor_that_is_the_number_of_outputs_in_all_cases_is_named() -> None:
    (only,), _, result = found_in(Wrong(outputs_times), 15, "dense", "tanh", "sse")
    sentence = (
        f"the gradient is the true one times the number of outputs (2 in the smallest), in all {only.count} cases"
    )
    assert sentence in only.diagnosis
    assert only.count == len(result.failures) > 3
    assert only.architecture == "x[1,2] -> sse"


def test_a_plain_factor_is_said_plainly() -> None:
    def twice(_case: Case, found: Gradients) -> Gradients:
        return changed(found, "x", lambda g: g * 2.0)

    (only,), _, _ = found_in(Wrong(twice), 8, "dense", "tanh", "sse")
    assert "constant ratio: the gradient is 2 × the true one" in only.diagnosis


def test_a_quantity_of_the_networks_that_were_met_is_no_name_for_a_factor_where_the_one_shown_has_it_not() -> None:
    source, subject = source_of(seed=4), Wrong(times(2.0))
    result = hunt(source, subject, BOTH, Limits(1))
    assert "the batch size" in result.failures[0].equals
    ((shown,), _) = findings(result, source, subject, BOTH, 1)
    assert shown.finding.architecture == "x[1,1] -> sse"
    assert shown.finding.diagnosis == ("constant ratio: the gradient is 2 × the true one",)


# Forward and backward.


class Own(Wrong):
    """Half the loss, with a gradient that belongs to neither."""

    def gradients(self, case: Case) -> Gradients:
        found = super().gradients(case)
        return dataclasses.replace(found, loss=0.5 * found.loss)

    def loss(self, case: Case) -> np.ndarray:
        return self.gradients(case).loss


def times(factor: float) -> Callable[[Case, Gradients], Gradients]:
    def spoil(_case: Case, found: Gradients) -> Gradients:
        for name, _ in list(found.tensors()):
            found = changed(found, name, lambda g: g * factor)
        return found

    return spoil


def test_a_wrong_forward_with_its_own_gradient_is_one_finding() -> None:
    found, _, _ = found_in(Own(times(0.5)), 10, "dense", "tanh", "sse")
    (only,) = found
    assert only.verdict == "FORWARD_DISAGREES"
    assert only.message == "your loss is 0.5 × sse: pass scale=0.5"
    assert (only.tensor, only.op) == (None, "sse")


@pytest.mark.thorough
def test_a_wrong_forward_and_a_backward_that_does_not_match_it_are_two() -> None:
    found, _, _ = found_in(Own(times(1.0)), 10, "dense", "tanh", "sse")
    assert [f.verdict for f in found] == ["FORWARD_DISAGREES", "DISAGREES"]
    assert len({f.id for f in found}) == 2
    assert isinstance(Own(times(1.0)), HasLoss)
    forward, backward = found
    assert forward.taylor is not None
    assert forward.own_taylor is not None
    # The gradient of the loss that was asked for, not of half of it.
    assert forward.taylor.claimed == pytest.approx(2.0, abs=0.1)
    assert forward.own_taylor.claimed == pytest.approx(1.0, abs=0.1)
    assert backward.taylor is not None
    assert (backward.taylor.loss, backward.own_taylor) == ("own", None)
    assert backward.taylor.claimed == pytest.approx(1.0, abs=0.1)
    assert backward.diagnosis[0] == (
        "the gradients are those of sse itself: the backward does not match the loss that is returned, 0.5 × sse"
    )
    found, _, _ = found_in(Own(times(3.0)), 10, "dense", "tanh", "sse")
    assert found[1].diagnosis[0].startswith("constant ratio: the gradient is 6 × the true one"), "of half of sse"


class Decayed(Own):
    """A loss with weight decay, which is no multiple of the one asked for; of `spoil` its own right gradient."""

    def gradients(self, case: Case) -> Gradients:
        found = Builtin().gradients(case)
        more = sum(np.square(w).reshape(case.n_points, -1).sum(axis=1) for w in case.params.values())
        by_param = {k: g + 2.0 * case.params[k] for k, g in found.by_param.items()}
        return self.spoil(case, dataclasses.replace(found, loss=found.loss + more, by_param=by_param))


def test_a_loss_that_an_activation_makes_another_is_not_put_down_to_the_loss() -> None:
    """And what is added for the parameters is not put down to the layer that has them."""

    def halved(architecture: Architecture, point: Point) -> object:
        half = 0.5 if any(node.op == "tanh" for node in architecture.nodes) else 1.0
        a, drawn = point.inputs["x"], []
        for node in architecture.nodes:
            drawn.append(a)
            if node.op == "dense":
                a = a @ point.params[node.params["weight"]].T + point.params[node.params["bias"]]
            else:
                a = np.tanh(half * a)
        d, found = 2.0 * (a - point.targets), {}
        for node, given in zip(reversed(architecture.nodes), reversed(drawn), strict=True):
            if node.op == "dense":
                found |= {node.params["weight"]: d.T @ given, node.params["bias"]: d.sum(0)}
                d = d @ point.params[node.params["weight"]]
            else:
                d = d * half * (1.0 - np.tanh(half * given) ** 2)
        return np.sum((a - point.targets) ** 2), found | {"x": d}

    source = Source(
        cases_of(template("x[2,3] -> dense(3) -> tanh -> dense(2) -> sse"), points=2),
        0,
        ops=frozenset({"dense", "tanh", "sse"}),
    )
    for subject, said in (
        (PythonCallable(halved), "the forward of tanh, node "),
        (Decayed(lambda _case, found: found), "the subject's loss is not the sse that was asked for"),
    ):
        shown, _ = findings(
            hunt(source, subject, Witnesses((Ball(),)), Limits(2)), source, subject, Witnesses((Ball(),))
        )
        assert [s.finding.verdict for s in shown] == ["FORWARD_DISAGREES"]
        assert shown[0].finding.message.startswith(said)


@pytest.mark.thorough
@pytest.mark.parametrize("free", [True, False])
def test_beside_another_loss_the_gradient_that_does_not_match_it_is_accused_and_no_other(free: bool) -> None:
    """All of them differ from those of the loss that was asked for. At one output every loss is a multiple of it."""

    def spoil(_case: Case, found: Gradients) -> Gradients:
        return changed(found, "0.weight", lambda g: 1.5 * g) if "0.weight" in found else found

    source = Source(
        cases_of(template("x[2,3] -> dense(3) -> tanh -> dense(2) -> sse"), points=2), 0, ops=SPEC_OPS if free else None
    )
    subject = Decayed(spoil)
    result = hunt(source, subject, BOTH, Limits(2))
    shown, left = findings(result, source, subject, BOTH)
    assert left == 0
    assert [(s.finding.verdict, s.finding.tensor) for s in shown] == [
        ("FORWARD_DISAGREES", None),
        ("DISAGREES", "0.weight"),
    ]
    backward = shown[1].finding
    assert backward.message == (
        "the gradient of 0.weight is not the derivative of the subject's own loss: the backward does not match its "
        "forward"
    )
    assert {e.tensor for e in backward.entries} == {"0.weight"}
    assert backward.taylor is not None
    assert backward.taylor.claimed == pytest.approx(1.0, abs=0.1)
    assert backward.taylor.reference == pytest.approx(2.0, abs=0.1)


# Breaches.


def test_each_broken_rule_is_a_finding_of_its_own() -> None:
    def breach(case: Case, found: Gradients) -> Gradients:
        if "tanh" in case.architecture.ops:
            raise ContractBroken("subject raised ValueError: no tanh", rule="raised", point=0)
        if "sigmoid" in case.architecture.ops:
            raise ContractBroken("subject returned None", rule="type", point=0)
        return found

    found, left, _ = found_in(Wrong(breach))
    assert sorted(f.message for f in found) == ["subject raised ValueError: no tanh", "subject returned None"]
    assert {f.verdict for f in found} == {"BROKE_CONTRACT"}
    assert left == 0
    assert [(f.taylor, f.own_taylor) for f in found] == [(None, None)] * 2
    assert sorted(f.no_taylor or "" for f in found) == [
        "the subject raised, and gave no gradient",
        "what the subject returned is not a loss and NumPy arrays",
    ]


# When a hunt ends.


def test_it_ends_at_the_first_failure_of_the_subject_where_asked() -> None:
    result = hunt(source_of(), TANH, BOTH, Limits(25, first_failure=True))
    assert (result.ended, result.interrupted) == ("stopped at the first failure", False)
    assert len(result.failures) == 1
    assert result.tally.cases == result.failures[0].index + 1 < 25


def test_an_oracles_failure_is_not_the_first() -> None:
    result = hunt(source_of("dense", "hardsigmoid", "sse"), Builtin(), BOTH, Limits(8, first_failure=True))
    assert result.tally.verdicts["ORACLE_DISAGREES"] > 1
    assert result.tally.cases == 8


def test_it_ends_when_the_time_is_used_up_between_two_cases() -> None:
    result = hunt(source_of(), Builtin(), BOTH, Limits(25, seconds=0.0))
    assert result.tally.cases == 0
    assert result.ended == "time budget of 0 s used up after 0 of 25 examples"


def test_it_asks_for_the_cases_in_order_and_reports_progress() -> None:
    seen: list[tuple[int, int]] = []
    hunt(source_of(), Builtin(), BOTH, Limits(3), lambda done, so_far: seen.append((done, so_far.tally.cases)))
    assert seen == [(1, 1), (2, 2), (3, 3)]


def interrupting_at(call: int) -> Wrong:
    calls = 0

    def spoil(_case: Case, found: Gradients) -> Gradients:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return found

    return Wrong(spoil, asks_twice=True)  # so that a case is one call


def test_an_interrupt_keeps_what_was_found() -> None:
    result = hunt(source_of(), interrupting_at(5), BOTH, Limits(25))
    assert (result.ended, result.interrupted) == ("interrupted", True)
    assert result.tally.cases == 4
    assert sum(result.tally.verdicts.values()) == 4


def test_a_strategy_that_refuses_its_bytes_is_an_error_and_not_a_pass() -> None:
    nothing = Source(cases(Space.of(["dense"]), points=1).filter(lambda _case: False), 0)
    with pytest.raises(ValueError, match="index 0 drew no case: the strategy refused its bytes"):
        hunt(nothing, Builtin(), BOTH, Limits(3))


def test_a_subject_that_wavers_is_still_reported() -> None:
    """Wrong at its first few calls, right afterwards: shrinking must not lose it, nor raise."""
    calls = 0

    def spoil(_case: Case, found: Gradients) -> Gradients:
        nonlocal calls
        calls += 1
        return changed(found, "x", lambda g: g + 1.0) if calls <= 2 else found

    source = source_of()
    subject = Wrong(spoil, asks_twice=True)
    result = hunt(source, subject, BOTH, Limits(5))
    assert len(result.failures) == 2
    (only,), left = findings(result, source, subject, BOTH)
    assert (only.finding.verdict, only.finding.count, left) == ("BROKE_CONTRACT", 2, 0)
    assert only.finding.message == (
        "case 0 was DISAGREES, and is not when it is asked again: what the subject answers depends on chance, or on "
        "what it was asked before; the same question has the same answer"
    )


def test_an_oracle_that_wavers_has_crashed() -> None:
    class Wavering(TorchAutograd):
        asked = 0

        def references(self, case: Case) -> Reference:
            self.asked += 1
            found = super().references(case)
            if self.asked > 2:
                return found
            return dataclasses.replace(found, gradients=changed(found.gradients, "x", lambda g: g + 1.0))

    witnesses = Witnesses((Wavering(),), differences=True)
    source = source_of("dense", "tanh", "sse")
    result = hunt(source, Builtin(), witnesses, Limits(3))
    with pytest.raises(OracleCrashed, match="oracle torch answers differently when asked twice: case 0 was ORACLE_DIS"):
        findings(result, source, Builtin(), witnesses)

"""Which loss a slope is of, which tensors move, whose gradient is trusted, and how small an error shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import Wrong, as_callable, case_of, changed, off_by

from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import describe
from crosscheck.diagnosis.claims import Failure
from crosscheck.diagnosis.remainder import PARTS, Claim, Loss, NoSlope, Question
from crosscheck.diagnosis.slope import Slopes, of_failure
from crosscheck.differences.taylor import TaylorSlope, from_remainders
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Gradients, Point, Subject, Verdict
from crosscheck.spec.record import Taylor
from crosscheck.spec.result import Rigour
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.python_callable import PythonCallable

NET = "x[2,3] -> dense(3) -> tanh -> dense(2) -> sse"
BALL = Witnesses((Ball(),), differences=False)
DIFFERENCES = Witnesses((), differences=True)


def slopes(
    subject: Subject, witnesses: Witnesses = BALL, text: str = NET, verdict: Verdict | None = None, **options: object
) -> Slopes:
    """Those of the judgement on one case, or of the backward beside its wrong forward where DISAGREES is asked for."""
    case = case_of(text, **{"points": 2, **options})  # type: ignore[arg-type]
    with np.errstate(all="ignore"):
        judgement = check(case, subject, witnesses)
        if verdict is Verdict.DISAGREES:
            judgement = describe.of_the_backward(judgement)
        where = describe.culprit(case.architecture, judgement)
        asked = judgement.verdict if verdict is None else verdict
        return of_failure(case, judgement, subject, witnesses, where.tensor, asked)


def taylor(found: Slopes) -> Taylor:
    assert found.taylor is not None, found.missing
    return found.taylor


def relatively_off(size: float) -> Wrong:
    """One entry of one tensor is off."""

    def spoil(_case: Case, found: Gradients) -> Gradients:
        def nudge(g: np.ndarray) -> np.ndarray:
            g.reshape(len(g), -1)[:, -1] *= 1.0 + size
            return g

        return changed(found, "0.weight", nudge)

    return Wrong(spoil)


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("as_function", [False, True])
def test_however_small_the_error_its_slope_is_one(size: float, as_function: bool) -> None:
    """Also of a function with a loss of its own: where the loss is the one asked for it is taken exactly."""
    wrong = relatively_off(size)
    found = taylor(slopes(PythonCallable(as_callable(wrong)) if as_function else wrong))
    assert (found.loss, found.exact, found.tensors, found.reference_name) == ("asked", True, ("0.weight",), "ball")
    assert found.claimed == pytest.approx(1.0, abs=0.05)
    assert found.reference == pytest.approx(2.0, abs=0.01)
    assert len(found.steps) == len(found.claimed_remainders) == len(found.reference_remainders)


def test_the_same_failure_has_the_same_slope() -> None:
    assert slopes(off_by("0.weight", 2.0)) == slopes(off_by("0.weight", 2.0))


@dataclasses.dataclass(frozen=True)
class Decayed(Wrong):
    """A loss with weight decay, and `spoil` of its right gradient; it has no loss to be asked alone."""

    def gradients(self, case: Case) -> Gradients:
        found = Builtin().gradients(case)
        more = sum(np.square(w).reshape(case.n_points, -1).sum(axis=1) for w in case.params.values())
        by_param = {k: g + 2.0 * case.params[k] for k, g in found.by_param.items()}
        return self.spoil(case, dataclasses.replace(found, loss=found.loss + more, by_param=by_param))


def test_another_loss_is_held_against_both_and_all_tensors_move() -> None:
    found = slopes(Decayed(lambda _, g: g))
    every = ("0.weight", "0.bias", "2.weight", "2.bias", "x")
    asked, own = taylor(found), found.own
    assert own is not None
    assert found.missing is None
    assert (asked.loss, asked.exact, asked.tensors, asked.reference_name) == ("asked", True, every, "ball")
    assert (own.loss, own.exact, own.tensors, own.reference_name, own.factor) == ("own", False, every, None, None)
    assert asked.claimed == pytest.approx(1.0, abs=0.05)
    assert asked.reference == pytest.approx(2.0, abs=0.01)
    assert own.claimed == pytest.approx(2.0, abs=0.1)
    assert (own.reference, own.reference_remainders) == (None, ())


def test_only_tensors_whose_gradient_was_claimed_move() -> None:
    found = slopes(Decayed(lambda _, g: dataclasses.replace(g, by_input={})))
    assert taylor(found).tensors == ("0.weight", "0.bias", "2.weight", "2.bias")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_backward_of_another_loss_is_told_from_one_that_is_wrong_in_every_dtype(dtype: str) -> None:
    right = slopes(Decayed(lambda _, g: g), dtype=dtype).own
    wrong = slopes(Decayed(lambda _, g: changed(g, "0.weight", lambda d: 3 * d)), dtype=dtype).own
    assert right is not None
    assert wrong is not None
    assert right.claimed is None or right.claimed == pytest.approx(2.0, abs=0.2), "hidden, or right"
    assert wrong.claimed == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("factor", [0.5, 3.0, 1 / 3, -2.0])
def test_a_multiple_is_taken_exactly_and_in_units_of_its_own(factor: float) -> None:
    def times(_case: Case, found: Gradients) -> Gradients:
        return Gradients(
            found.loss * factor,
            {k: g * factor for k, g in found.by_param.items()},
            {k: g * factor for k, g in found.by_input.items()},
        )

    found = slopes(Wrong(times))
    assert found.own is not None
    assert (found.own.loss, found.own.exact, found.own.factor) == ("own", True, factor)
    assert found.own.claimed == pytest.approx(2.0, abs=0.01)
    # A right gradient of either leaves what is not linear in the loss: that of the multiple is so much more.
    own, asked = (np.array(r[:8]) for r in (found.own.claimed_remainders, taylor(found).reference_remainders))
    np.testing.assert_allclose(own, abs(factor) * asked, rtol=1e-3)


def test_beside_a_loss_that_is_no_multiple_its_own_differences_say_which_gradient_is_wrong() -> None:
    """All gradients differ from those of the asked loss: only the one that is not that of its own is accused."""

    @dataclasses.dataclass(frozen=True)
    class WithLoss(Decayed):
        def loss(self, case: Case) -> np.ndarray:
            return self.gradients(case).loss

    subject = WithLoss(lambda _, g: changed(g, "0.bias", lambda d: 1.5 * d))
    found = taylor(slopes(subject, verdict=Verdict.DISAGREES))
    assert (found.tensors, found.loss, found.exact, found.reference_name) == (("0.bias",), "own", False, "differences")
    assert found.claimed == pytest.approx(1.0, abs=0.1)
    assert found.reference == pytest.approx(2.0, abs=0.1)


def test_entries_that_a_sample_left_out_do_not_move() -> None:
    """Of a large network differences answer a sample of entries: the rest is no error of theirs."""
    found = taylor(slopes(off_by("0.weight", 2.0), DIFFERENCES, "x[2,20] -> dense(20) -> tanh -> dense(5) -> sse"))
    assert found.reference_name == "differences"
    assert found.reference == pytest.approx(2.0, abs=0.1)
    assert found.claimed == pytest.approx(1.0, abs=0.1)


def test_who_stands_against_the_subject_is_trusted_before_who_stands_with_it() -> None:
    """Which of torch and the differences is right is open; the slope says so."""

    @dataclasses.dataclass(frozen=True)
    class AlikeWrong(TorchAutograd):
        def references(self, case: Case):  # type: ignore[no-untyped-def]
            honest = TorchAutograd().references(case)
            return dataclasses.replace(honest, gradients=changed(honest.gradients, "0.weight", lambda g: 2.0 * g))

    witnesses = Witnesses((AlikeWrong(),), differences=True)
    case, subject = case_of(NET, points=2), off_by("0.weight", 2.0)
    judgement = check(case, subject, witnesses)
    assert list(judgement.references) == ["torch", "differences"]
    if judgement.verdict is Verdict.DISAGREES:
        found = of_failure(case, judgement, subject, witnesses, "0.weight", Verdict.DISAGREES)
    else:
        forced = dataclasses.replace(judgement, verdict=Verdict.DISAGREES, odd_one_out=None)
        found = of_failure(case, forced, subject, witnesses, "0.weight", Verdict.DISAGREES)
    assert taylor(found).reference_name == "differences"


def test_the_point_is_one_where_it_is_wrong() -> None:
    def at_the_last(_case: Case, found: Gradients) -> Gradients:
        def spoil(g: np.ndarray) -> np.ndarray:
            g[-1] *= 2.0
            return g

        return changed(found, "0.weight", spoil)

    assert taylor(slopes(Wrong(at_the_last), points=3)).claimed == pytest.approx(1.0, abs=0.05)


def test_a_loss_that_is_lost_at_one_point_is_held_against_another() -> None:
    first = case_of(NET, points=2).inputs["x"][0]

    def spoil(case: Case, found: Gradients) -> Gradients:
        lost = (case.inputs["x"] == first).all(axis=(1, 2))
        return dataclasses.replace(found, loss=np.where(lost, np.inf, found.loss + 1.0))

    found = slopes(Wrong(spoil))
    assert found.missing is None
    assert found.own is not None
    assert found.own.claimed == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("tensor", [None, "0.bias", "nosuch"])
def test_where_no_entry_is_wrong_by_itself_that_is_said(tensor: str | None) -> None:
    case, subject = case_of(NET, points=2), off_by("0.weight", 2.0)
    found = of_failure(case, check(case, subject, BALL), subject, BALL, tensor, Verdict.DISAGREES)
    assert found == Slopes(missing="no entry of a gradient is wrong by itself")


# Far from linear at the largest steps, which are all that float16 leaves.
WIDE = "x[8,16] -> dense(16) -> tanh -> dense(16) -> gelu -> dense(4) -> sse"


@pytest.mark.parametrize(("noise", "error", "slope"), [(1e-3, 0.0, None), (1e-9, 0.0, 2.0), (1e-9, 1e-3, 1.0)])
def test_where_noise_leaves_only_steps_over_which_no_slope_is_two_none_is_told(
    noise: float, error: float, slope: float | None
) -> None:
    """A remainder that grows like h where h is large, whatever the gradient, and like h² from 1/64 down."""
    steps = 2.0 ** -np.arange(1, 40)
    shape = np.where(steps > 2.0**-6, steps * 2.0**-6, steps**2)

    def measured(_question: Question, asked: Claim) -> TaylorSlope:
        if asked.name is not None:
            return from_remainders(steps, shape, 1e-12 * steps)
        return from_remainders(steps, shape + error * steps, noise * np.ones(39))

    gradient = np.ones((3, 4))
    case = case_of("x[4] -> dense(3) -> sse")
    mine, trusted = claim(gradient), claim(gradient, name="ball")
    question = Question.of(case, 0, mine, trusted)
    found = Loss(measured).record(question, mine, trusted)
    assert found.reference == pytest.approx(2.0, abs=0.01)
    assert found.claimed == (None if slope is None else pytest.approx(slope, abs=0.05))
    # Of another loss of the same network, where nobody is to be trusted with its gradient.
    alone = Loss(measured).record(question, mine, None, lambda: measured(question, trusted))
    assert (alone.claimed, alone.reference) == (found.claimed, None)


@pytest.mark.parametrize("seed", range(4))
def test_steps_that_are_too_large_for_a_slope_accuse_nobody(seed: int) -> None:
    right = Wrong(lambda _, g: changed(g, "0.weight", lambda d: d.astype("float16")))
    found = taylor(slopes(right, text=WIDE, points=1, seed=seed))
    assert found.reference == pytest.approx(2.0, abs=0.01)
    assert found.claimed is None or found.claimed >= 1.5
    wrong = Wrong(lambda _, g: changed(g, "0.weight", lambda d: (3 * d).astype("float16")))
    assert taylor(slopes(wrong, text=WIDE, points=1, seed=seed)).claimed == pytest.approx(1.0, abs=0.1)


# Directions.


def claim(gradient: np.ndarray, noise: np.ndarray | float = 0.0, name: str | None = None) -> Claim:
    return Claim(name, {"0.weight": gradient}, {"0.weight": np.broadcast_to(noise, gradient.shape)})


def test_a_direction_has_signs_and_sizes_of_its_own_and_the_case_decides_it() -> None:
    case = case_of("x[40] -> dense(30) -> sse")
    gradient = np.ones((30, 40))
    v = Question.of(case, 0, claim(gradient), None).direction["0.weight"]
    assert ((np.abs(v) >= 0.5) & (np.abs(v) <= 1.0)).all()
    assert 0.4 < (v > 0).mean() < 0.6
    assert len(np.unique(np.abs(v))) > PARTS // 4
    again = Question.of(case, 0, claim(2 * gradient), None).direction["0.weight"]
    np.testing.assert_array_equal(v, again)


def test_what_one_of_the_two_has_not_answered_does_not_move() -> None:
    case, gradient = case_of("x[3] -> dense(2) -> sse"), np.ones((2, 3))
    unasked = np.array([[0.0, np.inf, 0.0], [np.inf, 0.0, 0.0]])
    question = Question.of(case, 0, claim(np.where(unasked > 0, np.nan, gradient)), claim(gradient, unasked, "torch"))
    np.testing.assert_array_equal(question.direction["0.weight"] == 0, unasked > 0)
    assert question.noise(claim(gradient, np.where(unasked > 0, np.inf, 1.0))) == pytest.approx(
        np.abs(question.direction["0.weight"]).sum()
    )
    with pytest.raises(NoSlope, match=r"^no entry of the gradient can be held against anything$"):
        Question.of(case, 0, claim(gradient), claim(gradient, np.inf, "torch"))


@pytest.mark.parametrize(("value", "what"), [(np.nan, "NaN"), (-np.inf, "an infinity")])
def test_what_is_accused_and_is_no_number_has_no_slope(value: float, what: str) -> None:
    case, gradient = case_of("x[3] -> dense(2) -> sse"), np.array([[1.0, value, 1.0], [1.0, 1.0, 1.0]])
    with pytest.raises(NoSlope, match=rf"^torch's gradient of 0.weight holds {what}$"):
        Question.of(case, 0, claim(gradient, name="torch"), None)


# Whom to trust.


def failure(witnesses: Witnesses) -> Failure:
    case = case_of(NET, points=2)
    return Failure(case, check(case, off_by("0.weight", 2.0), witnesses), off_by("0.weight", 2.0), witnesses)


def test_a_witness_that_answers_every_wrong_entry_is_trusted_before_one_that_does_not() -> None:
    failed = failure(Witnesses((Ball(), TorchAutograd()), differences=False))
    references = failed.judgement.references
    assert [r.rigour for r in references.values()] == [Rigour.CERTIFIED, Rigour.DERIVED]
    ball = references["ball"]
    assert ball.radius is not None
    half = np.zeros((2, 3, 3))
    half[:, 0, 0] = np.inf
    part = dataclasses.replace(ball.radius, by_param={**ball.radius.by_param, "0.weight": half})
    asked = {**references, "ball": dataclasses.replace(ball, radius=part)}
    wrong = np.zeros((3, 3), np.bool_)
    for place, expected in (((0, 0), "torch"), ((1, 1), "ball")):
        wrong[...] = False
        wrong[place] = True
        found = failed.trusted(asked, ["0.weight"], 0, wrong={"0.weight": wrong})
        assert found is not None
        assert found.name == expected


def test_without_a_witness_the_gradient_stands_alone() -> None:
    assert failure(BALL).trusted({}, ["0.weight"], 0) is None


def test_where_the_loss_asked_for_is_0_another_rounds_by_the_output_that_it_is_made_of() -> None:
    """The subject counts the class that is to be ignored: the loss asked for has no rounding there, its own has.

    Its gradient is that of its own loss, which is small beside the numbers that it is the difference of.
    """

    def counted(_architecture: object, point: Point) -> tuple[float, dict[str, np.ndarray]]:
        z, y = point.inputs["x"], point.targets
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -float(log_p[0, y[0]]), {"x": np.exp(log_p) - np.eye(2)[y]}

    text = "x[1,2] -> softmax_cross_entropy(ignore_index=0)"
    of_class_0 = [seed for seed in range(60) if (case_of(text, seed=seed, points=1).targets == 0).all()]
    for seed in of_class_0[:12]:
        found = slopes(PythonCallable(counted), text=text, seed=seed, points=1)
        assert found.own is not None, found.missing
        assert found.own.claimed is None or found.own.claimed == pytest.approx(2.0, abs=0.1), f"seed {seed}"

"""From parties to the verdict of a case: every verdict, their precedence, and who is named."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from judge.parties import CASE, LOSS, TRUTH, Scene, bound, gradients, with_entry, witness

from crosscheck.judge.compare import Status
from crosscheck.judge.verdict import broke, judge, with_own_forward
from crosscheck.spec.errors import ContractBroken
from crosscheck.spec.result import Gradients, Verdict

V = Verdict
NAN, INF = float("nan"), float("inf")
ZERO = gradients(weight=0.0, x=0.0)
DIFFERENCES = witness(radius=1e-6)

# fmt: off
SCENES: dict[str, tuple[Scene, Verdict, str | None]] = {
    "all agree":               (Scene(gradients()),                                 V.AGREES, None),
    "a single witness agrees": (Scene(gradients(), {"torch": witness()}),           V.AGREES, None),
    "differences alone agree": (Scene(gradients(), {"differences": DIFFERENCES}),   V.AGREES, None),
    "within the bound":        (Scene(with_entry(1.0 + 1e-9)),                      V.AGREES, None),

    "wrong entry":             (Scene(with_entry(1.5)),                             V.DISAGREES, "subject"),
    "wrong in one point":      (Scene(with_entry(1.5, point=1)),                    V.DISAGREES, "subject"),
    "wrong input gradient":    (Scene(with_entry(9.0, name="x")),                   V.DISAGREES, "subject"),
    "wrong and one witness":   (Scene(with_entry(1.5), {"torch": witness()}),       V.DISAGREES, None),
    "against differences too": (Scene(with_entry(1.5), {"torch": witness(), "differences": DIFFERENCES}),
                                                                                    V.DISAGREES, "subject"),
    "infinite entry":          (Scene(with_entry(INF)),                             V.DISAGREES, "subject"),
    "two against two":         (Scene(gradients(), {"torch": witness(), "jax": witness(with_entry(2.0)),
                                                    "ball": witness(with_entry(2.0))}), V.DISAGREES, None),
    "wrong where all is zero": (Scene(with_entry(1e-3), {w: witness(ZERO) for w in ("torch", "jax")}),
                                                                                    V.DISAGREES, "subject"),

    "torch is wrong":          (Scene(gradients(), {"torch": witness(with_entry(1.5)), "jax": witness()}),
                                                                                    V.ORACLE_DISAGREES, "torch"),
    "jax is wrong":            (Scene(gradients(), {"torch": witness(), "jax": witness(with_entry(NAN))}),
                                                                                    V.ORACLE_DISAGREES, "jax"),
    "torch, by differences":   (Scene(gradients(), {"torch": witness(with_entry(1.5)), "differences": DIFFERENCES}),
                                                                                    V.ORACLE_DISAGREES, "torch"),
    "torch's loss is wrong":   (Scene(gradients(), {"torch": witness(gradients(loss=[3.0, 6.0])), "jax": witness()}),
                                                                                    V.ORACLE_DISAGREES, "torch"),

    "another loss":            (Scene(gradients(loss=[3.0, 7.0])),                  V.FORWARD_DISAGREES, None),
    "half of the loss":        (Scene(gradients(loss=LOSS / 2, times=0.5)),         V.FORWARD_DISAGREES, None),
    "half, gradients whole":   (Scene(gradients(loss=LOSS / 2)),                    V.FORWARD_DISAGREES, "subject"),
    "loss and entry wrong":    (Scene(with_entry(1.5, loss=[3.0, 7.0])),            V.FORWARD_DISAGREES, "subject"),
    "NaN for a loss":          (Scene(gradients(loss=[3.0, NAN])),                  V.FORWARD_DISAGREES, None),

    "NaN entry":               (Scene(with_entry(NAN)),                             V.BROKE_CONTRACT, None),
    "NaN entry, other loss":   (Scene(with_entry(NAN, loss=[3.0, 7.0])),            V.BROKE_CONTRACT, None),
    "NaN entry, torch's too":  (Scene(with_entry(NAN), {"torch": witness(with_entry(NAN)), "jax": witness()}),
                                                                                    V.BROKE_CONTRACT, None),

    "all at kinks":            (Scene(gradients(), bound=bound(0.5, parted=True)),  V.UNDECIDABLE, None),
    "NaN after overflow":      (Scene(with_entry(NAN), bound=bound(overflown=True)), V.AGREES, None),
    "infinity after overflow": (Scene(with_entry(INF), bound=bound(overflown=True)), V.AGREES, None),
    "loss after overflow":     (Scene(gradients(loss=[3.0, INF]), bound=bound(overflown=True)), V.AGREES, None),
    "number after overflow":   (Scene(with_entry(1.5), bound=bound(overflown=True)), V.DISAGREES, "subject"),
    "all beyond the range":    (Scene(gradients(), bound=bound(INF, loss=INF)),     V.UNDECIDABLE, None),
    "NaN beyond the range":    (Scene(with_entry(NAN), bound=bound(INF, loss=INF)), V.UNDECIDABLE, None),
    "all too wide":            (Scene(gradients(), bound=bound(0.5)),               V.UNDECIDABLE, None),
    "all zero":                (Scene(ZERO, {w: witness(ZERO) for w in ("torch", "jax")}), V.UNDECIDABLE, None),

    "no witnesses":            (Scene(gradients(), {}),                             V.UNCHECKED, None),
    "wrong, no witnesses":     (Scene(with_entry(1.5), {}),                         V.UNCHECKED, None),
    "nothing was asked":       (Scene(gradients(), {"differences": witness(radius=INF)}), V.UNCHECKED, None),
    "nothing was claimed":     (Scene(Gradients(LOSS, {}, {})),                     V.UNCHECKED, None),
}
# fmt: on


@pytest.mark.parametrize("name", SCENES)
def test_the_verdict_and_who_is_named(name: str) -> None:
    scene, verdict, odd = SCENES[name]
    found = scene.judged()
    assert found.verdict is verdict
    assert found.odd_one_out == odd


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_is_not_finite_is_overflow_only_where_something_overflows(value: float) -> None:
    found = Scene(with_entry(value), bound=bound(overflown=True)).judged()
    assert found.count(Status.OVERFLOW) == 1
    assert found.count(Status.AGREE) == found.tensors["0.weight"].status.size + found.tensors["x"].status.size - 1
    assert Scene(with_entry(value), bound=bound()).judged().count(Status.DISAGREE) == 1


def test_a_witness_that_overflows_on_the_way_is_not_odd() -> None:
    scene = Scene(gradients(), {"torch": witness(with_entry(NAN)), "jax": witness()})
    assert scene.judged().verdict is Verdict.ORACLE_DISAGREES
    bounds = {"subject": bound(), "torch": bound(overflown=True), "jax": bound()}
    assert judge(CASE, scene.subject, scene.witnesses, bounds).verdict is Verdict.AGREES


def test_every_verdict_is_in_the_table() -> None:
    assert {verdict for _, verdict, _ in SCENES.values()} == set(Verdict)


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_not_a_bool(verdict: Verdict) -> None:
    with pytest.raises(TypeError, match=r"a verdict is not a bool: compare it with Verdict\.AGREES"):
        assert verdict
    with pytest.raises(TypeError):
        _ = not verdict
    assert pickle.loads(pickle.dumps(verdict)) is verdict


def test_the_nan_is_named_with_its_place() -> None:
    found = Scene(with_entry(NAN, point=1)).judged()
    assert found.contract is not None
    assert (found.contract.rule, found.contract.point, found.contract.tensor) == ("nan", 1, "0.weight")
    said = "subject returned NaN for 0.weight[0, 0] at point 1; the true gradient there is finite"
    assert str(found.contract) == said


def test_a_contract_broken_before_anything_was_compared() -> None:
    contract = ContractBroken("subject returned 3 arrays", rule="keys")
    found = broke(contract)
    assert (found.verdict, found.contract, found.tensors) == (Verdict.BROKE_CONTRACT, contract, {})


def test_zeros_are_informative_beside_a_signal_that_they_block() -> None:
    """A dead unit's gradient is zero, and is compared as sharply as the gradient that stops there is large."""
    both = {w: witness(ZERO) for w in ("torch", "jax")}
    assert Scene(ZERO, both, bound(signal=1.0)).judged().verdict is Verdict.AGREES
    assert Scene(ZERO, both, bound(signal=1e-7)).judged().verdict is Verdict.UNDECIDABLE


def test_the_suspects_are_the_points_with_a_difference_of_anybody() -> None:
    assert Scene(gradients()).judged().suspects == ()
    assert Scene(with_entry(1.5, point=1)).judged().suspects == (1,)
    torch = witness(with_entry(2.0, point=0))
    assert Scene(with_entry(9.0, point=1, name="x"), {"torch": torch, "jax": witness()}).judged().suspects == (0, 1)
    assert Scene(gradients(loss=[3.0, 7.0])).judged().suspects == (1,)


def test_what_was_not_claimed_is_listed() -> None:
    found = Scene(Gradients(LOSS, {"0.weight": TRUTH["0.weight"]}, {})).judged()
    assert (found.verdict, found.not_claimed) == (Verdict.AGREES, ("x",))
    assert Scene(gradients()).judged().not_claimed == ()


def test_entries_that_were_not_asked_are_not_called_agreement() -> None:
    radius = gradients(loss=INF, weight=[[[1e-6, INF], [INF, INF]]] * 2, x=INF)
    found = Scene(gradients(), {"differences": replace(witness(), radius=radius)}).judged()
    assert (found.verdict, found.count(Status.AGREE), found.count(Status.NOT_COMPARED)) == (Verdict.AGREES, 2, 10)


def test_a_known_deviation_is_the_witnesss_and_anything_larger_is_not() -> None:
    wide = {"torch": bound(0.2)}
    alone = {"torch": witness(with_entry(1.1))}
    explained = Scene(gradients(), alone, deviating=wide).judged()
    assert (explained.verdict, explained.odd_one_out) == (Verdict.ORACLE_DISAGREES, "torch")
    assert Scene(gradients(), alone).judged().verdict is Verdict.DISAGREES
    assert Scene(gradients(), {"torch": witness(with_entry(1.5))}, deviating=wide).judged().verdict is Verdict.DISAGREES
    bug_beside_it = Scene(with_entry(1.5), alone | {"jax": witness()}, deviating=wide).judged()
    assert (bug_beside_it.verdict, bug_beside_it.odd_one_out) == (Verdict.DISAGREES, "subject")


def test_a_known_deviation_of_the_loss_is_not_a_wrong_forward() -> None:
    said = {"torch": witness(gradients(loss=[3.1, 5.0])), "jax": witness()}
    found = Scene(gradients(), said, deviating={"torch": bound(loss=0.2)}).judged()
    assert found.verdict is Verdict.ORACLE_DISAGREES
    assert found.forward is not None
    assert not found.forward.disagrees


def test_one_settled_entry_is_enough_to_name_the_subject() -> None:
    """One entry is asked of both witnesses, the other of one alone: the attribution of the first is settled."""
    weight = TRUTH["0.weight"].copy()
    weight[0, 0] = [7.0, 8.0]
    radius = gradients(loss=INF, weight=[[[1e-6, INF], [INF, INF]]] * 2, x=INF)
    found = Scene(gradients(weight=weight), {"torch": witness(), "d": replace(witness(), radius=radius)}).judged()
    assert (found.verdict, found.odd_one_out) == (Verdict.DISAGREES, "subject")


# The subject's own loss, differenced: right whatever it computes.
OWN = witness(radius=1e-6)


@pytest.mark.parametrize(
    ("scene", "verdict"),
    [
        (Scene(with_entry(1.5), {}), Verdict.DISAGREES),
        (Scene(with_entry(1.5), {w: witness(with_entry(1.5)) for w in ("torch", "jax")}), Verdict.DISAGREES),
        (Scene(with_entry(1.5, loss=[3.0, 7.0])), Verdict.FORWARD_DISAGREES),
        (Scene(gradients()), Verdict.AGREES),
        (Scene(gradients(), {}), Verdict.UNCHECKED),
    ],
    ids=["unchecked", "agreed", "another loss", "right", "right, unchecked"],
)
def test_a_backward_that_does_not_match_its_own_forward(scene: Scene, verdict: Verdict) -> None:
    found = with_own_forward(scene.judged(), scene.subject, OWN, scene.bound)
    assert found.verdict is verdict
    wrong = sum(t.count(Status.DISAGREE) for t in found.own.values())
    assert wrong == (1 if scene.subject["0.weight"][0, 0, 0] == 1.5 else 0)
    assert found.suspects == ((0, 1) if scene.subject.loss[1] == 7.0 else (0,) if wrong else ())


def test_a_float32_subject_is_compared_in_float64() -> None:
    third = gradients(weight=1.0 / 3.0)
    narrow = gradients(weight=1.0 / 3.0, dtype="float32")  # 1e-8 off
    assert Scene(narrow, {"torch": witness(third)}).judged().verdict is Verdict.DISAGREES
    assert Scene(narrow, {"torch": witness(third)}, bound(1e-7)).judged().verdict is Verdict.AGREES

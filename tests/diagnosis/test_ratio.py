"""The constant ratio: found within the bounds or not at all, and named by what it equals in all cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from builders import Wrong, case_of, changed

from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import ratio
from crosscheck.diagnosis.quantities import of_a_node
from crosscheck.judge.verdict import Judgement
from crosscheck.spec import Case, Gradients, Verdict, parse

WITNESSES = Witnesses((), differences=True)
NET = "x[3,4] -> dense(2) -> tanh -> sse"


def judged(spoil: Callable[[Case, Gradients], Gradients], text: str = NET) -> Judgement:
    return check(case_of(text, points=2), Wrong(spoil), WITNESSES)


def all_times(factor: float) -> Callable[[Case, Gradients], Gradients]:
    def spoil(_case: Case, found: Gradients) -> Gradients:
        for name, _ in list(found.tensors()):
            found = changed(found, name, lambda g: g * factor)
        return found

    return spoil


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.5, 1 / 3, 3 / 7, 0.0, 1234.0, np.pi])
def test_a_factor_is_found_and_is_the_simple_number_that_is_meant(factor: float) -> None:
    judgement = judged(all_times(factor))
    assert judgement.verdict is Verdict.DISAGREES
    found = ratio.constant_ratio(judgement)
    assert found == factor if factor != np.pi else found == pytest.approx(np.pi, rel=1e-9)


# fmt: off
NO_FACTOR = {
    "per tensor":    lambda c, g: changed(changed(g, "0.weight", lambda d: 2 * d), "x", lambda d: 3 * d),
    "per entry":     lambda c, g: changed(g, "0.weight", lambda d: d * np.linspace(1, 2, d.size).reshape(d.shape)),
    "one entry":     lambda c, g: changed(g, "0.weight", lambda d: d * (1 + (np.arange(d.size).reshape(d.shape) == 3))),
    "an offset":     lambda c, g: changed(g, "0.bias", lambda d: d + 1.0),
    "not finite":    lambda c, g: changed(g, "0.bias", lambda d: d * np.inf),
}
# fmt: on


@pytest.mark.parametrize("name", NO_FACTOR)
def test_what_is_no_common_factor_is_not_called_one(name: str) -> None:
    assert ratio.constant_ratio(judged(NO_FACTOR[name])) is None


def test_a_factor_near_a_simple_number_is_not_rounded_to_it() -> None:
    assert ratio.constant_ratio(judged(all_times(2.0 + 1e-7))) == pytest.approx(2.0 + 1e-7, abs=1e-10)
    assert ratio.constant_ratio(judged(all_times(1.0 + 1e-7))) == pytest.approx(1.0 + 1e-7, abs=1e-10)


def test_one_wrong_tensor_beside_right_ones_has_its_factor() -> None:
    assert ratio.constant_ratio(judged(lambda c, g: changed(g, "0.bias", lambda d: 3 * d))) == 3.0


def test_agreement_has_no_ratio() -> None:
    assert ratio.constant_ratio(judged(lambda c, g: g)) is None


# Naming.


def test_the_quantities_of_a_network() -> None:
    found = ratio.quantities(parse("x[3,4] -> dense(5) -> mse(scale=0.25)"))
    assert found == {
        "the number of outputs": 5.0,
        "the batch size": 3.0,
        "the number of output elements": 15.0,
        "1 / the number of outputs": 1 / 5,
        "1 / the batch size": 1 / 3,
        "1 / the number of output elements": 1 / 15,
        "the loss's scale": 0.25,
        "1 / the loss's scale": 4.0,
    }
    assert "the batch size" not in ratio.quantities(parse("x[4] -> sse"))
    assert "1 / the loss's scale" not in ratio.quantities(parse("x[4] -> sse(scale=0.0)"))


def test_what_a_node_multiplies_by_is_a_quantity_too() -> None:
    text = (
        "x[2,3,4]; k[2,3,4]:bool; x -> dropout(k, p=0.2) -> multi_head_attention(heads=2) -> layer_norm -> "
        "hardtanh(min_val=-2.0) -> elu -> sse"
    )
    found = {name: value for name, value in ratio.quantities(parse(text)).items() if of_a_node(name)}
    assert found == {
        "dropout's p": 0.2,
        "dropout's (1 - p)": 0.8,
        "1 / dropout's p": 5.0,
        "1 / dropout's (1 - p)": 1.25,
        "multi_head_attention's heads": 2.0,
        "1 / multi_head_attention's heads": 0.5,
        "multi_head_attention's number of steps": 3.0,
        "1 / multi_head_attention's number of steps": 1 / 3,
        "multi_head_attention's √(width of a head)": 2**0.5,
        "1 / multi_head_attention's √(width of a head)": 1 / 2**0.5,
    }


def test_a_ratio_is_named_by_all_that_it_equals() -> None:
    network = parse("x[3,4] -> dense(3) -> sse(scale=0.5)")
    assert ratio.named(3.0, network) == {"the number of outputs", "the batch size"}
    assert ratio.named(2.0, network) == {"1 / the loss's scale"}
    assert ratio.named(7.0, network) == set()
    assert ratio.named(3.0 + 1e-6, network) == set()


# fmt: off
SENTENCES = [  # ratio in the smallest, quantities in all cases, cases, whether ratios differ, sentence
    (2.0,  ["the number of outputs"],                 6, True,
     "the gradient is the true one times the number of outputs (2 in the smallest), in all 6 cases"),
    (2.0,  ["the number of outputs"],                 1, False,
     "constant ratio: the gradient is 2 × the true one, which here is also the number of outputs"),
    (0.25, ["1 / the number of output elements"],     3, False,
     "constant ratio: the gradient is 0.25 × the true one, which here is also 1 / the number of output elements"),
    (None, ["the batch size"],                        2, True,
     "the gradient is the true one times the batch size, in all 2 cases"),
    (2.0,  ["the loss's scale", "1 / the batch size", "the batch size", "the number of output elements"], 3, True,
     "the gradient is the true one times the batch size (2 in the smallest), in all 3 cases"),
    (2.0,  [],                                        3, False, "constant ratio: the gradient is 2 × the true one"),
    (1/3,  [],                                        3, False, "constant ratio: the gradient is 1/3 × the true one"),
    (2.0,  [],                                        3, True,  None),
    (None, [],                                        3, False, None),
]
# fmt: on


@pytest.mark.parametrize(("found", "shared", "cases", "differ", "sentence"), SENTENCES)
def test_the_sentence(found: float | None, shared: list[str], cases: int, differ: bool, sentence: str | None) -> None:
    assert ratio.sentence(found, shared, cases, differ) == sentence
    assert ratio.sentence(found, reversed(shared), cases, differ) == sentence, "whatever the order of the names"


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (2.0, "2"),
        (1 / 3, "1/3"),
        (1.000001, "1.000001"),
        (0.13197734165637792, "0.1319773417"),
        (1.00000000001, "1.00000000001"),
    ],
)
def test_a_measured_factor_has_the_digits_that_it_is_known_to(measured: float, said: str) -> None:
    assert ratio.said(measured) == said


def test_what_is_all_but_one_is_no_quantity() -> None:
    assert ratio.named(1.0 + 1e-11, parse("x[1,1] -> sse")) == frozenset()
    assert "the loss's scale" in ratio.named(2.0, parse("x[1,1] -> sse(scale=2)"))


LOSSES = [  # networks with the factor of a loss that leaves something out, sentence
    ((("x[2,3] -> sse(scale=0.5)", 2.0), ("x[2,3] -> sse(scale=2.0)", 0.5)),
     "your loss is sse without its scale: apply architecture.loss.attributes, or ask in Python for "
     "('sse', {'scale': 1.0})"),
    ((("x[2,3] -> sse(reduction=mean)", 6.0), ("x[3,3] -> sse(reduction=batch_mean)", 3.0)),
     "your loss is sse without its reduction: apply architecture.loss.attributes, or ask in Python for "
     "('sse', {'reduction': 'sum'})"),
    ((("x[2,3] -> sse(scale=0.5, reduction=mean)", 12.0), ("x[2,3] -> sse(scale=2.0)", 0.5)),
     "your loss is sse without its scale and reduction: apply architecture.loss.attributes, or ask in Python for "
     "('sse', {'scale': 1.0, 'reduction': 'sum'})"),
    ((("x[2,3] -> sse(scale=0.5)", 2.0), ("x[2,3] -> sse(scale=2.0)", 3.0)),
     "your loss is sse times a factor that changes from network to network"),
    ((("x[2,3] -> sse", 1 / 6), ("x[1,3] -> sse", 1 / 3)),
     "your loss is sse times 1 / the number of output elements: write sse(reduction=mean)"),
]  # fmt: skip


@pytest.mark.parametrize(("met", "said"), LOSSES)
def test_what_a_loss_leaves_out_is_named(met: tuple[tuple[str, float], ...], said: str) -> None:
    shared = frozenset.intersection(*(ratio.of_a_loss(factor, parse(text)) for text, factor in met))
    assert ratio.loss_sentence("sse", [factor for _, factor in met], shared, "sum") == said

"""The Taylor remainders: drawn where they are, left out where they have no logarithm, and told in words."""

from __future__ import annotations

import math
import re

import pytest
from msgspec.structs import replace
from report import example_run
from report.test_html import parsed

from crosscheck.report import html
from crosscheck.report.sections import taylor
from crosscheck.spec.record import Finding, RunFile, Taylor

TAYLOR = example_run.GELU.taylor
# h = 1/4, 1/16 … : a remainder of slope 1 and one of slope 2.
STEPS = tuple(4.0**-n for n in range(1, 20))
CLEAN = Taylor(
    claimed=1.0,
    reference=2.0,
    reference_name="ball",
    steps=STEPS,
    claimed_remainders=STEPS,
    reference_remainders=tuple(h * h for h in STEPS),
)


def slope_on_paper(line: taylor.Line) -> float:
    (x0, y0), (x1, y1) = line.dots[0], line.dots[-1]
    return (y0 - y1) / (x1 - x0)


def test_slope_two_is_drawn_twice_as_steep_as_slope_one() -> None:
    chart = taylor.chart(CLEAN)
    assert chart is not None
    claimed, reference = chart.lines
    assert slope_on_paper(reference) / slope_on_paper(claimed) == pytest.approx(2.0, rel=1e-2)
    assert [len(line.dots) for line in chart.lines] == [len(STEPS)] * 2


def test_all_dots_and_ticks_lie_in_the_plot() -> None:
    chart = taylor.chart(CLEAN)
    assert chart is not None
    for x, y in [dot for line in chart.lines for dot in line.dots]:
        assert chart.left <= x <= chart.right
        assert chart.top <= y <= chart.bottom
    assert all(chart.left <= tick.at <= chart.right for tick in chart.across)
    assert all(chart.top <= tick.at <= chart.bottom for tick in chart.up)
    assert 2 <= len(chart.across) <= taylor.MOST_TICKS
    assert 2 <= len(chart.up) <= taylor.MOST_TICKS


def test_ticks_name_decades() -> None:
    item = replace(TAYLOR, steps=(1.0, 0.1), claimed_remainders=(1.0, 0.1), reference_remainders=(10.0, 0.1))
    chart = taylor.chart(item)
    assert chart is not None
    assert [(tick.label, tick.at) for tick in chart.across] == [("1e-1", chart.left), ("1", chart.right)]
    assert [tick.label for tick in chart.up] == ["1e-1", "1", "1e1"]


@pytest.mark.parametrize("lost", ["nan", "inf", "-inf", 0.0, -1e-3, "lots"])
def test_a_remainder_without_a_logarithm_breaks_the_line(lost: float | str) -> None:
    remainders = (1e-3, lost, 1e-5, 1e-6)
    item = replace(TAYLOR, steps=(1e-1, 1e-2, 1e-3, 1e-4), claimed_remainders=remainders, reference_remainders=())
    chart = taylor.chart(item)
    assert chart is not None
    assert re.sub(r"[\d. ]", "", chart.lines[0].path) == "MLM"
    assert len(chart.lines[0].dots) == 3
    assert chart.lines[1].path == ""


@pytest.mark.parametrize("remainders", [(), ("nan", "nan"), (1e-3,), (0.0, 0.0)])
def test_what_is_no_line_is_not_drawn(remainders: tuple[float | str, ...]) -> None:
    item = replace(TAYLOR, claimed_remainders=remainders, reference_remainders=remainders)
    assert taylor.chart(item) is None


def test_the_smallest_and_largest_numbers_are_drawn() -> None:
    item = replace(
        TAYLOR, steps=(1.0, 5e-324), claimed_remainders=(1.7e308, 5e-324), reference_remainders=(1.0, 1e-300)
    )
    chart = taylor.chart(item)
    assert chart is not None
    assert all(math.isfinite(v) for line in chart.lines for dot in line.dots for v in dot)
    assert len(chart.up) <= taylor.MOST_TICKS


def test_the_sentence_names_whose_gradient_it_is() -> None:
    assert taylor.slopes(TAYLOR) == "slope 1.00 with this gradient, 2.00 with the certified one: no rounding noise"
    assert taylor.slopes(TAYLOR, "torch").startswith("slope 1.00 with the gradient of torch, 2.00 with the certified")
    by_jax = replace(TAYLOR, reference_name="jax")
    assert taylor.slopes(by_jax).endswith("2.00 with that of jax: no rounding noise")
    assert taylor.slopes(replace(TAYLOR, claimed=None), "torch") == (
        "no slope could be measured with the gradient of torch; 2.00 with the certified one"
    )
    assert taylor.slopes(replace(TAYLOR, claimed=None, reference=None)) == "no slope could be measured"
    assert taylor.slopes(replace(TAYLOR, reference=None)) == "slope 1.00 with this gradient"
    assert taylor.slopes(replace(TAYLOR, reference=1.2)).endswith("the remainder does not settle it")
    assert taylor.slopes(replace(TAYLOR, claimed=1.9)).endswith("both look right at these steps")
    assert taylor.slopes(replace(TAYLOR, claimed=1.9, reference=1.0)).endswith("the remainder speaks for this one")
    assert taylor.slopes(replace(TAYLOR, claimed=0.1)).endswith("rounding noise hides the rest")
    assert taylor.slopes(replace(TAYLOR, reference_name=None)) == "slope 1.00 with this gradient"


def test_several_gradients_are_named_or_counted() -> None:
    three = replace(TAYLOR, tensors=("0.weight", "0.bias", "x"))
    assert taylor.slopes(three) == (
        "slope 1.00 with the gradients (0.weight, 0.bias and x together), 2.00 with the certified ones: "
        "no rounding noise"
    )
    assert taylor.slopes(replace(three, claimed=2.0), "torch") == (
        "slope 2.00 with the gradients of torch (0.weight, 0.bias and x together), 2.00 with the certified ones: "
        "the gradients are right"
    )
    five = replace(three, tensors=("0.weight", "0.bias", "2.weight", "2.bias", "x"), reference_name="jax")
    assert taylor.slopes(five).startswith("slope 1.00 with the gradients (all 5 together), 2.00 with those of jax")
    assert taylor.slopes(replace(TAYLOR, tensors=("x",))) == taylor.slopes(TAYLOR)


def test_the_loss_is_named_where_it_is_not_the_one_asked_for() -> None:
    own = replace(TAYLOR, loss="own", reference_name="differences")
    assert taylor.slopes(own) == (
        "of its own loss, in float64: slope 1.00 with this gradient, 2.00 with that of differences: no rounding noise"
    )
    assert taylor.slopes(replace(own, exact=True, factor=1 / 3, reference_name="ball")) == (
        "of its own loss, 1/3 × the one asked for: slope 1.00 with this gradient, 2.00 with the certified one: "
        "no rounding noise"
    )
    assert taylor.slopes(TAYLOR, named=True).startswith("of the loss asked for: slope 1.00 with this gradient")


def test_a_gradient_that_leaves_nothing_has_no_slope_and_is_right() -> None:
    linear = replace(TAYLOR, reference=None, reference_vanishes=True, exact=True)
    assert taylor.slopes(linear) == (
        "slope 1.00 with this gradient, no remainder with the certified one: the loss is linear there"
    )
    both = replace(linear, claimed=None, claimed_vanishes=True)
    assert taylor.slopes(both) == (
        "no remainder with this gradient, no remainder with the certified one: both look right at these steps"
    )
    # In float64 what is lost in rounding may be anything.
    assert taylor.slopes(replace(both, exact=False)) == (
        "no remainder beyond rounding with this gradient, no remainder beyond rounding with the certified one"
    )


def test_from_which_step_on_a_small_error_shows_is_told() -> None:
    small = tuple(1e-9 * h + h * h for h in STEPS)
    assert taylor.slopes(replace(CLEAN, claimed_remainders=small, exact=True)) == (
        "slope 1.00 (2 down to h = 9e-10) with this gradient, 2.00 with the certified one: no rounding noise"
    )
    assert "down to" not in taylor.slopes(replace(CLEAN, exact=True)), "it is 1 throughout"
    assert "down to" not in taylor.slopes(replace(CLEAN, claimed_remainders=small)), "rounding may bend it too"
    assert "down to" not in taylor.slopes(replace(CLEAN, claimed=2.0, exact=True))


# fmt: off
TOGETHER = [  # slopes of the loss asked for, of its own, with a trusted gradient; what they say
    (1.0,  2.0,  2.0, ": the backward belongs to its own forward, which is another"),
    (2.0,  1.0,  2.0, ": the backward belongs to the loss asked for: the loss that is returned is another"),
    (1.0,  1.0,  2.0, ": the backward belongs to neither"),
    (2.0,  2.0,  2.0, ": the backward is right for both, which differ by a constant along this direction"),
    (1.0,  2.0,  1.0, ""),  # at a kink
    (1.0,  None, 2.0, ""),
    (None, 2.0,  2.0, ""),
    (1.0,  0.2,  2.0, ""),  # noise
]
# fmt: on


@pytest.mark.parametrize(("asked", "own", "trusted", "meaning"), TOGETHER)
def test_two_losses_are_told_of_together(asked: float | None, own: float | None, trusted: float, meaning: str) -> None:
    item = replace(example_run.DECAY.taylor, claimed=asked, reference=trusted)
    beside = replace(example_run.DECAY.own_taylor, claimed=own)
    said = taylor.sentence(item, beside, None)
    measured = "no slope could be measured" if own is None else f"slope {own:.2f} with the same"
    assert said.startswith("of the loss asked for: ")
    assert said.endswith(f"; of its own loss, in float64: {measured}{meaning}")


def test_why_there_is_no_slope_is_told() -> None:
    assert taylor.sentence(None, None, "the subject raised") == "no slope: the subject raised"
    assert taylor.sentence(None, None, None) == "", "a record that knows nothing of it"
    assert taylor.sentence(TAYLOR, None, "its loss is inf") == (
        "of the loss asked for: slope 1.00 with this gradient, 2.00 with the certified one: no rounding noise; "
        "of its own loss no slope: its loss is inf"
    )


def test_the_page_draws_it_for_every_finding_that_has_it() -> None:
    text = html.render(example_run.ODD)
    page = parsed(text)
    labels = page.values("aria-label")
    assert "Chart of the Taylor remainders of finding 1" in labels
    assert (
        "Taylor remainder over the step, both logarithmic, with torch and with that of ball; "
        "the numbers are in the table below"
    ) in labels
    assert page.values("class").count("taylor") == 3  # the chart, and a sample of each line
    assert page.tags.count("circle") == 6
    assert '<th scope="col" class="number">torch</th><th scope="col" class="number">ball</th>' in text
    assert "Slope 1.00 with the gradient of torch" in text


def page_of(*found: Finding) -> str:
    run = replace(example_run.FAILING.run, findings=found)
    return html.render(RunFile(run=run, measured=example_run.MEASURED))


def test_the_page_draws_both_losses_each_with_its_own_steps() -> None:
    text = page_of(example_run.DECAY)
    page = parsed(text)
    labels = page.values("aria-label")
    for of in (", of the loss asked for", ", of its own loss, in float64"):
        assert f"Chart of the Taylor remainders of finding 1{of}" in labels
        assert f"Taylor remainders of finding 1{of}" in labels
    assert len(labels) == len(set(labels)), "no two regions have one name"
    assert (
        "Taylor remainder over the step, both logarithmic, of its own loss, in float64, with these gradients; "
        "the numbers are in the table below"
    ) in labels
    assert page.tags.count("circle") == 3 + 3 + 4
    assert "<p>Of the loss asked for: slope 1.00 with the gradients" in text
    assert "over h, both logarithmic, exact, by ball arithmetic. With" in text
    assert "over h, both logarithmic, in float64. With" in text
    assert '<tr><th scope="row" class="number">3.1e-02</th><td class="number">6.1e-03</td></tr>' in text


def test_the_page_says_why_there_is_no_slope() -> None:
    text = page_of(example_run.BROKEN)
    assert "<p>No slope: the subject raised, and gave no gradient.</p>" in text
    assert "2 is a right gradient" not in text
    assert "Chart of the Taylor" not in text


def test_without_points_the_sentence_stands_alone() -> None:
    bare = replace(example_run.GELU, taylor=replace(TAYLOR, steps=(), claimed_remainders=(), reference_remainders=()))
    run = replace(example_run.FAILING.run, findings=(bare,))
    text = html.render(RunFile(run=run, measured=example_run.MEASURED))
    assert "Slope 1.00 with this gradient" in text
    assert "Chart of the Taylor" not in text
    assert "Remainders by step" not in text

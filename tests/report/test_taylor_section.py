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
from crosscheck.spec.record import RunFile, Taylor

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


def test_without_points_the_sentence_stands_alone() -> None:
    bare = replace(example_run.GELU, taylor=replace(TAYLOR, steps=(), claimed_remainders=(), reference_remainders=()))
    run = replace(example_run.FAILING.run, findings=(bare,))
    text = html.render(RunFile(run=run, measured=example_run.MEASURED))
    assert "Slope 1.00 with this gradient" in text
    assert "Chart of the Taylor" not in text
    assert "Remainders by step" not in text

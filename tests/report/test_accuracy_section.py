"""The atlas on the page and in the terminal: figures, charts, what is missing, and nothing that runs or loads."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from report import atlas_example
from report.example_run import HOSTILE
from report.test_html import LOADING, parsed

from crosscheck.accuracy.questions import NOT_ASKED
from crosscheck.report import atlas, html
from crosscheck.report.sections import accuracy, accuracy_chart
from crosscheck.spec.atlas import AtlasFile
from crosscheck.spec.errors import UsageError
from crosscheck.spec.ops import OPS

FILE = atlas_example.FILE
# interface: small enough to be included in a run's page.
MOST_BYTES = 300_000


def hostile() -> AtlasFile:
    columns = tuple(
        replace(c, op=c.op + HOSTILE, missing=c.missing and c.missing + HOSTILE) for c in FILE.atlas.columns
    )
    return replace(FILE, atlas=replace(FILE.atlas, columns=columns))


def text(file: AtlasFile = FILE, width: int = 120) -> str:
    return atlas.text(file, width=width, color=False)


def digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


# --- figures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0.0"),
        (3.25, "3.2"),
        (41.0, "41.0"),
        (951.4, "951"),
        (8232.0, "8,232"),
        (1.85e7, "1.8e7"),
        (9e15, "9.0e15"),
    ],
)
def test_ulps_are_read_at_a_glance(value: float, said: str) -> None:
    assert accuracy.ulps(value) == said


def test_what_is_not_finite_says_so() -> None:
    assert accuracy.ulps("inf") == "inf"
    assert accuracy.ulps("nan") == "nan"
    assert accuracy.size("nan") == math.inf


def test_an_error_of_zero_has_no_place() -> None:
    from crosscheck.spec.atlas import Worst

    assert accuracy.figure(Worst(error=0.0, at=3.0)) == accuracy.Figure("0.0", "")
    assert accuracy.figure(Worst(error=2.0, at=3e-7)) == accuracy.Figure("2.0", "3e-7")
    assert accuracy.figure(Worst(error=7.0, at=-1e38, target=0.5)) == accuracy.Figure("7.0", "-1e38, y = 0.5", "bad")


def test_results_that_are_normal_numbers_are_shown() -> None:
    torch = FILE.atlas.columns[1]
    assert torch.value is not None
    found = accuracy.shown(torch.value)
    assert found is not None
    assert found.error == 1.75


def test_the_hand_written_rules_are_summed_up_by_their_worst() -> None:
    assert list(accuracy.own(FILE.atlas)) == [
        f"Hand-written, {dtype}: values within 1.5 ulps (sigmoid), derivatives within 3.5 of the larger of their terms "
        "(gelu(approximate=tanh)), subnormal results included."
        for dtype in ("float64", "float32")
    ]


def test_a_missing_framework_is_told_of_once() -> None:
    assert list(accuracy.missing(FILE.atlas)) == [f"jax: {atlas_example.WHY}"]


# --- charts ------------------------------------------------------------------------------------------------------


def numbers(path: str) -> list[tuple[float, float]]:
    assert path.startswith("M")
    return [(float(x), float(y)) for x, y in (pair.split() for pair in path[1:].split("L"))]


def test_a_line_runs_from_left_to_right_and_higher_is_worse() -> None:
    points = numbers(accuracy_chart.path(atlas_example.EDGES, (1.0, 20.0, 1e3, 1e17, "inf")))
    xs, ys = zip(*points, strict=True)
    assert list(xs) == sorted(xs)
    assert list(ys) == sorted(ys, reverse=True)
    assert ys[-1] == accuracy_chart.TOP
    frame = accuracy_chart.frame(atlas_example.EDGES)
    assert all(frame.left <= x <= frame.right and frame.top <= y <= frame.bottom for x, y in points)


def test_nothing_wrong_stands_at_the_bottom_and_nothing_asked_is_passed_over() -> None:
    frame = accuracy_chart.frame(atlas_example.EDGES)
    points = numbers(accuracy_chart.path(atlas_example.EDGES, (0.0, None, 0.01, None, "nan")))
    assert [y for _, y in points] == [frame.bottom, frame.bottom, frame.top]
    assert accuracy_chart.path(atlas_example.EDGES, (None,) * 5) == ""


def test_both_axes_are_logarithmic_and_z_keeps_its_sign() -> None:
    frame = accuracy_chart.frame((-1e4, -1e-4, 1e-4, 1e4))
    assert [t.label for t in frame.across] == ["-1e4", "-100", "-1", "-0.01", "0", "0.01", "1", "100", "1e4"]
    places = [t.at for t in frame.across]
    assert places == sorted(places)
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)
    assert places[4] == frame.middle
    assert frame.up[0].at > frame.promise > frame.up[1].at


# --- the page ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["plain", "hostile"])
def page(request: pytest.FixtureRequest) -> str:
    return atlas.render(FILE if request.param == "plain" else hostile())


def test_the_page_obeys_its_policy(page: str) -> None:
    found = parsed(page)
    style, script = "".join(found.texts["style"]), "".join(found.texts["script"])
    assert found.tags.count("style") == found.tags.count("script") == 1
    assert f"style-src {digest(style)}; script-src {digest(script)}; base-uri 'none'" in found.values("content")[0]
    for tag, name, value in found.attributes:
        assert name != "style", tag
        assert not name.startswith("on"), tag
        assert name not in LOADING, tag
        assert name != "href" or value.startswith("#")


def test_hostile_names_stay_text() -> None:
    calm, bent = parsed(atlas.render(FILE)), parsed(atlas.render(hostile()))
    assert calm.tags == bent.tags
    assert "<script>alert" not in atlas.render(hostile())


def test_every_chart_has_a_title_a_description_and_a_table_beside_it(page: str) -> None:
    found = parsed(page)
    charts = [v for v in found.values("aria-labelledby") if " " in v]
    assert len(charts) == len(FILE.atlas.ops) * len(FILE.atlas.dtypes)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert {name for chart in charts for name in chart.split()} <= set(ids)
    assert found.tags.count("desc") == len(charts)
    assert found.tags.count("table") == len(FILE.atlas.ops) + len(FILE.atlas.dtypes)
    for link in found.values("href"):
        assert link[1:] in ids


def test_what_is_missing_is_said_and_shown_as_missing(page: str) -> None:
    assert "pip install &#39;crosscheck[jax]&#39;" in page
    assert page.count("not installed") == len(FILE.atlas.ops) * len(FILE.atlas.dtypes)


def test_every_loss_that_is_not_asked_about_is_named(page: str) -> None:
    left_out = sorted(name for name in NOT_ASKED if OPS[name].kind == "loss")
    (said,) = re.findall(r"anywhere\. (.*?) are not asked about", page)
    assert sorted(re.split(r", | and ", said)) == left_out


def test_lines_are_told_apart_without_colour() -> None:
    style = html._static("accuracy.css")
    dashes = re.findall(r"\.accuracy-(?:second|third) \{[^}]*stroke-dasharray: ([\d ]+)", style)
    assert len(set(dashes)) == 2
    for word in ("url(", "@import", "http:", "https:", "</"):
        assert word not in style


def test_the_section_stands_in_another_page() -> None:
    template = html._environment().get_template("_accuracy.html.j2")
    found = parsed(template.render(page=SimpleNamespace(accuracy=accuracy.atlas(FILE))))
    assert found.values("id")[0] == "accuracy"
    assert all(name.startswith("accuracy") for name in found.values("id"))


def test_an_atlas_of_everything_stays_small() -> None:
    full = tuple(0.3 * (i % 7) for i in range(105))
    edges = tuple(-(10.0 ** (4 - i / 13)) for i in range(53)) + tuple(10.0 ** (i / 13) for i in range(53))
    columns = tuple(
        replace(column, op=f"{column.op}{i}", curve=full if column.curve else ())
        for i in range(9)
        for column in FILE.atlas.columns
    )
    file = replace(FILE, atlas=replace(FILE.atlas, edges=edges, columns=columns))
    assert len(file.atlas.ops) == 27
    assert len(atlas.render(file).encode()) < MOST_BYTES


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    path = atlas.write(FILE, tmp_path / "new" / "accuracy.html")
    assert path.read_text(encoding="utf-8") == atlas.render(FILE)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"report .*file.*: cannot be written"):
        atlas.write(FILE, tmp_path / "file" / "accuracy.html")


# --- text --------------------------------------------------------------------------------------------------------


def test_a_table_for_each_dtype_with_places() -> None:
    lines = text().splitlines()
    assert lines[0] == "crosscheck 0.1.0 · accuracy · python-flint 0.9.0 · numpy 2.1.0 · torch 2.6.0"
    rows = [line.split() for line in lines if line.startswith("sigmoid")]
    worst, medians = rows[::2], rows[1::2]
    assert worst == [["sigmoid", "1.5", "1.8", "–", "3.2", "-1.25", "inf", "1e200", "–"]] * 2
    assert medians == [["sigmoid", "0.2", "0.2", "–", "0.8", "0.2", "–"]] * 2
    terms = [line.split() for line in lines if line.startswith("  of the larger term")]
    assert terms[0] == ["of", "the", "larger", "term", "3.5", "4.5", "inf", "1e200", "–"]
    assert max(map(len, lines)) <= 120


def test_columns_stand_under_their_heads() -> None:
    lines = text().splitlines()
    heads = [line for line in lines if line.lstrip().startswith("by hand")][:2]
    rows = [line for line in lines if line.startswith("sigmoid")][:2]
    cells = (r"1\.5|1\.8|–|3\.2|inf", r"\d\.\d+|–")
    for head, row, cell in zip(heads, rows, cells, strict=True):
        ends = [found.end() for found in re.finditer(r"by hand|torch|jax", head)]
        assert ends == [found.end() for found in re.finditer(cell, row)]


def test_what_is_lost_is_told_where_it_is_a_normal_number() -> None:
    said = " ".join(text().split())
    assert "0 where it is not, torch float64 derivatives: sigmoid from 36.7 to 745 (up to 1.1e-16); gelu" in said
    assert "5.0e-324" not in said
    assert f"! jax: {atlas_example.WHY}" in said


def test_colour_changes_no_word() -> None:
    coloured = atlas.text(FILE, width=80, color=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text(width=80)
    assert "\x1b" in coloured


def test_hostile_names_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in text(hostile())
    assert "\u202e" not in text(hostile())

"""NaN and infinity: from the run through run.json to the terminal and the page, and never taken for harmless."""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec
import pytest
from report import example_run

from crosscheck.report import terminal
from crosscheck.report.sections import agreement, findings, severity, words
from crosscheck.report.write import write
from crosscheck.spec.record import EntryRecord, Finding, RunFile, number
from crosscheck.store import runs


def entry(error: float, bound: float = 1e-15, **values: float | None) -> EntryRecord:
    return msgspec.structs.replace(
        example_run.GELU.entries[0],
        radius=None,
        values={party: None if value is None else number(value) for party, value in values.items()},
        error=number(error),
        bound=number(bound),
    )


LOST = entry(math.inf, subject=math.nan, ball=1.0833, torch=-math.inf, jax=1.0833, differences=None)
FINITE = example_run.GELU.entries[1]
NAN = msgspec.structs.replace(
    example_run.GELU,
    id="0a0a0a",
    count=1,
    first_index=300,
    sides={"claim": ("subject",), "truth": ("ball", "jax")},
    entries=(FINITE, LOST),
    taylor=msgspec.structs.replace(
        example_run.GELU.taylor, claimed=None, claimed_remainders=("nan", "inf", "-inf"), reference_remainders=(1, 2, 3)
    ),
)


def run_with(*found: Finding) -> RunFile:
    pair = msgspec.structs.replace(example_run.FAILING.run.agreement[0], worst_bounds="inf", worst_ulps="nan")
    run = msgspec.structs.replace(
        example_run.FAILING.run, findings=found, agreement=(pair, *example_run.FAILING.run.agreement[1:])
    )
    return msgspec.structs.replace(example_run.FAILING, run=run)


@pytest.fixture
def stored(tmp_path: Path) -> RunFile:
    """Written and read back: whatever the reports show comes from the file."""
    return runs.read(runs.write(run_with(example_run.GELU, NAN), tmp_path))


def test_a_nan_claim_and_an_infinite_error_are_written_and_read_back(stored: RunFile) -> None:
    assert stored == run_with(example_run.GELU, NAN)
    back = stored.run.findings[1].entries[1]
    assert back.values == {"subject": "nan", "ball": 1.0833, "torch": "-inf", "jax": 1.0833, "differences": None}
    assert (back.error, back.bound) == ("inf", 1e-15)


def test_the_terminal_shows_them(stored: RunFile) -> None:
    text = terminal.render(stored, width=200, color=False)
    assert (
        "  entry   0.weight[0,0] = nan; ball 1.0833, jax agrees with ball, torch -inf; off by inf, bound 1.0e-15\n"
        in text
    )
    assert "  taylor  no slope could be measured with this gradient; 2.00 with the certified one" in text


def test_the_page_shows_them(stored: RunFile, tmp_path: Path) -> None:
    text = write(stored, "html", folder=tmp_path).read_text(encoding="utf-8")
    table = text[text.index("Worst entries of finding 1") :]
    row = re.findall(
        r"<td[^>]*>(.*?)</td>", table[: table.index('</tr>\n<tr><th scope="row">', table.index("<tbody>"))]
    )
    mark = '<span aria-hidden="true">✗ </span>'
    shown = [f"{mark}nan", "1.0833", f"{mark}-inf", "1.0833", words.MISSING, "inf", "1.0e-15", "inf ×"]
    assert row[1:9] == shown
    remainders = text[text.index("Taylor remainders of finding 1") :]
    assert re.findall(r'<td class="number">(.*?)</td>', remainders)[::2][:3] == ["nan", "inf", "-inf"]


def test_an_agreement_that_is_infinitely_off_says_so(stored: RunFile) -> None:
    cell = agreement.cell(stored.run.agreement[0])
    assert (cell.detail, cell.ulps) == ("1,204,208 compared; worst inf × its bound", "nan ulp")


def test_what_is_not_finitely_wrong_stands_first_within_its_verdict() -> None:
    order = severity.worst_first(run_with(example_run.SKIP, example_run.GELU, NAN, example_run.BROKEN).run)
    assert [f.id for f in order] == ["e99f00", "0a0a0a", "5f1c9a", "c07d11"]


@pytest.mark.parametrize("error", ["nan", "inf"])
def test_an_entry_without_a_finite_error_leads(error: str) -> None:
    worse = msgspec.structs.replace(LOST, error=error)
    finding = msgspec.structs.replace(NAN, entries=(FINITE, worse, FINITE))
    assert severity.worst_entries(finding) == (worse, FINITE, FINITE)
    assert findings.card(finding, most_entries=1).entries[0].error == error


# fmt: off
IN_BOUNDS = [  # error, bound, error in bounds
    (3.0,       1.5,      2.0),
    (0.0,       0.0,      0.0),
    (1e-300,    0.0,      math.inf),
    (math.inf,  1.0,      math.inf),
    (1.0,       math.inf, 0.0),
    (math.nan,  1.0,      math.nan),
    (math.nan,  0.0,      math.nan),
    (1.0,       math.nan, math.nan),
    (math.inf,  math.inf, math.nan),
]
# fmt: on


@pytest.mark.parametrize(("error", "bound", "expected"), IN_BOUNDS)
def test_the_error_in_units_of_its_bound(error: float, bound: float, expected: float) -> None:
    assert severity.in_bounds(entry(error, bound)) == pytest.approx(expected, nan_ok=True, rel=0)


def test_a_float_that_is_not_finite_is_shown_like_its_text() -> None:
    for value in (math.nan, math.inf, -math.inf):
        assert words.number(value) == words.number(number(value)) == number(value)
        assert words.size(value) == words.size(number(value)) == number(value)
        assert words.times(value) == words.times(number(value)) == number(value)


def test_a_text_that_is_no_number_is_shown_and_never_harmless() -> None:
    assert words.number("lots") == "lots"
    assert not words.finite("lots")


def test_values_are_told_apart_beside_nan() -> None:
    assert words.digits_apart(["nan", 1.0, 1.0000001, "inf", None]) == 8

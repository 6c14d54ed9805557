"""What a run prints, word for word."""

from __future__ import annotations

import re

import msgspec
import pytest
from report import example_run

from crosscheck.report import terminal
from crosscheck.spec.record import Deviation, RunFile

ANSI = re.compile(r"\x1b\[[0-9;]*m")

FAILING = """\
crosscheck 0.1.0 · seed 8841 · subject my_net · oracles ball torch · float64
  architectures 400 · points 6,400 · entries 1,204,331 (81 % informative, median resolution 3e-14)
  ! The oracle torch is missing: it answered for none of 400 architectures.
  ! 23 entries are undecidable in cases that do not aim at kinks.

✗ 5f1c9a  gradient of 0.weight (dense): DISAGREES  ×37, shrunk
  net     x[1,1] -> dense(1) -> gelu -> sse   (minimal)
  entry   0.weight[0,0] = 0.8412; ball 1.0833, torch, jax and differences agree with ball; off by 2.4e-01, bound 1.1e-15
  term    ∂C/∂a ✓   ∂a/∂z ✗ first wrong: 0.8413, certified 1.0833   ∂z/∂w ✓
  likely  g'(z) lacks z·pdf(z)       ruled out: factor, transpose, missing sum
  taylor  slope 1.00 with this gradient, 2.00 with that of ball: no rounding noise
  replay  crosscheck replay 5f1c9a        case  failures/5f1c9a.case

✗ c07d11  gradient of 2.weight (dense): DISAGREES  ×4, shrunk
  net     x[2] -> dense(2) -> h0: tanh -> dense(2) -> add(h0) -> dense(3) -> softmax_cross_entropy   (minimal)
  entry   2.weight[1,0] = 1; ball 2, torch agrees with ball, jax 1; off by 1.0e+00, bound 2.0e-15
  term    ∂C/∂a ✗ first wrong: 1, certified 2   ∂a/∂z ↳ follows from it   ∂z/∂w ↳ follows from it
  replay  crosscheck replay c07d11

  not compared  12 entries; never: add.input

FAILED  2 distinct disagreements (41 cases) · 123 undecidable · 41 s · exit 1: cases with a failing verdict: 1
  BROKE_CONTRACT, 41 DISAGREES
report  reports/index.html
"""

PASSING = """\
crosscheck 0.1.0 · seed 8841 · subject my_net · oracles ball torch jax differences · float64
  architectures 400 · points 6,400 · entries 1,204,331 (81 % informative, median resolution 3e-14)
  ! The oracle jax answered for 380 of 400 architectures only.
  ! An oracle disagrees with the others in 7 architectures: torch on softplus: known deviation (z > 20).
  ! 23 entries are undecidable in cases that do not aim at kinks.

  torch is the odd one out: every difference is with it; subject, ball and jax agree with each other.
  ✓ subject  ball     agree; 1,204,208 compared; worst 0.41 of its bound, 3.1 ulp
  ✗ subject  torch    7 differ; 1,204,208 compared; worst 88 of its bound, 1.6e+07 ulp
  ✓ subject  jax      agree; 1,150,000 compared; worst 0.52 of its bound, 29.7 ulp
  ✗ ball     torch    7 differ; 1,204,208 compared; worst 88 of its bound, 1.6e+07 ulp
  ✓ ball     jax      agree; 1,150,000 compared; worst 0.5 of its bound, 30 ulp
  ✗ torch    jax      7 differ; 1,150,000 compared; worst 88 of its bound, 1.6e+07 ulp

  not compared  12 entries; never: add.input

PASSED  0 distinct disagreements · 123 undecidable · 41 s · exit 0: the subject agrees; in 7 cases an oracle disagrees
  with the others
"""

EMPTY = """\
crosscheck 0.1.0 · seed 8841 · subject my_net · oracles none
  architectures 0 · points 0 · entries 0 (none compared)
  ! No oracle was asked.

NOTHING VERIFIED  0 distinct disagreements · 0 undecidable · 100 ms · exit 5: nothing was verified: no case was checked
"""


def plain(example: RunFile, width: int = 120, report: str | None = None) -> str:
    return terminal.render(example, width=width, color=False, report=report)


def with_run(example: RunFile, **changes: object) -> RunFile:
    return msgspec.structs.replace(example, run=msgspec.structs.replace(example.run, **changes))


def test_a_failing_run() -> None:
    two = with_run(example_run.FAILING, findings=(example_run.SKIP, example_run.GELU))
    assert plain(two, report="reports/index.html") == FAILING


def test_a_passing_run() -> None:
    assert plain(example_run.PASSING) == PASSING


def test_an_empty_run() -> None:
    assert plain(example_run.EMPTY) == EMPTY


@pytest.mark.parametrize("example", [example_run.PASSING, example_run.FAILING, example_run.EMPTY])
def test_colour_adds_nothing_but_colour(example: RunFile) -> None:
    colored = terminal.render(example, width=120, color=True)
    assert "\x1b[" in colored
    assert ANSI.sub("", colored) == plain(example)


def test_a_record_cannot_send_control_sequences() -> None:
    text = plain(example_run.hostile())
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "\\x1b[31m\\n\\u202e" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_lines_keep_to_the_width_where_words_allow(width: int) -> None:
    for line in plain(example_run.FAILING, width).splitlines():
        longest = max((len(word) for word in line.split()), default=0)
        assert len(line) <= max(width, 2 + terminal.LABEL + longest + 2)


def test_the_same_text_before_and_after_storing() -> None:
    for example in (example_run.PASSING, example_run.FAILING):
        assert plain(RunFile.from_json(example.to_json())) == plain(example)


def test_a_known_deviation_is_named_with_its_finding() -> None:
    odd = msgspec.structs.replace(
        example_run.GELU,
        verdict="ORACLE_DISAGREES",
        op="softplus",
        tensor="x",
        odd_one_out="torch",
        deviation="linear above its threshold of 20",
        sides={"odd": ("torch",), "rest": ("subject", "ball", "jax", "differences")},
    )
    text = plain(with_run(example_run.PASSING, findings=(odd,)), width=300)
    assert "torch on softplus, known deviation: linear above its threshold of 20." in text
    assert "  known   linear above its threshold of 20" in text
    assert "; ball 1.0833, jax and differences agree with ball, torch 1.0833; " in text


def test_two_deviations_are_both_named() -> None:
    more = Deviation(witness="jax", op="tanh", region="z = 20", size="100 ulp", source="measured", cases=1)
    text = plain(with_run(example_run.PASSING, deviations=(*example_run.PASSING.run.deviations, more)), width=300)
    assert "torch on softplus: known deviation (z > 20); jax on tanh: known deviation (z = 20)." in text


def test_few_informative_entries_are_a_warning() -> None:
    entries = msgspec.structs.replace(example_run.PASSING.run.entries, informative=4_208, uninformative=1_200_000)
    text = plain(with_run(example_run.PASSING, entries=entries))
    assert "  ! Only under 1 % of 1,204,331 entries are informative" in text


def test_values_that_differ_are_printed_differently() -> None:
    close = msgspec.structs.replace(
        example_run.GELU.entries[0], values={"subject": 1.0, "ball": 1.000000000001, "torch": None}
    )
    finding = msgspec.structs.replace(example_run.GELU, entries=(close,))
    assert terminal.entry(close, finding).startswith("0.weight[0,0] = 1; ball 1.000000000001; off by")

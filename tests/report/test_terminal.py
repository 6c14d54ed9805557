"""What a run prints, word for word."""

from __future__ import annotations

import re

import msgspec
import pytest
from report import example_run
from report.printed import plain, with_finding, with_run

from crosscheck.report import terminal
from crosscheck.spec.record import Convention, Deviation, OracleRecord, RunFile

ANSI = re.compile(r"\x1b\[[0-9;]*m")

FAILING = """\
crosscheck 0.1.0 · seed 8841 · subject my_net · oracles ball torch · float64
  architectures 400 · points 6,400 · entries 1,204,331 (81 % informative, 100 % certified, median resolution 3e-14)
  ! The oracle torch is missing: it answered for none of 400 architectures.
  ! 20 entries are undecidable (a kink or a tie) in cases that do not aim at kinks.
  ! 3 entries overflow: the value, or one on its way, is beyond the dtype.

✗ 5f1c9a  gradient of 0.weight (dense): DISAGREES  ×37, shrunk
  net     x[1,1] -> dense(1) -> gelu -> sse   (minimal)
  entry   0.weight[0,0] = 0.8412; ball 1.0833 ± 3e-17, torch, jax and differences agree with ball; off by 2.4e-01, bound
          1.1e-15
  term    ∂C/∂a ✓   ∂a/∂z ✗ first wrong: 0.8413, certified 1.0833   ∂z/∂w ✓
  likely  g'(z) lacks z·pdf(z)       ruled out: factor, transpose, missing sum
  taylor  slope 1.00 with this gradient, 2.00 with the certified one: no rounding noise (2 is right, 1 is wrong)
  replay  crosscheck replay 5f1c9a        case  failures/5f1c9a.case

✗ c07d11  gradient of 2.weight (dense): DISAGREES, attribution open  ×4, shrunk
  net     x[2] -> dense(2) -> h0: tanh -> dense(2) -> add(h0) -> dense(3) -> softmax_cross_entropy   (minimal)
  entry   2.weight[1,0] = 1; ball 2, torch agrees with ball, jax 1; off by 1.0e+00, bound 2.0e-15
  sides   subject and jax against ball and torch; which of them is right is open
  term    ∂C/∂a ✗ first wrong: 1, certified 2   ∂a/∂z ↳ follows from it   ∂z/∂w ↳ follows from it
  replay  crosscheck replay c07d11

  at a kink any value between the one-sided derivatives is right; taken there:
    leaky_relu at 0, between 0.01 and 1: subject 0.01, torch 0.01, jax 1

  not compared: 12 entries: the subject returned no gradient of them, or no witness was asked
  never compared in this run: add.input

FAILED  2 distinct disagreements (42 cases) · 123 entries undecidable (3 overflow) · 41 s · exit 1: cases with a failing
  verdict: 1 BROKE_CONTRACT, 41 DISAGREES
report  reports/index.html
"""

PASSING = """\
crosscheck 0.1.0 · seed 8841 · subject my_net · oracles ball torch jax differences · float64
  architectures 400 · points 6,400 · entries 1,204,331 (81 % informative, 100 % certified, median resolution 3e-14)
  ! The oracle jax answered for 380 of 400 architectures only (hardsigmoid: its slope at ±3 is a convention).
  ! An oracle is off the certified truth in 7 architectures: torch on softplus: known deviation (z > 20).
  ! 20 entries are undecidable (a kink or a tie) in cases that do not aim at kinks.
  ! 3 entries overflow: the value, or one on its way, is beyond the dtype.

  each party against the certified truth, in units of its own bound
  ✓ subject  1,204,208 compared; worst 0.41 × its bound, 3.1 ulp
  ✗ torch    7 of 1,204,208 off; worst 88 × its bound, 1.6e+07 ulp
  ✓ jax      1,150,000 compared; worst 0.5 × its bound, 30 ulp

  at a kink any value between the one-sided derivatives is right; taken there:
    leaky_relu at 0, between 0.01 and 1: subject 0.01, torch 0.01, jax 1

  not compared: 12 entries: the subject returned no gradient of them, or no witness was asked
  never compared in this run: add.input

PASSED  0 distinct disagreements · 123 entries undecidable (3 overflow) · 41 s · exit 0: the subject agrees; in 7 cases
  an oracle disagrees with the others
"""

# Without a proof the witnesses are held against each other.
PAIRWISE = """\
  ! An oracle disagrees with the others in 7 architectures: torch on softplus: known deviation (z > 20).
  ! 20 entries are undecidable (a kink or a tie) in cases that do not aim at kinks.
  ! 3 entries overflow: the value, or one on its way, is beyond the dtype.

  torch is the odd one out: every difference is with it; subject, ball and jax agree with each other.
  ✓ subject  ball     agree; 1,204,208 compared; worst 0.41 × its bound
  ✗ subject  torch    7 differ; 1,204,208 compared; worst 88 × its bound
  ✓ subject  jax      agree; 1,150,000 compared; worst 0.52 × its bound
  ✗ ball     torch    7 differ; 1,204,208 compared; worst 88 × its bound
  ✓ ball     jax      agree; 1,150,000 compared; worst 0.5 × its bound
  ✗ torch    jax      7 differ; 1,150,000 compared; worst 88 × its bound

"""

# Oracles' findings, where a terminal has 80 columns.
NARROW = """\
! 43ba43  gradient of 0.weight (dense): ORACLE_DISAGREES (torch)  ×5, shrunk
  net     x[1,1] -> dense(1) -> softplus -> sse   (minimal)
  entry   0.weight[0,0] = 0.5; ball 0.5 ± 7e-18, jax and differences agree with
          ball, torch 0.50000001; off by 1.0e-08, bound 3.0e-16
  likely  torch softplus is off at z from 20.6 to 88
  known   torch softplus, z > 20: linear above its threshold of 20
  taylor  slope 1.00 with the gradient of torch, 2.00 with the certified one: no
          rounding noise (2 is right, 1 is wrong)
  replay  crosscheck replay 43ba43        case  failures/5f1c9a.case

! 70107e  gradient of 0.weight (dense): ORACLE_DISAGREES (tolerance)  ×2, shrunk
  net     x[1,1] -> dense(1) -> softplus -> sse   (minimal)
  said    the stochastic run does not centre on the certified value of the
          gradient of 0.weight: its bound is void
"""

# A loss that is another, and an answer that is none.
FORWARD = """\
✗ dec4e1  the loss (sse): FORWARD_DISAGREES  ×37, shrunk
  net     x[1,1] -> dense(1) -> gelu -> sse   (minimal)
  said    the subject's loss is not the sse that was asked for
  entry   loss = 3.5; ball 2 ± 3e-17, torch agrees with ball; off by 1.5e+00, bound 1.1e-15
  taylor  of the loss asked for: slope 1.00 with the gradients (0.weight, 0.bias and x together), 2.00 with the
          certified ones; of its own loss, in float64: slope 1.98 with the same: the backward belongs to its own
          forward, which is another (2 is right, 1 is wrong)
  replay  crosscheck replay dec4e1        case  failures/dec4e1.npz
"""
BREACH = """\
  said    The subject raised ValueError
  taylor  no slope: the subject raised, and gave no gradient
  replay  crosscheck replay e99f00
"""

DETAILS = """\
settings  max_examples 400 · dtype ['float64'] · ops None · workers 2
proof     ball: 6,400 of 6,400 points (every point was asked), at most 2,048
          bits, 14 at a kink or a tie
resolves  subject 3e-14 (95 %: 2e-09) · torch 6e-14 (95 %: 4e-09) · jax 1e-13
          (95 %: 5e-09)
verdicts  AGREES 391 · ORACLE_DISAGREES 7 · UNDECIDABLE 2
seconds   subject 6.1 · ball 9.4 · torch 7.7 · jax 12.5 · differences 5.5
versions  crosscheck 0.1.0 · python 3.11.2 · numpy 2.1.0 · torch 2.13.0 · jax
          0.7.0
"""

EMPTY = """\
crosscheck 0.1.0 · seed 8841 · subject my_net · oracles none
  architectures 0 · points 0 · entries 0 (none compared)
  ! No oracle was asked.

NOTHING VERIFIED  0 distinct disagreements · 0 entries undecidable · 100 ms · exit 5: nothing was verified: no case was
  checked
"""


def test_a_failing_run() -> None:
    two = with_run(example_run.FAILING, findings=(example_run.SKIP, example_run.GELU))
    assert plain(two, report="reports/index.html") == FAILING


def test_a_passing_run() -> None:
    assert plain(example_run.PASSING) == PASSING


def test_without_a_proof_every_pair_is_shown() -> None:
    assert PAIRWISE in plain(example_run.PAIRWISE)


def test_where_not_all_is_certified_every_pair_is_shown() -> None:
    entries = msgspec.structs.replace(example_run.PASSING.run.entries, certified=1_000_000)
    text = plain(with_run(example_run.PASSING, entries=entries))
    assert "  ✗ torch    jax      7 differ; " in text
    assert "83 % certified" in text


def test_findings_of_oracles_read_at_80_columns() -> None:
    text = plain(example_run.ODD, 80)
    assert NARROW in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_slope_is_told_of_every_failure_or_why_there_is_none() -> None:
    broken = msgspec.structs.replace(example_run.BROKEN, message="The subject raised ValueError")
    text = plain(with_run(example_run.FAILING, findings=(example_run.DECAY, broken)))
    assert FORWARD in text
    assert BREACH in text


def test_what_stands_beside_the_run_and_cannot_be_read_is_a_warning() -> None:
    said = "A record of detection power is there, and cannot be shown: it is empty.\x1b[31m"
    text = terminal.render(example_run.EMPTY, width=120, color=False, beside=(said,))
    assert text.splitlines()[2:4] == [
        "  ! No oracle was asked.",
        "  ! A record of detection power is there, and cannot be shown: it is empty.\\x1b[31m",
    ]


def test_a_void_bound_is_no_oracle_s_fault() -> None:
    text = plain(example_run.ODD, 200)
    warnings = [line for line in text.splitlines() if "certified truth in" in line]
    assert warnings == [
        "  ! An oracle is off the certified truth in 5 architectures: torch, known deviation: softplus, z > 20: "
        "linear above its threshold of 20.",
        "  ! The derived bound is itself off the certified truth in 2 architectures: it is void there, "
        "and counts as no agreement.",
    ]
    only = with_run(example_run.ODD, findings=(example_run.VOID,), verdicts={"ORACLE_DISAGREES": 2})
    assert "An oracle is off" not in plain(only)


def test_a_value_outside_the_hull_is_told_even_where_all_take_it() -> None:
    wrong = Convention(op="relu", at=0.0, low=0.0, high=1.0, values={"subject": 2.0, "torch": 2.0})
    text = plain(with_run(example_run.PASSING, conventions=(wrong,)))
    assert "    relu at 0, between 0 and 1: subject 2, torch 2; outside: subject and torch\n" in text


def test_parties_that_take_the_same_are_not_told_of() -> None:
    alike = example_run.PASSING.run.conventions[1:]
    assert "at a kink" not in plain(with_run(example_run.PASSING, conventions=alike))


def test_details() -> None:
    assert terminal.details(example_run.PASSING, width=80) == DETAILS
    assert "\nproof     none\n" in terminal.details(example_run.PAIRWISE, width=80)


def test_details_tell_the_dtypes_apart() -> None:
    single = msgspec.structs.replace(example_run.PASSING.run.resolution[0], dtype="float32", median=1e-6, p95=1e-4)
    run = with_run(example_run.PASSING, resolution=(*example_run.PASSING.run.resolution, single))
    text = terminal.details(run, width=300)
    assert "resolves  subject in float64 3e-14 (95 %: 2e-09) · torch 6e-14 (95 %: 4e-09) · " in text
    assert "subject in float32 1e-06 (95 %: 1e-04)\n" in text


def test_details_cannot_send_control_sequences() -> None:
    text = terminal.details(example_run.hostile(), width=80)
    assert all(c.isprintable() or c == "\n" for c in text)


def test_an_empty_run() -> None:
    assert plain(example_run.EMPTY) == EMPTY


@pytest.mark.parametrize("example", [example_run.PASSING, example_run.FAILING, example_run.ODD, example_run.EMPTY])
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


def test_two_deviations_are_both_named() -> None:
    more = Deviation(witness="jax", op="tanh", region="z = 20", size="100 ulp", source="measured", cases=1)
    text = plain(with_run(example_run.PASSING, deviations=(*example_run.PASSING.run.deviations, more)), width=300)
    assert "torch on softplus: known deviation (z > 20); jax on tanh: known deviation (z = 20)." in text


def test_few_informative_entries_are_a_warning() -> None:
    entries = msgspec.structs.replace(example_run.PASSING.run.entries, informative=4_208, uninformative=1_200_000)
    text = plain(with_run(example_run.PASSING, entries=entries))
    assert "  ! Only under 1 % of 1,204,331 entries are informative" in text


def test_files_are_named_from_where_the_reader_stands() -> None:
    text = terminal.render(example_run.FAILING, width=120, color=False, folder="reports/a run")
    assert "  replay  crosscheck replay 5f1c9a        case  reports/a run/failures/5f1c9a.case\n" in text
    absolute = terminal.render(with_finding(case_file="/tmp/a.case"), width=120, color=False, folder="reports/a run")
    assert "case  /tmp/a.case\n" in absolute


def test_a_narrow_row_breaks_before_a_label_and_not_behind_it() -> None:
    lines = terminal.render(example_run.FAILING, width=60, color=False, folder="reports/20250131-8841").splitlines()
    assert "          case  reports/20250131-8841/failures/5f1c9a.case" in lines
    assert "          ruled out: factor, transpose, missing sum" in lines


def test_the_gaps_that_cost_most_cases_are_named_in_the_warning() -> None:
    gaps = (("a", "no rule", 1), ("b", "no dtype", 5), ("c", "no rule", 3))
    jax = OracleRecord(name="jax", answered=391, gaps=gaps)
    text = plain(with_run(example_run.PASSING, oracles=(jax,)))
    assert "  ! The oracle jax answered for 391 of 400 architectures only (b: no dtype; c: no rule; 1 more).\n" in text


def test_an_oracle_that_a_broken_subject_kept_from_being_asked_is_not_missing() -> None:
    torch = (OracleRecord(name="torch", answered=0),)
    broken = with_run(example_run.FAILING, oracles=torch, verdicts={"BROKE_CONTRACT": 400})
    assert "is missing" not in plain(broken)
    assert "is missing" in plain(with_run(broken, verdicts={"BROKE_CONTRACT": 399, "UNCHECKED": 1}))


def test_cases_are_counted_once_and_without_those_of_an_oracle() -> None:
    odd = msgspec.structs.replace(example_run.GELU, verdict="ORACLE_DISAGREES", odd_one_out="torch")
    found = (example_run.GELU, example_run.SKIP, odd)  # 37 and 4 cases, which overlap, and 37 of torch's own
    verdicts = {"AGREES": 323, "DISAGREES": 38, "FORWARD_DISAGREES": 1, "BROKE_CONTRACT": 1, "ORACLE_DISAGREES": 37}
    text = terminal.summary(with_run(example_run.FAILING, findings=found, verdicts=verdicts))
    assert text.startswith("FAILED  2 distinct disagreements (40 cases) · ")


def test_one_is_no_plural() -> None:
    one = (OracleRecord(name="torch", answered=0),)
    text = plain(with_run(example_run.FAILING, cases=1, oracles=one, findings=(), verdicts={"DISAGREES": 1}), width=200)
    assert "it answered for none of 1 architecture." in text
    assert "FAILED  0 distinct disagreements (1 case) · " in text
    pair = msgspec.structs.replace(example_run.PASSING.run.agreement[1], disagreements=1)
    assert "✗ subject  torch    1 differs; " in plain(with_run(example_run.PAIRWISE, agreement=(pair,)))
    few = msgspec.structs.replace(example_run.EMPTY.run.entries, compared=1, uninformative=1, not_compared=1)
    text = plain(with_run(example_run.PASSING, entries=few))
    assert "Only 0 % of 1 entry is informative" in text
    assert "  not compared: 1 entry: " in text


def test_the_summary_is_one_line() -> None:
    assert terminal.summary(example_run.FAILING) == (
        "FAILED  3 distinct disagreements (42 cases) · 123 entries undecidable (3 overflow) · 41 s · exit 1: "
        "cases with a failing verdict: 1 BROKE_CONTRACT, 41 DISAGREES\n"
    )

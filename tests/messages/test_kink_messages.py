"""What is said of kinks, word for word: of those that were met, of those that never were, of two slopes at one."""

from __future__ import annotations

import msgspec
import pytest
from report import example_run

from crosscheck.diagnosis.describe import contradiction
from crosscheck.judge.verdict import Contradiction, Strand
from crosscheck.report import html, terminal
from crosscheck.report.sections import coverage
from crosscheck.spec.record import KinkMet, RunFile

MET = (
    KinkMet(op="hardsigmoid", at=-3.0, exactly=0, near=0),
    KinkMet(op="hardsigmoid", at=3.0, exactly=0, near=12),
    KinkMet(op="mae", at=0.0, exactly=0, near=0),
    KinkMet(op="max_pool1d", at=None, exactly=31, near=0),
    KinkMet(op="relu", at=0.0, exactly=1234, near=5),
)


def with_kinks(*met: KinkMet) -> RunFile:
    run = example_run.PASSING.run
    changed = msgspec.structs.replace(run.coverage, kinks=met)
    return msgspec.structs.replace(example_run.PASSING, run=msgspec.structs.replace(run, coverage=changed))


def lines(run_file: RunFile, word: str) -> list[str]:
    return [line for line in terminal.render(run_file, width=120, color=False).splitlines() if word in line]


def test_kinks_that_were_never_met_are_told() -> None:
    assert lines(with_kinks(*MET), "stood on") == [
        "  kinks that no value stood on exactly: hardsigmoid at -3 and 3 (12 near); mae at 0"
    ]


def test_where_all_were_met_nothing_is_said_of_them() -> None:
    assert lines(with_kinks(*MET[3:]), "stood on") == []
    assert lines(with_kinks(), "kinks that") == []


def test_every_kink_is_counted_where_details_are_asked_for() -> None:
    told = " ".join(terminal.details(with_kinks(*MET), width=200).split())
    assert (
        "kinks hardsigmoid at -3: 0 exactly · hardsigmoid at 3: 0 exactly, 12 near · mae at 0: 0 exactly · "
        "max_pool1d at a tie: 31 exactly · relu at 0: 1,234 exactly, 5 near"
    ) in told


def test_the_page_has_a_row_for_each_of_them() -> None:
    rows = coverage.covered(with_kinks(*MET).run.coverage).kinks
    assert [(r.op, r.at, r.exactly, r.near, r.kind) for r in rows] == [
        ("hardsigmoid", "-3", "never", "0", "empty"),
        ("hardsigmoid", "3", "never", "12", "empty"),
        ("mae", "0", "never", "0", "empty"),
        ("max_pool1d", "a tie", "31", "0", "count"),
        ("relu", "0", "1,234", "5", "count"),
    ]
    page = html.render(with_kinks(*MET))
    assert '<th scope="row">relu</th><td class="number">0</td><td class="number count">1,234</td>' in page
    assert "<h3>Kinks</h3>" not in html.render(with_kinks())


@pytest.mark.parametrize(
    ("op", "node", "where"),
    [("relu", 1, "relu at 0 (input[0,2], node 1)"), ("mae", -1, "mae at 0 (output - target[0,2])")],
)
def test_two_slopes_at_one_kink(op: str, node: int, where: str) -> None:
    strands = (Strand("0.weight", (2, 1), 0.0, 1.0, 1e-15), Strand("0.bias", (2,), 0.9999999999999, 1.0, 1e-15))
    assert contradiction(Contradiction(0, op, node, (0, 2), 0.0, strands)) == (
        f"exactly at a kink, {where}, the slope taken is 0 in 0.weight[2,1] and 1 in 0.bias[2]: each lies between the "
        "one-sided derivatives, but no one slope explains both"
    )

"""The exit codes: which counts give which code, and which code wins."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from report import example_run

from crosscheck import gate
from crosscheck.cli.gate import gate as command
from crosscheck.spec.errors import SpecError, UsageError
from crosscheck.spec.record import Entries, Exit
from crosscheck.store import runs


def entries(
    informative: int = 90,
    uninformative: int = 10,
    undecidable: int = 0,
    by_design: int = 0,
    disagreeing: int = 0,
    void: int = 0,
) -> Entries:
    return Entries(
        compared=informative + uninformative + undecidable + disagreeing,
        informative=informative,
        uninformative=uninformative,
        undecidable=undecidable,
        disagreeing=disagreeing,
        not_compared=0,
        undecidable_by_design=by_design,
        void=void,
    )


UNMET = gate.Threshold("cases", "at least 9", "3", met=False)
MET = gate.Threshold("cases", "at least 1", "3", met=True)

# fmt: off
TABLE = [  # verdicts, entries, options, code
    ({"AGREES": 10}, entries(), {}, 0),
    ({"agrees": 10}, entries(), {}, 0),
    ({"AGREES": 10, "UNDECIDABLE": 3, "UNCHECKED": 2}, entries(), {}, 0),
    ({"AGREES": 9, "ORACLE_DISAGREES": 1}, entries(disagreeing=1), {}, 0),
    ({"ORACLE_DISAGREES": 1}, entries(disagreeing=1), {}, 0),
    ({"AGREES": 10}, entries(), {"thresholds": [MET]}, 0),
    ({"AGREES": 9, "DISAGREES": 1}, entries(disagreeing=1), {}, 1),
    ({"AGREES": 9, "disagrees": 1}, entries(disagreeing=1), {}, 1),
    ({"AGREES": 9, "FORWARD_DISAGREES": 1}, entries(), {}, 1),
    ({"AGREES": 9, "BROKE_CONTRACT": 1}, entries(), {}, 1),
    ({"AGREES": 9, "ORACLE_DISAGREES": 1}, entries(), {"fail_on": ["oracle"]}, 1),
    ({"AGREES": 9, "UNDECIDABLE": 1}, entries(), {"fail_on": ["undecidable"]}, 1),
    ({"AGREES": 9, "UNCHECKED": 1}, entries(), {"fail_on": ["unchecked"]}, 1),
    ({"AGREES": 10}, entries(disagreeing=1), {}, 1),                                   # counts and verdicts at odds
    ({"AGREES": 10}, entries(), {"fail_on": ["oracle"]}, 0),
    ({}, entries(0, 0), {}, 5),
    ({"UNCHECKED": 10}, entries(0, 0), {}, 5),
    ({"AGREES": 10}, entries(0, 100), {}, 5),
    ({"UNDECIDABLE": 10}, entries(1, 0), {}, 5),
    # Nothing but entries at which the derived bound is itself off the truth says nothing of the subject.
    ({"ORACLE_DISAGREES": 1}, entries(0, 50, disagreeing=9, void=9), {}, 5),
    ({"ORACLE_DISAGREES": 1}, entries(0, 50, disagreeing=9, void=8), {}, 0),
    ({"ORACLE_DISAGREES": 2}, entries(50, 50, disagreeing=9, void=9), {}, 0),
    ({"AGREES": 10}, entries(), {"only_differences_left": True}, 5),
    ({"AGREES": 10}, entries(95, 0, 5), {}, 0),                                        # exactly 5 %
    ({"AGREES": 10}, entries(94, 0, 6), {}, 6),
    ({"AGREES": 10}, entries(94, 0, 6, 6), {}, 0),
    ({"AGREES": 10}, entries(10, 0, 90, 90), {}, 0),
    ({"AGREES": 10}, entries(10, 0, 90, 89), {}, 6),
    ({"AGREES": 10}, entries(), {"thresholds": [MET, UNMET]}, 6),
    ({"DISAGREES": 1}, entries(0, 0, 50), {"thresholds": [UNMET]}, 1),                 # 1 before 5 and 6
    ({"UNDECIDABLE": 1}, entries(0, 0, 50), {"thresholds": [UNMET]}, 5),               # 5 before 6
]
# fmt: on


@pytest.mark.parametrize(("verdicts", "counts", "options", "code"), TABLE)
def test_exit_code(verdicts: dict[str, int], counts: Entries, options: dict[str, object], code: int) -> None:
    found = gate.exit_for(verdicts, counts, **options)  # type: ignore[arg-type]
    assert found.code == code
    assert found.reason


def test_an_unknown_verdict_cannot_pass_unseen() -> None:
    with pytest.raises(SpecError, match="'DISAGREE' is not one of"):
        gate.exit_for({"AGREES": 1, "DISAGREE": 1}, entries())


def test_an_unknown_fail_on_is_refused() -> None:
    with pytest.raises(UsageError, match="not 'oracles'"):
        gate.exit_for({"AGREES": 1}, entries(), fail_on=["oracles"])


def test_reasons_are_sentences_with_numbers() -> None:
    assert gate.exit_for({"DISAGREES": 2, "BROKE_CONTRACT": 1}, entries()).reason == (
        "cases with a failing verdict: 1 BROKE_CONTRACT, 2 DISAGREES"
    )
    assert gate.exit_for({"AGREES": 2}, entries(94, 0, 6)).reason == (
        "6.0% of the entries that aim at no kink are undecidable, more than 5%"
    )
    assert gate.exit_for({"AGREES": 2}, entries(), thresholds=[UNMET]).reason == (
        "gate not met: cases is 3, asked was at least 9"
    )


def test_the_stored_code_is_never_made_milder() -> None:
    codes = [3, 2, 4, 1, 5, 6, 0]
    for place, code in enumerate(codes):
        for other in codes[place:]:
            pair = (Exit(code=other, reason="other"), Exit(code=code, reason="first"))
            assert gate.first_of(*pair).code == code


def test_a_resolution_that_is_missing_or_nan_is_not_enough() -> None:
    run = example_run.PASSING.run
    spoilt = msgspec.structs.replace(run, resolution=(msgspec.structs.replace(run.resolution[0], p95=float("nan")),))
    assert not gate.max_resolution(spoilt, 1.0)[0].met
    assert not gate.max_resolution(run, 1.0, "float32")[0].met
    assert not gate.max_resolution(example_run.EMPTY.run, 1.0)[0].met
    assert gate.max_resolution(run, 1e-8)[0].met


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return runs.write(example_run.PASSING, tmp_path / "reports" / "one")


# fmt: off
COMMANDS = [  # arguments, code, a line of the output
    ([], 0, "PASSED  exit 0: the subject agrees; in 7 cases an oracle disagrees with the others"),
    (["--min-informative", "0.5"], 0, "  ✓ met      informative share of entries  0.81 (at least 0.5)"),
    (["--min-informative", "0.9"], 6, "  ✗ not met  informative share of entries  0.81 (at least 0.9)"),
    (["--max-resolution", "1e-8"], 0, "  ✓ met      resolution (95th percentile) in float64  2e-09 (at most 1e-08)"),
    (["--max-resolution", "1e-8", "--dtype", "float32"], 6,
     "  ✗ not met  resolution (95th percentile) in float32  unknown, nothing was compared (at most 1e-08)"),
    (["--min-cases", "401"], 6, "FAILED  exit 6: gate not met: cases is 400, asked was at least 401"),
    (["--require-oracle", "ball"], 0, "  ✓ met      oracle ball  400 of 400 cases answered (an answer)"),
    (["--require-oracle", "flint"], 6, "  ✗ not met  oracle flint  0 of 400 cases answered (an answer)"),
    (["--fail-on", "oracle"], 1, "FAILED  exit 1: cases with a failing verdict: 7 ORACLE_DISAGREES"),
]
# fmt: on


@pytest.mark.parametrize(("arguments", "code", "line"), COMMANDS)
def test_the_command(stored: Path, arguments: list[str], code: int, line: str) -> None:
    result = CliRunner().invoke(command, [str(stored), *arguments])
    assert result.exit_code == code, result.output
    assert line in result.output.splitlines()


def test_the_command_takes_the_newest_run(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stored.parents[2])
    result = CliRunner().invoke(command, [])
    assert result.output.splitlines()[0] == "run  reports/one"


@pytest.mark.parametrize(("example", "code"), [(example_run.FAILING, 1), (example_run.EMPTY, 5)])
def test_the_record_s_own_code_is_carried_over(tmp_path: Path, example: example_run.RunFile, code: int) -> None:
    runs.write(example, tmp_path)
    result = CliRunner().invoke(command, [str(tmp_path), "--min-cases", "1000"])
    assert result.exit_code == code


@pytest.mark.parametrize("code", [2, 3, 5, 6])
def test_a_run_that_did_not_end_well_does_not_pass(tmp_path: Path, code: int) -> None:
    ended = msgspec.structs.replace(example_run.PASSING.run, exit=Exit(code=code, reason="as stored"))
    runs.write(msgspec.structs.replace(example_run.PASSING, run=ended), tmp_path)
    assert CliRunner().invoke(command, [str(tmp_path)]).exit_code == code


def test_a_broken_file_is_the_asker_s_error(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b"{")
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert isinstance(result.exception, SpecError)
    assert str(tmp_path / "run.json") in str(result.exception)

"""One saved case again: by id, by file, with another subject; and what is no case."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import case_of

from crosscheck.cli import run_group
from crosscheck.store import runs

SUBJECTS = Path(__file__).parent / "subjects.py"
NET = "x[1,1] -> dense(1) -> tanh -> sse"
QUICK = ("--oracles", "differences", "--max-examples", "2", "--points", "2", "-q", "--architecture", NET)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def command(*args: str) -> tuple[int, str, str]:
        code = run_group(list(args))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def failed(cli: Run) -> Any:
    """The finding of a run of a wrong tanh."""
    assert cli("run", f"{SUBJECTS}:wrong_tanh", *QUICK)[0] == 1
    (finding,) = runs.read(runs.latest(Path("reports"))).run.findings
    return finding


def test_by_id_the_subject_of_its_run_is_asked_again(cli: Run, failed: Any) -> None:
    code, out, _ = cli("replay", failed.id, "--oracles", "differences")
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == f"case {failed.id} · {NET}"
    assert lines[1].startswith(f"  subject {SUBJECTS}:wrong_tanh · float64 · 1 point · values ")
    assert lines[-2].startswith(f"DISAGREES: the gradient of {failed.tensor} ")
    assert lines[-1] == "exit 1: cases with a failing verdict: 1 DISAGREES"
    assert "the chain rule, from the loss back" in out
    assert "node 1 tanh: ∂C/∂a = " in out
    assert "✗ the subject says" in out


def test_the_slope_stands_before_the_verdict(cli: Run, failed: Any) -> None:
    _, out, _ = cli("replay", failed.id, "--oracles", "ball")
    assert out.splitlines()[-4:-2] == [
        "  Taylor remainder: slope 1.00 with this gradient, 2.00 with the certified one: no rounding noise",
        "",
    ]
    _, out, _ = cli("replay", failed.id, "--oracles", "ball", "--subject", f"{SUBJECTS}:half_the_loss")
    (said,) = [line for line in out.splitlines() if line.startswith("  Taylor remainder: ")]
    assert said == (
        "  Taylor remainder: of the loss asked for: slope 1.00 with the gradients (0.weight, 0.bias and x together), "
        "2.00 with the certified ones; of its own loss, 0.5 × the one asked for: slope 2.00 with the same: "
        "the backward belongs to its own forward, which is another"
    )
    _, out, _ = cli("replay", failed.id, "--oracles", "ball", "--subject", f"{SUBJECTS}:returns_a_list")
    assert "  Taylor remainder: no slope: what the subject returned is not a loss and NumPy arrays\n" in out
    assert "Taylor" not in cli("replay", failed.id, "--oracles", "ball", "--subject", "builtin")[1]


def test_what_is_replayed_is_what_was_found(cli: Run, failed: Any) -> None:
    _, out, _ = cli("replay", failed.id, "--oracles", "differences")
    entry = failed.entries[0]
    assert f"{entry.tensor}[0,0] at point 0: subject {entry.values['subject']:.17g}, " in out


def test_by_file_outside_of_a_run_the_built_in_is_asked(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "alone.npz"
    case_of("x[2,2] -> dense(2) -> sin -> sse").save(path)
    code, out, _ = cli("replay", str(path), "--oracles", "differences")
    assert code == 0
    assert "  subject builtin · float64 · 3 points · values normal · witnesses differences" in out
    assert out.endswith("AGREES\nexit 0: everything that was verified agrees\n")


def test_another_subject_may_be_asked(cli: Run, failed: Any) -> None:
    code, out, _ = cli("replay", failed.id, "--oracles", "differences", "--subject", "builtin")
    assert code == 0
    assert "  subject builtin · " in out
    assert out.endswith("AGREES\nexit 0: everything that was verified agrees\n")


def test_of_several_runs_the_newest_finding_of_that_id_is_meant(cli: Run, failed: Any) -> None:
    (older,) = Path("reports").glob("*/failures")
    newer = Path("reports") / "30000101T000000-builtin-0" / "failures"
    newer.mkdir(parents=True)
    case_of("x[1] -> sin -> sse").save(newer / f"{failed.id}.npz")
    assert older.parent.name < newer.parent.name
    _, out, _ = cli("replay", failed.id, "--oracles", "differences")
    assert "x[1] -> sin -> sse" in out
    assert out.splitlines()[0] == (
        f"{newer / failed.id}.npz; 1 older run ({SUBJECTS}:wrong_tanh) found the same case: "
        "name the file for one of those"
    )


def test_with_no_witness_nothing_is_verified(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "zero.npz"
    case_of("x[2,2] -> sse(scale=0.0)").save(path)
    code, out, _ = cli("replay", str(path), "--oracles", "differences")
    assert code == 5
    assert out.splitlines()[-1].startswith("exit 5: nothing was verified")


def spoilt(tmp_path: Path, how: str) -> Path:
    path = tmp_path / "spoilt.npz"
    data = case_of("x[2,2] -> sse").to_bytes()
    if how == "text":
        path.write_text("no archive", encoding="utf-8")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "another zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hello.txt", "hello")
    return path


@pytest.mark.parametrize("how", ["text", "empty", "cut", "another zip"])
def test_a_malformed_case_file_is_refused_by_name(cli: Run, tmp_path: Path, how: str) -> None:
    code, out, err = cli("replay", str(spoilt(tmp_path, how)))
    assert code == 4
    assert out == ""
    assert err.startswith(f"crosscheck: case file {tmp_path / 'spoilt.npz'}")
    assert "Traceback" not in err


def test_a_subject_that_cannot_answer_the_case_is_told(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "case.npz"
    case_of("x[2,2] -> softmax -> sse").save(path)
    code, _, err = cli("replay", str(path), "--subject", "sklearn-mlp", "--oracles", "differences")
    assert code == 4
    assert "subject sklearn-mlp does not compute x[2,2] -> softmax -> sse" in err

"""`crosscheck selftest` from the command line: what it prints and leaves, its exit codes, and what it refuses."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from crosscheck import mutants, selftest, selftesting
from crosscheck.cli import run_group
from crosscheck.selftest import Plan, Timed
from crosscheck.spec.errors import UsageError
from crosscheck.spec.kills import SelftestFile, Sound

# A bug that shows on nearly every network.
BUG = "dropout: not masked"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in an empty directory, in this process unless told otherwise: exit code, stdout, stderr."""
    pytest.importorskip("flint")
    monkeypatch.chdir(tmp_path)

    def command(*args: str) -> tuple[int, str, str]:
        code = run_group(["selftest", "--workers", "1", *args])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_a_bug_is_caught_located_named_and_shrunk(cli: Run, tmp_path: Path) -> None:
    code, out, err = cli("--only", BUG.upper(), "--profile", "ci", "--no-progress")
    assert (code, err) == (0, "")
    assert "PASSED  1 of 1 planted bug caught · 0 of 0 controls passed" in out
    assert f"record  {Path('reports') / 'selftest.json'}\nreport  {Path('reports') / 'selftest.html'}\n" in out
    file = SelftestFile.load(tmp_path / "reports" / "selftest.json")
    (kill,) = file.selftest.kills
    assert (kill.name, kill.caught, kill.located, kill.named, kill.layers) == (BUG, True, True, True, 1)
    assert (file.selftest.profile, file.selftest.most_networks, file.selftest.seed) == ("ci", 400, 0)
    assert file.selftest.left_out == mutants.LEFT_OUT
    assert file.selftest.equivalent > 0
    assert file.seconds[BUG][0] > 0 < file.seconds[BUG][1]
    assert {"crosscheck", "numpy", "python-flint"} <= set(file.measured.versions)
    assert BUG in (tmp_path / "reports" / "selftest.html").read_text(encoding="utf-8")


def test_the_record_is_the_same_for_any_number_of_workers(cli: Run, tmp_path: Path) -> None:
    before = dict(os.environ)
    asked = ("--only", "dropout: ", "--seed", "3", "-q")
    alone, said, _ = cli(*asked, "--reports-dir", "alone")
    both, again, err = cli(*asked, "--reports-dir", "both", "--workers", "2")
    assert (alone, both, err) == (0, 0, "")
    assert said.startswith("PASSED")
    assert len(said.splitlines()) == 1
    assert again.startswith("PASSED")
    files = [SelftestFile.load(tmp_path / name / "selftest.json") for name in ("alone", "both")]
    assert files[0].selftest == files[1].selftest
    assert len(files[0].selftest.kills) > 1
    assert [file.measured.environment["workers"] for file in files] == ["1", "2"]
    assert dict(os.environ) == before


def test_a_control_alone_verifies_nothing(cli: Run, tmp_path: Path) -> None:
    name = mutants.controls()[0].name
    code, out, _ = cli("--only", name, "--no-progress", "--report", "json")
    assert code == 5
    assert "NOTHING VERIFIED" in out
    (control,) = SelftestFile.load(tmp_path / "reports" / "selftest.json").selftest.controls
    assert (control.name, control.networks, control.accused) == (name, 60, None)
    assert control.entries > 0
    assert not (tmp_path / "reports" / "selftest.html").exists()


def without(kill: Timed) -> Timed:
    return replace_kill(kill, networks=None, verdict=None)


def replace_kill(timed: Timed, **changes: object) -> Timed:
    return Timed(replace(timed.kill, **changes), timed.hunting, timed.shrinking)


def test_a_survivor_is_exit_1(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = selftest.kill
    monkeypatch.setattr(selftest, "kill", lambda name, plan: without(sound(name, plan)))
    code, out, _ = cli("--only", BUG, "--no-progress")
    assert code == 1
    assert f"✗ Survived  ×1\n  {BUG} · scaling and reduction, numpy-ml#94, of dropout\n" in out
    assert "FAILED  0 of 1 planted bug caught" in out
    assert "exit 1: planted bugs that got through: 1" in out


def test_a_control_that_is_accused_is_exit_1(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    control = mutants.controls()[0]

    def accused(name: str, plan: Plan) -> Sound:
        return Sound(name=name, why=control.why, source=control.source, networks=1, entries=0, accused="DISAGREES")

    monkeypatch.setattr(selftest, "sound", accused)
    code, out, _ = cli("--only", control.name, "--no-progress")
    assert code == 1
    assert "controls that are right and were accused: 1" in out


def test_without_flint_it_says_how_to_get_it(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    code, out, err = cli("--only", BUG)
    assert (code, out) == (4, "")
    assert "without certified truth nobody knows which gradient is wrong" in err
    assert "pip install 'crosscheck[ball]'" in err
    assert err.endswith("exit 4: usage or configuration\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--only", "no such bug"), "no planted bug and no control has 'no such bug' in its name"),
        (("--profile", "soak"), "'soak' is not one of"),
        (("--workers", "0"), "x>=1"),
        (("--report", "junit"), "'junit' is not FORMAT or FORMAT=PATH with one of html, json"),
        (("--report", "html="), "'html=' is not FORMAT or FORMAT=PATH"),
        (("--reports-dir", "file/below"), "file is no folder that can be written to"),
    ],
)
def test_what_is_refused(cli: Run, tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = cli(*args)
    assert code == 4
    assert message in err


def test_an_interrupt_is_exit_2_and_leaves_nothing(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_name: str, _plan: Plan) -> Timed:
        raise KeyboardInterrupt

    monkeypatch.setattr(selftest, "kill", interrupted)
    code, out, err = cli("--only", BUG)
    assert (code, out) == (2, "")
    assert err == "\ncrosscheck: interrupted\nexit 2: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_its_own_names_the_bug_that_was_planted(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_name: str, _plan: Plan) -> Timed:
        raise ZeroDivisionError("no such luck")

    monkeypatch.setattr(selftest, "kill", broken)
    code, _, err = cli("--only", BUG)
    assert code == 3
    assert f"no such luck\nwhile {BUG!r} was planted\n" in err


def dies(_name: str, _plan: Plan) -> Timed:
    os._exit(9)


def test_a_worker_that_dies_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flint")
    monkeypatch.setattr(selftesting.selftest, "kill", dies)
    with pytest.raises(UsageError, match="a worker ended without an answer"):
        selftesting.verify(selftesting.Settings(only="dropout: ", workers=2))


def test_progress_goes_to_stderr_with_rate_and_remaining_time(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from crosscheck.cli import selftest as command

    moments = iter(range(0, 1000, 20))
    clock = SimpleNamespace(monotonic=lambda: float(next(moments)), perf_counter=time.perf_counter)
    monkeypatch.setattr(command, "time", clock)
    code, _, err = cli("--only", BUG)
    assert code == 0
    assert err == "1/1 bugs · 0.0/s · 0 s left\n"

"""`crosscheck accuracy` from the command line: what it prints and leaves, and what it refuses."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from crosscheck.cli import run_group
from crosscheck.spec.atlas import AtlasFile
from crosscheck.spec.errors import OracleUnavailable

QUICK = ("--ops", "sigmoid,huber", "--points", "400", "--no-progress")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in an empty directory: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def command(*args: str) -> tuple[int, str, str]:
        code = run_group(["accuracy", *args])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_it_prints_a_table_and_leaves_a_record_and_a_page(cli: Run, tmp_path: Path) -> None:
    pytest.importorskip("flint")
    code, out, err = cli(*QUICK)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("sigmoid", "huber"))] == [
        "sigmoid",
        "huber",
    ] * 4
    assert f"record  {Path('reports') / 'accuracy.json'}\nreport  {Path('reports') / 'accuracy.html'}\n" in out
    file = AtlasFile.load(tmp_path / "reports" / "accuracy.json")
    assert file.atlas.ops == ("sigmoid", "huber")
    assert file.atlas.dtypes == ("float64", "float32")
    assert file.atlas.asked == 400
    assert {"crosscheck", "numpy", "python-flint"} <= set(file.measured.versions)
    assert file.measured.seconds > 0
    assert "sigmoid" in (tmp_path / "reports" / "accuracy.html").read_text(encoding="utf-8")


def test_one_dtype_another_folder_and_another_page(cli: Run, tmp_path: Path) -> None:
    pytest.importorskip("flint")
    code, out, _ = cli(*QUICK, "--dtype", "float32", "--reports-dir", "kept", "--report", "html=here/page.html")
    assert code == 0
    assert AtlasFile.load(tmp_path / "kept" / "accuracy.json").atlas.dtypes == ("float32",)
    assert (tmp_path / "here" / "page.html").is_file()
    assert "float64:" not in out


def test_a_framework_that_is_not_installed_is_told_of(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flint")
    from crosscheck.accuracy.implementations import IMPLEMENTATIONS

    def absent(_case: object, _dtype: str) -> None:
        raise OracleUnavailable("no torch here; install crosscheck[torch]")

    monkeypatch.setitem(IMPLEMENTATIONS, "torch", absent)
    code, out, _ = cli(*QUICK)
    assert code == 0
    assert "! torch: no torch here; install crosscheck[torch]" in out


def test_without_flint_it_says_what_is_lost_and_how_to_get_it(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    code, out, err = cli(*QUICK)
    assert (code, out) == (4, "")
    assert "without certified truth there is nothing to hold anybody against" in err
    assert "pip install 'crosscheck[ball]'" in err
    assert err.endswith("exit 4: usage or configuration\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--ops", "dense"), "'dense' is no activation and no loss"),
        (("--ops", " , "), "--ops is empty"),
        (("--dtype", "float16"), "'float16' is not one of float64, float32, in which the atlas is drawn"),
        (("--dtype", ""), "--dtype is empty"),
        (("--points", "3"), "100"),
        (("--report", "json"), "'json' is not html or html=PATH"),
        (("--report", "html="), "'html=' is not html or html=PATH"),
    ],
)
def test_what_is_refused(cli: Run, args: tuple[str, ...], message: str) -> None:
    code, _, err = cli(*args)
    assert code == 4
    assert message in err


def test_progress_goes_to_stderr(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flint")
    from crosscheck.cli import accuracy

    moments = iter(range(0, 1000, 20))
    clock = SimpleNamespace(monotonic=lambda: float(next(moments)), perf_counter=time.perf_counter)
    monkeypatch.setattr(accuracy, "time", clock)
    code, _, err = cli("--ops", "relu,tanh", "--points", "200", "--dtype", "float32")
    assert code == 0
    assert err.splitlines() == ["0/2 relu, float32", "1/2 tanh, float32"]

"""Where an option comes from: flag > environment > pyproject > default; what is no option is an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crosscheck.cli import run_group
from crosscheck.store import runs

QUICK = ("--oracles", "differences", "--max-examples", "1", "--points", "1", "--no-progress", "-q")


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def configure(text: str) -> None:
    Path("pyproject.toml").write_text(text, encoding="utf-8")


def asked() -> Any:
    return runs.read(runs.latest(Path("reports"))).run


def test_without_anything_the_defaults_hold() -> None:
    assert run_group(["run", "--oracles", "differences", "--max-examples", "1", "-q"]) == 0
    run = asked()
    assert (run.seed, run.profile, run.subject) == (0, "quick", "builtin")
    assert run.settings == {
        "max_examples": 1,
        "points": 8,
        "dtype": ["float64"],
        "ops": None,
        "architecture": None,
        "oracles": ["differences"],
        "time_budget": None,
        "fail_on": [],
        "stop_at_first": False,
        "certify": "every",
    }


EVERY_KEY = """
[tool.crosscheck]
subject = "builtin"
profile = "ci"
oracles = ["differences"]
certify = "suspects"
dtype = "float32"
ops = ["dense", "tanh", "sse"]
max-examples = 2
points = 3
time-budget = 30
seed = 11
report = ["json"]
fail-on = ["oracle", "unchecked"]
"""


def test_every_key_of_pyproject_is_heard() -> None:
    configure(EVERY_KEY)
    assert run_group(["run", "-q"]) == 0
    run = asked()
    assert (run.seed, run.profile) == (11, "ci")
    assert run.settings == {
        "max_examples": 2,
        "points": 3,
        "dtype": ["float32"],
        "ops": ["dense", "tanh", "sse"],
        "architecture": None,
        "oracles": ["differences"],
        "time_budget": 30.0,
        "fail_on": ["oracle", "unchecked"],
        "stop_at_first": False,
        "certify": "suspects",
    }
    assert not Path("reports/index.html").exists(), "json was asked for, and nothing else"


def test_an_architecture_and_a_subject_from_pyproject() -> None:
    configure('[tool.crosscheck]\narchitecture = "x[*,2] -> tanh -> sse"\nsubject = "builtin"\n')
    assert run_group(["run", *QUICK]) == 0
    assert asked().settings["architecture"] == "x[*,2] -> tanh -> sse"


def test_flag_over_environment_over_pyproject(monkeypatch: pytest.MonkeyPatch) -> None:
    configure("[tool.crosscheck]\nseed = 1\n")
    run_group(["run", *QUICK])
    assert asked().seed == 1
    monkeypatch.setenv("CROSSCHECK_RUN_SEED", "2")
    run_group(["run", *QUICK, "--reports-dir", "two"])
    assert runs.read(runs.latest(Path("two"))).run.seed == 2
    run_group(["run", *QUICK, "--reports-dir", "three", "--seed", "3"])
    assert runs.read(runs.latest(Path("three"))).run.seed == 3


def test_a_flag_at_its_default_still_wins_over_pyproject() -> None:
    configure("[tool.crosscheck]\nseed = 1\n")
    run_group(["run", *QUICK, "--seed", "0"])
    assert asked().seed == 0


# fmt: off
REFUSED = [
    ('[tool.crosscheck]\nsede = 1\n',
     "pyproject.toml, [tool.crosscheck]: unknown key 'sede'; the keys are subject, profile, oracles, certify, dtype, "
     "ops, architecture, max-examples, points, time-budget, seed, report, fail-on"),
    ('[tool.crosscheck]\nmax_examples = 1\n', "unknown key 'max_examples'; the keys are subject,"),
    ('[tool.crosscheck]\nseed = "1"\n',       "pyproject.toml, [tool.crosscheck]: seed is '1', must be of type int"),
    ('[tool.crosscheck]\nseed = true\n',      "pyproject.toml, [tool.crosscheck]: seed is True, must be of type int"),
    ('[tool.crosscheck]\nreport = "html"\n',  "report is 'html', must be of type list"),
    ('[tool.crosscheck]\nops = 3\n',          "ops is 3, must be of type str or list"),
    ('[tool.crosscheck]\nseed = -1\n',        "-1 is not in the range x>=0"),
    ('[tool.crosscheck]\nprofile = "huge"\n', "'huge' is not one of 'quick', 'ci', 'nightly'"),
    ('[tool.crosscheck]\nops = [3]\n',        "[tool.crosscheck]: ops holds 3, must hold texts"),
    ('[tool.crosscheck]\nfail-on = ["x"]\n',  "--fail-on: 'x' is not one of oracle, undecidable, unchecked"),
    ('[tool.crosscheck]\nreport = ["pdf"]\n', "--report: 'pdf' is not FORMAT or FORMAT=PATH"),
    ('[tool]\ncrosscheck = 3\n',              "pyproject.toml: tool.crosscheck must be a table"),
    ('tool = 3\n',                            "pyproject.toml: tool must be a table"),
    ('[tool.crosscheck\n',                    "pyproject.toml: Expected ']'"),
]
# fmt: on


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_pyproject_cannot_say_is_refused(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(text)
    assert run_group(["run", *QUICK]) == 4
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_another_tools_table_is_nobodys_business() -> None:
    configure("[tool.ruff]\nline-length = 3\n[project]\nname = 'x'\n")
    assert run_group(["run", *QUICK]) == 0


def test_a_bad_environment_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSCHECK_RUN_SEED", "many")
    assert run_group(["run", *QUICK]) == 4
    assert "'many' is not a valid integer" in capsys.readouterr().err


# What is printed, and where.

Print = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Print:
    def command(*args: str) -> tuple[int, str, str]:
        code = run_group(["run", *QUICK[:-1], *args])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def test_quiet_prints_the_last_line_alone(shown: Print) -> None:
    _, out, err = shown("-q")
    assert out.startswith("PASSED  0 distinct disagreements")
    assert out.count("\n") == 1
    assert err == ""


def test_verbose_prints_settings_verdicts_timing_and_versions(shown: Print) -> None:
    _, out, _ = shown("-v")
    for title in ("settings", "verdicts", "seconds", "versions"):
        assert f"\n{title:<9} " in out
    assert "AGREES 1" in out
    assert "max_examples 1" in out


def test_reports_go_where_they_are_asked_to(shown: Print) -> None:
    code, out, _ = shown("--report", "html=page.html", "--report", "json=run.json")
    assert code == 0
    assert "report  page.html" in out
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads(Path("run.json").read_text(encoding="utf-8"))["run"]["subject"] == "builtin"
    assert not Path("reports/index.html").exists()


def test_the_folder_of_a_run_has_a_name_for_every_file_system() -> None:
    subject = f"{Path(__file__).parent / 'subjects.py'}:right"
    run_group(["run", subject, *QUICK, "--architecture", "x[1] -> sse"])
    (folder,) = [p for p in Path("reports").iterdir() if p.is_dir()]
    assert all(c.isalnum() or c in "-_" for c in folder.name)
    assert folder.name.endswith("-0")


class Terminal:
    """What colour sees: a stdout that says it is a terminal."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@pytest.mark.parametrize(("no_color", "colored"), [(None, True), ("", True), ("1", False), ("0", False)])
def test_no_color_is_honoured(
    no_color: str | None, colored: bool, shown: Print, monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://no-color.org: present and not empty, whatever its value."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))
    assert ("\x1b[" in shown()[1]) == colored


def test_without_a_terminal_there_is_no_color(shown: Print, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in shown()[1]


def test_help_is_fast_and_imports_no_framework() -> None:
    program = (
        "import sys; from crosscheck.cli import run_group; run_group(['run', '--help']); "
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'jax', 'hypothesis', 'sklearn', 'scipy'}))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert answer.stdout.endswith("[]\n")
    for option in ("--profile", "--oracles", "--architecture", "--time-budget", "--fail-on", "--reports-dir"):
        assert option in answer.stdout

"""Every exit code from the command line, with the words beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crosscheck import calling, session
from crosscheck.cli import run_group
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Reference
from crosscheck.spec.errors import OracleCrashed, OracleUnavailable
from crosscheck.store import runs

SUBJECTS = Path(__file__).parent / "subjects.py"
QUICK = ("--oracles", "differences", "--max-examples", "4", "--points", "2", "--no-progress")
TANH = ("--architecture", "x[1,1] -> dense(1) -> tanh -> sse")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in an empty directory: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def command(*args: str) -> tuple[int, str, str]:
        code = run_group(list(args))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def subject(name: str) -> str:
    return f"{SUBJECTS}:{name}"


def record(tmp_path: Path) -> Any:
    return runs.read(runs.latest(tmp_path / "reports")).run


def last(text: str) -> str:
    """The last line, unfolded, without the path of the page and what depends on time."""
    whole = re.sub(r"\n +", " ", text.rstrip("\n")).splitlines()
    line = next(line for line in reversed(whole) if not line.startswith("report"))
    return re.sub(r" · \d+(\.\d+)? (ms|s) · ", " · TIME · ", line)


def test_0_where_all_agree(cli: Run, tmp_path: Path) -> None:
    code, out, err = cli("run", *QUICK)
    assert (code, err) == (0, "")
    assert last(out).endswith("TIME · exit 0: everything that was verified agrees")
    assert last(out).startswith("PASSED  0 distinct disagreements · ")
    assert f"report  {Path('reports') / 'index.html'}" in out
    assert (tmp_path / "reports" / "index.html").is_file()
    assert record(tmp_path).exit.code == 0


def test_the_report_lies_where_it_was_asked_for_wherever_the_subject_went(cli: Run, tmp_path: Path) -> None:
    code, out, err = cli("run", subject("goes_elsewhere"), *QUICK, *TANH)
    assert (code, err) == (0, "")
    assert Path.cwd() == tmp_path
    assert f"report  {Path('reports') / 'index.html'}" in out
    assert (tmp_path / "reports" / "index.html").is_file()


def test_another_loss_with_a_backward_that_is_right_is_one_finding(cli: Run, tmp_path: Path) -> None:
    """That the gradients are not those of the loss that is returned is said of the loss, and not once more of each."""
    code, _, _ = cli("run", subject("rounds_the_loss"), "--max-examples", "4", "--points", "2", "--no-progress", *TANH)
    assert code == 1
    (finding,) = record(tmp_path).findings
    assert finding.verdict == "FORWARD_DISAGREES"


def test_a_loss_that_is_finite_nowhere_is_no_exp_that_overflowed(cli: Run, tmp_path: Path) -> None:
    code, _, _ = cli("run", subject("never_finite"), "--max-examples", "4", "--points", "2", "--no-progress", *TANH)
    assert code == 1
    (finding,) = record(tmp_path).findings
    assert finding.message == "the subject's loss is not finite where the true sse is, at every point of this case"


def test_what_stands_beside_the_run_and_cannot_be_read_is_told_in_a_line(cli: Run, tmp_path: Path) -> None:
    """The page says it too; it is no failure of the run."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "accuracy.json").write_text("{")
    (folder / "power.json").mkdir()
    code, out, _ = cli("run", *QUICK, *TANH)
    assert code == 0
    whole = re.sub(r"\n {4,}", " ", out)
    told = [line for line in whole.splitlines() if "A record of" in line]
    assert [re.sub(r"shown: .*\. ([a-z]+ )", r"shown: WHY. \1", line) for line in told] == [
        "  ! A record of the accuracy atlas is there, and cannot be shown: WHY. crosscheck accuracy makes it anew.",
        "  ! A record of detection power is there, and cannot be shown: WHY. nox -s power makes it anew.",
    ]
    assert "accuracy.json: this is no atlas of accuracy" in told[0]
    assert "power.json: cannot be read: Is a directory" in told[1]
    assert "A record of" not in cli("run", *QUICK, *TANH, "--report", "json")[1], "no page is there to show it"


def test_0_for_a_right_callable(cli: Run) -> None:
    assert cli("run", subject("right"), *QUICK, *TANH)[0] == 0


def test_1_where_a_gradient_is_wrong(cli: Run, tmp_path: Path) -> None:
    code, out, _ = cli("run", subject("wrong_tanh"), *QUICK, *TANH)
    assert code == 1
    assert last(out) == (
        "FAILED  1 distinct disagreement (4 cases) · 0 entries undecidable · TIME · "
        "exit 1: cases with a failing verdict: 4 DISAGREES"
    )
    (finding,) = record(tmp_path).findings
    assert f"  replay  {finding.replay}\n" in out


def test_1_where_the_loss_is_another(cli: Run) -> None:
    code, out, _ = cli("run", subject("half_the_loss"), *QUICK, "--oracles", "torch", *TANH)
    assert code == 1
    assert "your loss is 0.5 × sse: pass scale=0.5" in out
    assert "exit 1: cases with a failing verdict: 4 FORWARD_DISAGREES" in last(out)


def test_1_where_the_contract_is_broken(cli: Run) -> None:
    code, out, _ = cli("run", subject("returns_a_list"), *QUICK, *TANH)
    assert code == 1
    assert "the whole case: BROKE_CONTRACT  ×4" in out
    assert "subject returned a list; an answer is (loss, gradients)" in out
    assert "exit 1: cases with a failing verdict: 4 BROKE_CONTRACT" in last(out)


def test_an_oracles_own_deviation_is_0_and_1_where_asked(cli: Run) -> None:
    asked = (
        "run",
        *QUICK,
        "--oracles",
        "torch,differences",
        "--architecture",
        "x[2,2] -> dense(2) -> hardsigmoid -> sse",
    )
    code, out, _ = cli(*asked)
    assert code == 0
    assert "exit 0: the subject agrees; in " in last(out)
    assert "hardsigmoid" in out
    code, out, _ = cli(*asked, "--fail-on", "oracle")
    assert code == 1
    assert "ORACLE_DISAGREES" in last(out)


def test_2_where_interrupted_and_the_record_is_kept(cli: Run, tmp_path: Path) -> None:
    code, out, _ = cli("run", subject("interrupts"), *QUICK, *TANH)
    assert code == 2
    assert "exit 2: interrupted; what was found until then stands above" in last(out)
    kept = record(tmp_path)
    assert kept.exit.code == 2
    assert 0 < kept.cases < 4
    assert f"interrupted: {kept.cases} of 4 architectures were checked" in kept.warnings
    assert (tmp_path / "reports" / "index.html").is_file()


def test_2_where_interrupted_before_anything_ran(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "verify", interrupt)
    assert cli("run", *QUICK) == (2, "", "\ncrosscheck: interrupted\nexit 2: interrupted\n")


class Crashing(TorchAutograd):
    def references(self, case: Case) -> Reference:
        raise OracleCrashed("oracle torch raised RuntimeError: out of memory")


def test_3_where_an_oracle_crashes(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calling.MAKERS, "torch", Crashing)
    assert cli("run", *QUICK, "--oracles", "torch") == (
        3,
        "",
        "crosscheck: oracle torch raised RuntimeError: out of memory\nexit 3: internal error or an oracle crashed\n",
    )


def test_3_where_crosscheck_itself_is_wrong(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours must look like neither a pass nor a verdict, and must show its traceback."""

    def broken(*_args: Any) -> Any:
        return 1 // 0

    monkeypatch.setattr(session, "verify", broken)
    code, out, err = cli("run", *QUICK)
    assert (code, out) == (3, "")
    assert "Traceback" in err
    assert "ZeroDivisionError" in err
    assert err.endswith(
        "crosscheck: this is an error of crosscheck itself, not of the subject; please report it\n"
        "exit 3: internal error or an oracle crashed\n"
    )


def test_3_where_the_reader_has_gone(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`crosscheck run | head`: a closed pipe is no disagreement, which is what 1 says."""

    def gone(*_args: Any, **_kwargs: Any) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("click.echo", gone)
    assert cli("run", *QUICK)[0] == 3


# fmt: off
USAGE: list[tuple[tuple[str, ...], str]] = [
    (("run", "--bogus"),                 "No such option '--bogus'."),
    (("bogus",),                         "No such command 'bogus'."),
    (("run", "a", "b"),                  "Got unexpected extra argument (b)"),
    (("run", "--seed", "-1"),            "Invalid value for '--seed': -1 is not in the range x>=0."),
    (("run", "--points", "0"),           "Invalid value for '--points': 0 is not in the range x>=1."),
    (("run", "--profile", "huge"),       "'huge' is not one of 'quick', 'ci', 'nightly'."),
    (("run", "--dtype", "float8"),       "--dtype: 'float8' is not one of float64, float32, float16, bfloat16"),
    (("run", "--dtype", ","),            "--dtype is empty; name one of float64, float32, float16, bfloat16"),
    (("run", "--report", "pdf"),         "--report: 'pdf' is not FORMAT or FORMAT=PATH with one of html, json"),
    (("run", "--report", "html="),       "--report: 'html=' is not FORMAT or FORMAT=PATH with one of html, json"),
    (("run", "--fail-on", "warnings"),   "--fail-on: 'warnings' is not one of oracle, undecidable, unchecked"),
    (("run", "nosuch"),                  "subject 'nosuch' is no adapter (builtin, torch, jax, sklearn-mlp); a "
                                         "callable is written package.module:callable or path/to/file.py:callable"),
    (("run", "no_such_module:f"),        "subject 'no_such_module:f': there is no module no_such_module"),
    (("run", "--oracles", "flint"),      "--oracles: 'flint' is no oracle; the oracles are ball, torch, jax,"),
    (("run", "--ops", "dens"),           "ops: 'dens' is not an operation; did you mean dense?"),
    (("run", "--architecture", "x[3] -> tanh"), "the architecture has no loss: end it with one"),
    (("run", "--architecture", "x[3] -> sse", "--ops", "tanh"), "--architecture and --ops exclude each other"),
    (("run", "torch", "--oracles", "torch"),
     "--oracles: torch is the subject of this run and no witness to itself"),
    (("replay", "nosuch"),
     "'nosuch' is neither a file nor the id of a finding under reports/*/failures/"),
    (("replay", "a/b.npz"),              "there is no case file a/b.npz"),
    (("gate",),                          "reports: holds no run (a run is a folder with a run.json)"),
]
# fmt: on


@pytest.mark.parametrize(("args", "message"), USAGE, ids=lambda item: " ".join(item) if isinstance(item, tuple) else "")
def test_4_where_it_cannot_be_done_as_asked(cli: Run, tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    code, out, err = cli(*args)
    assert code == 4
    assert message in err
    assert err.endswith("exit 4: usage or configuration\n")
    assert out == ""
    assert not (tmp_path / "reports").exists(), "nothing was run"


def test_4_where_an_oracle_that_was_asked_for_is_missing(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> Any:
        raise OracleUnavailable("oracle jax: jax cannot be imported here; install crosscheck[jax]")

    monkeypatch.setitem(calling.MAKERS, "jax", make)
    code, _, err = cli("run", *QUICK, "--oracles", "jax")
    assert (code, err.splitlines()[0]) == (
        4,
        "crosscheck: oracle jax: jax cannot be imported here; install crosscheck[jax]",
    )


def test_5_where_nothing_was_verified(cli: Run, tmp_path: Path) -> None:
    code, out, _ = cli("run", *QUICK, "--max-examples", "0")
    assert code == 5
    assert last(out) == (
        "NOTHING VERIFIED  0 distinct disagreements · 0 entries undecidable · TIME · "
        "exit 5: nothing was verified: no case was checked"
    )
    assert record(tmp_path).exit.code == 5


def test_6_where_a_stored_run_does_not_meet_the_gate(cli: Run) -> None:
    cli("run", *QUICK)
    code, out, _ = cli("gate", "--min-cases", "1000")
    assert code == 6
    assert "✗ not met  cases  4 (at least 1,000)" in out
    assert out.endswith("FAILED  exit 6: gate not met: cases is 4, asked was at least 1,000\n")
    assert cli("gate", "--min-cases", "4")[0] == 0


def test_the_gate_is_never_milder_than_the_run(cli: Run) -> None:
    cli("run", subject("wrong_tanh"), *QUICK, *TANH)
    assert cli("gate", "--min-cases", "1")[0] == 1

"""A finding as a file that pytest runs: it fails while the bug is there, and passes once it is mended."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import case_of, with_arrays

from crosscheck import calling
from crosscheck.api import GradientMismatch, NothingVerified, Summary, check_case
from crosscheck.mutants import mutants
from crosscheck.report import pytest_file
from crosscheck.session import Settings, save, verify
from crosscheck.spec import Case
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.loading import load
from crosscheck.subjects.planted import Planted
from crosscheck.subjects.python_callable import PythonCallable

BROKEN = '''"""x -> dense -> tanh -> sse."""
import numpy as np


def backprop(architecture, point):
    x, y = point.inputs["x"], point.targets
    w, b = point.params["0.weight"], point.params["0.bias"]
    h = np.tanh(x @ w.T + b)
    d = 2 * (h - y) * SLOPE
    return np.sum((h - y) ** 2), {"0.weight": d.T @ x, "0.bias": d.sum(0), "x": d @ w}
'''
NET = "x[*,3] -> dense(2) -> tanh -> sse"


def written(tmp_path: Path, slope: str) -> Path:
    path = tmp_path / "own_net.py"
    path.write_text(BROKEN.replace("SLOPE", slope), encoding="utf-8")
    return path


@pytest.mark.thorough
def test_both_files_of_a_finding_run_and_fail_and_pass_when_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is written all witnesses are asked; once mended, the truth alone, which is quicker."""
    path = written(tmp_path, "(1 - h)")
    subject = load(f"{path}:backprop")
    outcome = save(verify(Settings(subject, architecture=NET, examples=6, oracles=("ball",))), tmp_path / "run")
    (finding,) = outcome.run_file.run.findings
    assert finding.test_file == f"failures/test_{finding.id}.py"
    assert finding.case_file == f"failures/{finding.id}.npz"
    test, case = tmp_path / "run" / finding.test_file, tmp_path / "run" / finding.case_file
    assert f"check_case(SUBJECT, case, tensor={finding.tensor!r})" in test.read_text(encoding="utf-8")

    assert Case.load(case).n_points == 1
    with pytest.raises(GradientMismatch, match=finding.id):
        check_case(subject, case)
    failed = run_by_pytest(test)
    assert failed.returncode == 1
    assert "GradientMismatch" in failed.stdout

    written(tmp_path, "(1 - h * h)")
    monkeypatch.setattr("crosscheck.calling.MAKERS", {"ball": calling.MAKERS["ball"]})
    runpy.run_path(str(test))[f"test_{finding.id}"]()


# Bugs, the networks and the numbers at which a right gradient is any number between two, or 0.
AT_KINKS = {
    "max_pool1d: all that tie": ("x[1,1,2] -> max_pool1d -> sse", [[[1.0, 1.0]]], [[[0.0]]]),
    "relu: 2 at 0": ("x[1,1] -> relu -> sse", [[0.0]], [[1.0]]),
    "nll: the ignored class counts": ("x[1,2] -> nll(ignore_index=0)", [[-1.0, -0.5]], [0]),
    "mae: NaN where output and target agree": ("x[1,1] -> mae", [[1.0]], [[1.0]]),
}


@pytest.mark.parametrize("name", AT_KINKS)
def test_a_case_at_a_kink_or_of_a_zero_passes_when_its_bug_is_mended(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosscheck.calling.MAKERS", {"ball": calling.MAKERS["ball"]})
    text, x, y = AT_KINKS[name]
    plain = case_of(text, points=1)
    case = with_arrays(plain, inputs={"x": np.array([x])}, targets=np.array([y], plain.targets.dtype))
    with pytest.raises(GradientMismatch):
        check_case(Planted(next(m for m in mutants() if m.name == name)), case, tensor="x")
    with pytest.raises(NothingVerified):
        check_case(Builtin(), case)
    assert check_case(Builtin(), case, tensor="x").compared > 0
    silent = PythonCallable(lambda architecture, point: (float(Builtin().gradients(case).loss[0]), {}))
    for subject, tensor in ((silent, "x"), (Builtin(), "0.weight")):
        with pytest.raises(NothingVerified):
            check_case(subject, case, tensor=tensor)


def run_by_pytest(test: Path) -> subprocess.CompletedProcess[str]:
    """As a user would, with nothing of these tests around it."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(test.parent), str(test)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=test.parent, timeout=300)


def test_every_number_is_read_back_to_the_last_bit() -> None:
    for dtype in ("float64", "float32", "float16"):
        case = case_of("ids[2]:int64 -> embedding(3, 2) -> tanh -> sse(weighted=true)", points=1, dtype=dtype)
        for array in (*case.params.values(), *case.inputs.values(), case.targets, case.weights):
            assert array is not None
            back = eval(pytest_file._array(array), {"np": np})
            assert (back.dtype, back.shape) == (array.dtype, array.shape)
            assert np.array_equal(back, array)


def test_a_case_of_many_numbers_is_read_from_the_file_beside_it() -> None:
    large, small = case_of("x[5,9] -> dense(9) -> dense(9) -> sse", points=1), case_of("x[1,2] -> sse", points=1)
    assert not pytest_file._is_short(large)
    assert pytest_file._is_short(small)


def test_a_right_subject_passes_its_case_by_name_by_value_and_by_file(tmp_path: Path) -> None:
    case = case_of("x[2,3] -> dense(2) -> tanh -> sse", points=2)
    case.save(tmp_path / "case.npz")
    for subject in ("builtin", Builtin()):
        for given in (case, tmp_path / "case.npz", str(tmp_path / "case.npz")):
            summary = check_case(subject, given)
            assert isinstance(summary, Summary)
            assert (summary.cases, summary.points) == (1, 2)
            assert summary.informative > 0


def test_what_was_said_of_a_finding_cannot_end_the_docstring() -> None:
    outcome = verify(Settings(load(f"{__file__}:backslashes"), architecture="x[1,1] -> sse", examples=1))
    (finding,) = outcome.run_file.run.findings
    source = pytest_file.text(finding, outcome.run_file.run, outcome.shown[0].smallest)
    compile(source, "test", "exec")
    assert source.count('"""') == 2


def backslashes(_architecture: object, _point: object) -> object:
    raise ValueError('""" \\ \n """')

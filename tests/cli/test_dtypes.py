"""`crosscheck run --dtype`: 16-bit formats from the command line to the record."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from crosscheck.cli import run_group
from crosscheck.spec import Case
from crosscheck.store import runs

QUICK = ("--max-examples", "12", "--points", "4", "--oracles", "torch,differences", "--no-progress")
WRONG = '''
import numpy as np

def backprop(architecture, point):
    """x[2] -> tanh -> sse, with a derivative that is (1 - a) for (1 - a²)."""
    x, y = point.inputs["x"].astype(np.float32), point.targets.astype(np.float32)
    a = np.tanh(x)
    return float(((a - y) ** 2).sum()), {"x": (2 * (a - y) * (1 - a)).astype(point.inputs["x"].dtype)}
'''


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_right_subject_passes_in_both_16_bit_formats(capsys: pytest.CaptureFixture[str]) -> None:
    ops = "dense,tanh,gelu,softmax,sse,softmax_cross_entropy"
    assert run_group(["run", "--dtype", "float16,bfloat16,float32", "--ops", ops, *QUICK]) == 0
    assert "float32 float16 bfloat16" in capsys.readouterr().out
    found = runs.read(runs.latest(Path("reports"))).run.coverage.dtypes
    assert set(found) == {"float16", "bfloat16", "float32"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_wrong_subject_is_found_and_its_case_is_kept_in_its_dtype(
    dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_text(WRONG, encoding="utf-8")
    network = ("--architecture", "x[2] -> tanh -> sse")
    assert run_group(["run", "mine.py:backprop", "--dtype", dtype, *network, *QUICK]) == 1
    assert "DISAGREES" in capsys.readouterr().out
    smallest, worst = sorted(Path("reports").glob("*/failures/*.npz"), key=lambda path: len(path.name))
    for case in (Case.load(smallest), Case.load(worst)):
        assert (case.dtype, case.inputs["x"].dtype.name) == (dtype, dtype)
    assert run_group(["replay", str(smallest), "--subject", "mine.py:backprop", "--oracles", "torch,differences"]) == 1


def test_bfloat16_without_ml_dtypes_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert run_group(["run", "--dtype", "float32,bfloat16", *QUICK]) == 4
    said = capsys.readouterr().err
    assert "--dtype: bfloat16 is no dtype of NumPy's own and needs the package ml_dtypes" in said
    assert "pip install 'crosscheck[half]'" in said
    assert not Path("reports").exists()


def test_scikit_learn_is_not_asked_in_16_bits(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_group(["run", "sklearn-mlp", "--dtype", "float16", *QUICK]) == 4
    assert "scikit-learn computes in float64 and float32 alone, the case is in float16" in capsys.readouterr().err

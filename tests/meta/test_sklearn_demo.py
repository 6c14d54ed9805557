"""The demonstration: scikit-learn's regressor with several outputs is wrong by their number, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crosscheck.checking import Witnesses, check
from crosscheck.cli import run_group
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Verdict
from crosscheck.store import runs
from crosscheck.strategies.by_index import Source
from crosscheck.subjects import sklearn_draws
from crosscheck.subjects.sklearn_mlp import RECIPES, Recipe, SklearnMLP

BOTH = Witnesses((TorchAutograd(),), differences=True)
WRONG = "MLPRegressor, several outputs"


@pytest.mark.thorough
def test_the_run_fails_and_names_the_number_of_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        run_group(
            [
                "run",
                "sklearn-mlp",
                "--max-examples",
                "40",
                "--points",
                "2",
                "--oracles",
                "torch,differences",
                "--no-progress",
            ]
        )
        == 1
    )
    (finding,) = runs.read(runs.latest(Path("reports"))).run.findings
    sentence = (
        f"the gradient is the true one times the number of outputs (2 in the smallest), in all {finding.count} cases"
    )
    assert sentence in finding.diagnosis
    assert finding.count > 1
    assert finding.architecture == "x[1,1] -> dense(1) -> identity -> dense(2) -> mse(scale=0.5)"
    assert finding.odd_one_out == "subject"
    assert sentence in re.sub(r"\s+", " ", capsys.readouterr().out)


@pytest.mark.thorough
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.label)
def test_each_estimator_agrees_but_one(recipe: Recipe) -> None:
    source = Source(sklearn_draws.cases([recipe], points=2), 0)
    subject = SklearnMLP()
    found = {check(case, subject, BOTH).verdict for case in map(source.case, range(8)) if case is not None}
    if recipe.label == WRONG:
        assert found == {Verdict.DISAGREES}
    else:
        assert Verdict.AGREES in found
        assert found <= {Verdict.AGREES, Verdict.UNDECIDABLE}

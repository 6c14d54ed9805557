"""The doctor asks every oracle a question with a known answer."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from crosscheck import calling
from crosscheck.cli import run_group
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import Case, Reference
from crosscheck.spec.dtypes import DTYPES
from crosscheck.spec.errors import OracleUnavailable
from crosscheck.subjects import named
from crosscheck.subjects.builtin import Builtin


def missing() -> Any:
    raise OracleUnavailable("oracle jax: jax cannot be imported here; install crosscheck[jax]")


class Broken(TorchAutograd):
    def references(self, case: Case) -> Reference:
        found = super().references(case)
        found.gradients.by_input["x"][:] = 5.0
        return found


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only torch, and no jax: importing it takes seconds."""
    monkeypatch.setattr(calling, "MAKERS", {"torch": TorchAutograd, "jax": missing})
    monkeypatch.setattr(named, "ADAPTERS", {"builtin": Builtin, "jax": missing})


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_what_works_and_what_is_missing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_group(["doctor"]) == 0
    said = lines(capsys)
    assert "  torch         works" in said
    assert "  jax           missing: jax cannot be imported here; install crosscheck[jax]" in said
    assert f"  builtin       works, {len(Builtin().supports)} operations" in said
    assert any(line.startswith("  numpy  ") for line in said)


def test_without_flint_it_says_what_is_lost_and_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "MAKERS", {"ball": Ball, "torch": TorchAutograd})
    monkeypatch.setitem(sys.modules, "flint", None)
    assert run_group(["doctor"]) == 0
    (said,) = [line for line in lines(capsys) if line.startswith("  ball ")]
    assert said.startswith("  ball          missing: flint cannot be imported here (")
    assert "no gradient can be held against certified truth, and at a kink nothing can be decided" in said
    assert said.endswith("install it with pip install 'crosscheck[ball]'")


def test_the_dtypes_that_work_here_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_group(["doctor"]) == 0
    assert [f"  {name:<14}works" for name in DTYPES] == lines(capsys)[-4:]
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert run_group(["doctor"]) == 0
    *known, last = lines(capsys)[-4:]
    assert known == [f"  {name:<14}works" for name in DTYPES[:3]]
    assert last.startswith("  bfloat16      missing: dtypes: bfloat16 is no dtype of NumPy's own and needs the package")
    assert last.endswith("install it with pip install 'crosscheck[half]'")


def test_with_no_framework_the_doctor_exits_5(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "MAKERS", {"torch": missing, "jax": missing})
    assert run_group(["doctor"]) == 5
    assert lines(capsys)[-1] == ("no framework can be asked: a run exits 5 unless --oracles differences is asked for")


def test_a_framework_that_answers_wrongly_does_not_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "MAKERS", {"torch": Broken, "jax": missing})
    assert run_group(["doctor"]) == 5
    assert "  torch         BROKEN: d(x²)/dx at 3 is 6, it says 5.0" in lines(capsys)

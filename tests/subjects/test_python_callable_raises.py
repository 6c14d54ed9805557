"""A user's function that raises: a finding about it, told by type, text and the user's own line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crosscheck.spec import Architecture, Case, ContractBroken, Point, parse
from crosscheck.subjects.python_callable import PythonCallable

HERE = Path(__file__).relative_to(Path.cwd()) if Path(__file__).is_relative_to(Path.cwd()) else Path(__file__)
CASE = Case(parse("x[2] -> tanh -> sse"), {}, {"x": np.ones((3, 2))}, np.ones((3, 2)))


def breach(fn: Callable[..., Any]) -> ContractBroken:
    with pytest.raises(ContractBroken) as caught:
        PythonCallable(fn).gradients(CASE)
    return caught.value


def raising(error: BaseException) -> Callable[..., Any]:
    def fn(_architecture: Architecture, _point: Point) -> Any:
        raise error

    return fn


RAISED_IN = f"{HERE}:{raising.__code__.co_firstlineno + 2} (fn)"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (SystemExit(0), "SystemExit: 0"),
        (AssertionError(), "AssertionError"),
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (ValueError("x" * 400), f"ValueError: {'x' * 287}…"),
    ],
)
def test_what_it_raises_is_a_breach(error: BaseException, text: str) -> None:
    found = breach(raising(error))
    assert str(found) == f"subject raised {text} at point 0, {RAISED_IN}"
    assert (found.rule, found.point, found.tensor) == ("raised", 0, None)
    assert found.__cause__ is error


def test_the_line_named_is_the_users_own() -> None:
    def fn(_architecture: Architecture, _point: Point) -> Any:
        return json.loads("{")

    line = fn.__code__.co_firstlineno + 1
    message = "subject raised json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
    message += f"line 1 column 2 (char 1) at point 0, {HERE}:{line} (fn)"
    assert str(breach(fn)) == message


def test_a_wrong_signature_is_told_as_such() -> None:
    def fn(_everything: object) -> Any:
        return None

    name = "test_a_wrong_signature_is_told_as_such.<locals>.fn()"
    message = f"subject raised TypeError: {name} takes 1 positional argument but 2 were given at point 0, "
    assert str(breach(fn)) == message + "in the call fn(architecture, point) itself"


def test_an_exception_whose_text_cannot_be_had() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    text = f"{Mute.__module__}.{Mute.__qualname__}: <exception str() failed>"
    assert str(breach(raising(Mute()))) == f"subject raised {text} at point 0, {RAISED_IN}"


def test_an_interrupt_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        PythonCallable(raising(KeyboardInterrupt())).gradients(CASE)


def test_an_installed_callable_is_its_own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages"
    package.mkdir()
    (package / "installed_net.py").write_text("def fn(architecture, point):\n    return 1 / 0\n")
    monkeypatch.syspath_prepend(package)
    monkeypatch.chdir(tmp_path)
    fn = __import__("installed_net").fn
    monkeypatch.delitem(sys.modules, "installed_net")
    where = "site-packages/installed_net.py:2 (fn)"
    assert str(breach(fn)) == f"subject raised ZeroDivisionError: division by zero at point 0, {where}"

"""A subject is asked for networks of the operations that were named, and no others, while a failure is cut down too."""

from __future__ import annotations

import pytest
from builders import as_callable

from crosscheck.mutants import mutants
from crosscheck.mutants.changes import loss
from crosscheck.session import Settings, verify
from crosscheck.spec import Architecture, Point, Subject
from crosscheck.subjects.builtin import Builtin
from crosscheck.subjects.planted import Planted
from crosscheck.subjects.python_callable import PythonCallable

BY_NAME = {mutant.name: mutant for mutant in mutants()}
HALF = Builtin({**Builtin().rows, "mse": loss("mse", lambda sound, a, y: (0.5 * sound[0],))})


@pytest.mark.parametrize(
    ("subject", "ops"),
    [
        (HALF, ("dense", "sigmoid", "mse")),
        (Planted(BY_NAME["fork: = for +="]), ("dense", "tanh", "concat", "sse")),
    ],
)
def test_no_operation_is_asked_for_that_was_not_named(subject: Subject, ops: tuple[str, ...]) -> None:
    sound, asked = as_callable(subject), set[str]()

    def backprop(architecture: Architecture, point: Point) -> object:
        asked.update(architecture.ops)
        return sound(architecture, point)

    outcome = verify(Settings(PythonCallable(backprop), examples=25, points=4, oracles=("ball",), ops=ops))
    assert outcome.run_file.run.exit.code == 1
    assert asked == set(ops)
    assert {finding.verdict for finding in outcome.run_file.run.findings} == {"DISAGREES"}

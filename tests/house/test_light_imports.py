"""Importing crosscheck, and asking it for help, loads nothing heavy; no witness loads another."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "jax", "jaxlib", "flint", "sklearn", "hypothesis", "scipy", "rich", "jinja2", "latex2mathml"}
SHOW = "import json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
HELP = "from crosscheck.cli import run_group; code = run_group({!r}); assert code == 0, code"


def loaded(program: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after this program."""
    command = [sys.executable, "-c", f"{program}\n{SHOW}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return set(json.loads(found.stdout.splitlines()[-1]))


def assert_loads_none_of(program: str, heavy: set[str]) -> None:
    found = loaded(program) & heavy
    assert not found, f"{program!r} loads {', '.join(sorted(found))}"


def test_importing_crosscheck_loads_nothing() -> None:
    assert_loads_none_of("import crosscheck", {*HEAVY, "numpy", "msgspec", "click", "crosscheck.spec"})


def test_reading_an_architecture_loads_nothing_heavy() -> None:
    assert_loads_none_of("import crosscheck; crosscheck.parse('x[3] -> sse'); crosscheck.Case", HEAVY)


def test_help_loads_nothing_heavy() -> None:
    assert_loads_none_of(HELP.format(["--help"]), HEAVY)


def test_the_help_of_a_run_loads_no_framework() -> None:
    assert_loads_none_of(HELP.format(["run", "--help"]), {"torch", "jax", "jaxlib", "flint", "sklearn"})


def test_the_help_of_a_self_test_loads_nothing_heavy() -> None:
    assert_loads_none_of(HELP.format(["selftest", "--help"]), HEAVY)


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("crosscheck.backprop.network", {"torch", "jax", "hypothesis", "crosscheck.oracles"}),
        ("crosscheck.backprop.textbook", {"torch", "jax", "numpy", "scipy", "crosscheck.spec"}),
        ("crosscheck.tolerance.bounds", {"torch", "jax", "hypothesis", "crosscheck.oracles"}),
        ("crosscheck.oracles.torch_autograd.walk", {"jax", "crosscheck.backprop", "crosscheck.oracles.jax_grad"}),
        ("crosscheck.oracles.jax_grad.walk", {"torch", "crosscheck.backprop", "crosscheck.oracles.torch_autograd"}),
        ("crosscheck.oracles.ball", {"torch", "jax", "flint", "scipy", "crosscheck.backprop"}),
        ("crosscheck.oracles.ball.certify", {"torch", "jax", "scipy", "crosscheck.backprop"}),
        ("crosscheck.report.html", {"torch", "jax", "hypothesis"}),
        ("crosscheck.report.selftest", {"torch", "jax", "hypothesis", "crosscheck.mutants"}),
        ("crosscheck.session", {"torch", "jax", "flint", "sklearn"}),
    ],
)
def test_no_room_loads_what_it_must_not_know(module: str, others: set[str]) -> None:
    assert_loads_none_of(f"import {module}", others)


def test_a_heavy_import_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"^'import hypothesis' loads hypothesis"):
        assert_loads_none_of("import hypothesis", HEAVY)

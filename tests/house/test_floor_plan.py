"""The floor plan and the contracts name every room there is, and nothing in the tree knows one machine."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "crosscheck"


def rooms() -> list[str]:
    """Modules and packages directly under crosscheck/."""
    packages = [f"{p.parent.name}/" for p in PACKAGE.glob("*/__init__.py")]
    return sorted([*packages, *(p.name for p in PACKAGE.glob("*.py") if p.name != "__init__.py")])


def unnamed(names: Iterable[str], plan: str) -> list[str]:
    """The rooms that the plan does not mention as `room/` or `room.py`."""
    return [name for name in names if f"`{name}`" not in plan]


def test_the_floor_plan_names_every_room() -> None:
    assert len(rooms()) > 10
    assert unnamed(rooms(), (PACKAGE / "README.md").read_text()) == []


def test_the_floor_plan_names_no_room_that_is_gone() -> None:
    table = [line for line in (PACKAGE / "README.md").read_text().splitlines() if re.match(r"\| \d+ ", line)]
    named = [name for line in table for name in re.findall(r"`([^`]+)`", line.split("|")[2])]
    assert named
    assert set(named) <= set(rooms())


def test_a_room_that_is_not_named_is_found() -> None:
    assert unnamed(["spec/", "attic.py"], "| 0 | `spec/` | and an attic |") == ["attic.py"]


def test_the_contract_of_the_floors_holds_every_room() -> None:
    """import-linter says nothing of a module that its layers do not list."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    floors = next(c for c in contracts if c["type"] == "layers")["layers"]
    listed = {name.strip().removeprefix("crosscheck.") for floor in floors for name in floor.split("|")}
    there = {name.removesuffix("/").removesuffix(".py") for name in rooms()} - {"__main__"}
    assert listed == there


def test_the_contract_of_independence_holds_every_witness() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    modules = next(c for c in contracts if c["type"] == "independence")["modules"]
    oracles = {f"crosscheck.oracles.{p.parent.name}" for p in (PACKAGE / "oracles").glob("*/__init__.py")}
    assert set(modules) == {*oracles, "crosscheck.backprop"}


# A folder of somebody's machine; system folders such as /usr and /tmp are everybody's.
MACHINE = re.compile(r"(?<![\w.<])/(?:home|root|Users|work|mnt|opt|tmp/venv)/\w|\b[A-Z]:\\\w")
GENERATED = {"__pycache__", "node_modules"}
TEXT = {".py", ".md", ".toml", ".txt", ".j2", ".css", ".js", ".json", ".yml", ".yaml", ".cfg", ".ini", ".sh", ""}


def sources() -> Iterator[Path]:
    """What is written by hand: the package, the tests, and the files beside them."""
    yield from (p for p in ROOT.iterdir() if p.is_file() and p.name != ".git")  # of a worktree it is a file
    for folder in ("crosscheck", "tests", ".ci"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not GENERATED & set(path.parts):
                yield path


def machine_paths(text: str) -> list[str]:
    return MACHINE.findall(text)


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = [p for p in sources() if p.suffix in TEXT and p.name != Path(__file__).name]
    assert len(found) > 100
    assert [str(p.relative_to(ROOT)) for p in found if machine_paths(p.read_text())] == []


@pytest.mark.parametrize("path", ["/home/ann/crosscheck", "see /Users/ann/x", '"C:\\temp"', "(/opt/tool)"])
def test_a_path_of_a_machine_is_found(path: str) -> None:
    assert machine_paths(path)


@pytest.mark.parametrize("path", ["/usr/bin/env", "https://x.org/home/page", "reports/work/run", "n/root/n", "</root>"])
def test_what_is_no_path_of_a_machine(path: str) -> None:
    assert not machine_paths(path)

"""A subject by its name: modules, files, and everything that can be wrong with a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosscheck.spec.errors import UsageError
from crosscheck.subjects.loading import load

NET = "import nets_helper\n\n\ndef backprop(architecture, point):\n    return nets_helper.LOSS, {}\n\n\nNUMBER = 3\n"
NET += "\n\nclass Nets:\n    @staticmethod\n    def backprop(architecture, point):\n        return 1.0, {}\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current directory; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    before = set(sys.modules)
    (tmp_path / "nets_package").mkdir()
    (tmp_path / "nets_package" / "__init__.py").write_text("")
    (tmp_path / "nets_package" / "deep.py").write_text(NET)
    (tmp_path / "nets.py").write_text(NET)
    (tmp_path / "nets_helper.py").write_text("LOSS = 2.0\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("nets", "subject_")):
            del sys.modules[name]


@pytest.mark.parametrize(
    "text", ["nets:backprop", "nets_package.deep:backprop", "nets.py:backprop", "nets_package/deep.py:backprop"]
)
def test_a_callable_is_loaded_under_its_name(text: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(directory)  # the helper, where only the package's own directory is searched
    subject = load(text)
    assert subject.name == text
    assert subject.fn(None, None) == (2.0, {})  # type: ignore[arg-type]


def test_the_current_directory_is_importable(directory: Path) -> None:
    assert str(directory) not in sys.path
    load("nets:backprop")
    assert sys.path[0] == str(directory)
    load("nets:backprop")
    assert sys.path.count(str(directory)) == 1


def test_a_file_finds_what_stands_beside_it(directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load("../nets.py:backprop").fn(None, None) == (2.0, {})  # type: ignore[arg-type]


def test_a_file_is_read_again_when_it_is_loaded_again(directory: Path) -> None:
    load("nets.py:backprop")
    (directory / "nets.py").write_text("def other(architecture, point):\n    return 5.0, {}\n")
    assert load("nets.py:other").fn(None, None) == (5.0, {})  # type: ignore[arg-type]


def test_an_attribute_may_be_dotted() -> None:
    assert load("nets:Nets.backprop").fn(None, None) == (1.0, {})  # type: ignore[arg-type]


FORMS = "write package.module:callable or path/to/file.py:callable"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nets", f"'nets' names no subject: {FORMS}"),
        ("nets:", f"'nets:' names no subject: {FORMS}"),
        (":backprop", f"':backprop' names no subject: {FORMS}"),
        ("nets:back prop", f"'nets:back prop' names no subject: {FORMS}"),
        ("..nets:backprop", f"subject '..nets:backprop': '..nets' is no module's name: {FORMS}"),
        ("my/nets:backprop", f"subject 'my/nets:backprop': 'my/nets' is no module's name: {FORMS}"),
        (
            "notes:backprop",
            "subject 'notes:backprop': there is no module notes, neither installed nor below the current directory",
        ),
        (
            "nets_package.shallow:backprop",
            "subject 'nets_package.shallow:backprop': there is no module nets_package.shallow, neither installed nor "
            "below the current directory",
        ),
        (
            "nets.deep:backprop",
            "subject 'nets.deep:backprop': there is no module nets.deep, neither installed nor below the current "
            "directory",
        ),
        ("no/nets.py:backprop", "subject 'no/nets.py:backprop': there is no file no/nets.py"),
        (
            "nets:backpropp",
            "subject 'nets:backpropp': nets has no attribute 'backpropp'; did you mean backprop?",
        ),
        ("nets.py:zzz", "subject 'nets.py:zzz': nets.py has no attribute 'zzz'"),
        ("nets:NUMBER", "subject 'nets:NUMBER': NUMBER of nets is of type int, which cannot be called"),
    ],
)
def test_a_name_that_names_nothing(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(text)
    assert str(caught.value) == message


BROKEN = {
    "1 / 0\n": "ZeroDivisionError: division by zero, nets_broken.py:1 (<module>)",
    "\nimport nowhere\n": "ModuleNotFoundError: No module named 'nowhere', nets_broken.py:2 (<module>)",
    "import sys\n\nsys.exit(0)\n": "SystemExit: 0, nets_broken.py:3 (<module>)",
    "x = 1\ndef (:\n": "SyntaxError: invalid syntax, nets_broken.py:2",
    "import json\n\njson.loads('nul')\n": (
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0), nets_broken.py:3 (<module>)"
    ),
}


@pytest.mark.parametrize("source", ["nets_broken", "nets_broken.py"])
@pytest.mark.parametrize(("code", "told"), BROKEN.items())
def test_a_module_that_raises_is_told_by_type_and_line(directory: Path, source: str, code: str, told: str) -> None:
    (directory / "nets_broken.py").write_text(code)
    with pytest.raises(UsageError) as caught:
        load(f"{source}:backprop")
    assert str(caught.value) == f"subject '{source}:backprop': importing {source} raised {told}"
    assert "subject_nets_broken" not in sys.modules


def test_an_interrupt_while_importing_passes(directory: Path) -> None:
    (directory / "nets_broken.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load("nets_broken:backprop")

"""A subject by its name on the command line: `package.module:callable` or `path/to/file.py:callable`."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from crosscheck.spec.errors import UsageError
from crosscheck.subjects.python_callable import PythonCallable, raised_at, told

FORMS = "write package.module:callable or path/to/file.py:callable"


def load(text: str) -> PythonCallable:
    """The callable that the text names, as a subject of that name.

    The current directory is importable, as under `python -m`; for a file its own directory is, as under
    `python file.py`. Raises UsageError where there is no such module, file or attribute, where importing it
    raises, and where what it names cannot be called.
    """
    source, colon, attribute = text.rpartition(":")
    if not colon or not source or not all(part.isidentifier() for part in attribute.split(".")):
        raise UsageError(f"{text!r} names no subject: {FORMS}")
    place = f"subject {text!r}"
    module = _from_file(Path(source), place) if source.endswith(".py") else _from_module(source, place)
    found: Any = module
    for name in attribute.split("."):
        found = _attribute(found, name, source, place)
    if not callable(found):
        raise UsageError(f"{place}: {attribute} of {source} is of type {type(found).__name__}, which cannot be called")
    return PythonCallable(found, name=text)


def _from_module(name: str, place: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{place}: {name!r} is no module's name: {FORMS}")
    _make_importable(Path.cwd())
    importlib.invalidate_caches()
    # Importing runs foreign code, which may raise anything; it is the user's to see, by type and line.
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and (name == missing or name.startswith(f"{missing}.")):
            reason = f"there is no module {missing}, neither installed nor below the current directory"
            raise UsageError(f"{place}: {reason}") from error
        raise _not_imported(error, name, place) from error


def _from_file(path: Path, place: str) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"{place}: there is no file {path}")
    _make_importable(path.resolve().parent)
    importlib.invalidate_caches()
    name = f"subject_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"{place}: {path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # foreign code, as above
        del sys.modules[name]
        raise _not_imported(error, str(path), place) from error
    return module


def _not_imported(error: BaseException, source: str, place: str) -> UsageError:
    at = raised_at(error)
    return UsageError(f"{place}: importing {source} raised {told(error)}" + (f", {at}" if at else ""))


def _make_importable(directory: Path) -> None:
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))


def _attribute(owner: Any, name: str, source: str, place: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError as error:
        near = difflib.get_close_matches(name, dir(owner), n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"{place}: {source} has no attribute {name!r}{hint}") from error

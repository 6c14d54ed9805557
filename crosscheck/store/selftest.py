"""The self-test on disk: `selftest.json`, in the folder of reports."""

from __future__ import annotations

from pathlib import Path

from crosscheck.spec.errors import UsageError
from crosscheck.spec.kills import FILE, SelftestFile
from crosscheck.store.runs import replace


def write(file: SelftestFile, reports: Path) -> Path:
    """Write `reports/selftest.json`, whole or not at all, and return its path."""
    return write_to(file, reports / FILE)


def write_to(file: SelftestFile, path: Path) -> Path:
    """Write the record under another name.

    Raises SpecError for what could not be read back, and UsageError where the file cannot be written.
    """
    data = file.to_json()
    SelftestFile.from_json(data, str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, data)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    return path

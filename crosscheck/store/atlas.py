"""The atlas of accuracy on disk: `accuracy.json`, in the folder of reports."""

from __future__ import annotations

from pathlib import Path

from crosscheck.spec.atlas import FILE, AtlasFile
from crosscheck.spec.errors import UsageError
from crosscheck.store.runs import replace


def write(file: AtlasFile, reports: Path) -> Path:
    """Write `reports/accuracy.json`, whole or not at all, and return its path.

    Raises SpecError for what could not be read back, and UsageError where the file cannot be written.
    """
    path = reports / FILE
    data = file.to_json()
    AtlasFile.from_json(data, str(path))
    try:
        reports.mkdir(parents=True, exist_ok=True)
        replace(path, data)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    return path

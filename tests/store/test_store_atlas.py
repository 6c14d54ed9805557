"""The atlas on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from report import atlas_example

from crosscheck.spec.atlas import AtlasFile
from crosscheck.spec.errors import SpecError, UsageError
from crosscheck.store import atlas


def test_it_stands_in_the_folder_of_reports(tmp_path: Path) -> None:
    path = atlas.write(atlas_example.FILE, tmp_path / "reports")
    assert path == tmp_path / "reports" / "accuracy.json"
    assert AtlasFile.load(path) == atlas_example.FILE


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    kept = atlas.write(atlas_example.FILE, tmp_path).read_bytes()
    bad = replace(atlas_example.FILE, atlas=replace(atlas_example.ATLAS, edges=(1.0, float("nan"))))
    with pytest.raises(SpecError):
        atlas.write(bad, tmp_path)
    assert (tmp_path / "accuracy.json").read_bytes() == kept
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_the_asker_s(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file.*accuracy\.json: cannot be written"):
        atlas.write(atlas_example.FILE, tmp_path / "file" / "reports")

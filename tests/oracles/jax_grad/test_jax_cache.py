"""The disk cache: where it is, that it is used, and that nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from crosscheck.oracles.jax_grad import cache

NAMES = (*cache.SETTINGS, "jax_compilation_cache_dir")


def compile_something(factor: float) -> None:
    assert jax.jit(lambda x: x * factor)(np.ones(3, np.float32))[0] == np.float32(factor)


def settings() -> dict[str, object]:
    return {name: getattr(jax.config, name) for name in NAMES}


def files(place: Path) -> int:
    return sum(path.is_file() for path in place.rglob("*"))


@pytest.fixture
def users_cache(tmp_path: Path) -> Iterator[Path]:
    before = settings()
    cache._switch({**cache.SETTINGS, "jax_compilation_cache_dir": str(tmp_path / "users")})
    yield tmp_path / "users"
    cache._switch(before)


def test_directory_is_the_users_own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CROSSCHECK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    place = cache.directory()
    assert place is not None
    assert place.parent == tmp_path / "xdg" / "crosscheck" / f"jax-{jax.__version__}"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    place = cache.directory()
    assert place is not None
    assert place.parent == tmp_path / ".cache" / "crosscheck" / f"jax-{jax.__version__}"


def test_variable_names_a_directory_or_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", str(tmp_path))
    place = cache.directory()
    assert place is not None
    assert place.parent.parent == tmp_path
    monkeypatch.setenv("CROSSCHECK_CACHE", "off")
    assert cache.directory() is None


def test_kernels_land_on_disk_and_settings_are_put_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", str(tmp_path))
    before = settings()
    with cache.on_disk():
        compile_something(3.125)
    assert settings() == before
    written = files(tmp_path)
    assert written > 0
    compile_something(4.125)  # outside: a user's own program
    assert files(tmp_path) == written


def test_settings_are_put_back_after_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", str(tmp_path))
    before = settings()
    with pytest.raises(ZeroDivisionError), cache.on_disk():
        compile_something(1 / 0)
    assert settings() == before


def test_users_cache_is_used_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, users_cache: Path) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", str(tmp_path / "ours"))
    before = settings()
    with cache.on_disk():
        assert settings() == before
        compile_something(5.125)
    assert files(users_cache) > 0
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("value", ["off", "file"])
def test_works_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CROSSCHECK_CACHE", "off" if value == "off" else str(tmp_path / "file"))
    before = settings()
    with cache.on_disk():
        assert settings() == before
        compile_something(6.125)
    assert files(tmp_path) == 1


def test_torn_files_are_compiled_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CROSSCHECK_CACHE", str(tmp_path))
    with cache.on_disk():
        compile_something(7.125)
    for path in tmp_path.rglob("*-cache"):
        path.write_bytes(b"torn")
    jax.clear_caches()
    with cache.on_disk():
        compile_something(7.125)

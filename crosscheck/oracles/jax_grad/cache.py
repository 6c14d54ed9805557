"""XLA's compiled kernels, kept on disk between runs.

JAX's own compilation cache, in a directory of ours, switched on only while one of our kernels is compiled
(switching costs about 4 µs) and then put back: a user's programs never land in it, and a cache that the
user has configured is used instead of ours, as it is.

`CROSSCHECK_CACHE` names another directory, or is `off`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import jax
from jax.experimental.compilation_cache.compilation_cache import reset_cache

VARIABLE = "CROSSCHECK_CACHE"
# No minimum of time or size: each kernel is small, and there are a hundred of them.
SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}

_LOCK = threading.RLock()  # JAX's settings belong to the whole process


def directory() -> Path | None:
    """Where the kernels are kept: by version of JAX and by processor. None where the cache is off."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen == "off":
        return None
    root = Path(chosen) if chosen else _user_cache()
    return None if root is None else root / f"jax-{jax.__version__}" / _processor()


@contextmanager
def on_disk() -> Iterator[None]:
    """What is compiled inside is read from the disk, or written there. Without a usable directory: neither."""
    with _LOCK:
        place = directory()
        users_own = jax.config.jax_compilation_cache_dir is not None or not jax.config.jax_enable_compilation_cache
        if users_own or place is None or not _usable(place):
            yield
            return
        wanted = SETTINGS | {"jax_compilation_cache_dir": str(place)}
        before = {name: getattr(jax.config, name) for name in wanted}
        _switch(wanted)
        try:
            with warnings.catch_warnings():
                # A full disk or a torn file: JAX warns, and compiles.
                warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
                yield
        finally:
            _switch(before)


def _switch(settings: Mapping[str, object]) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)
    reset_cache()  # JAX reads its settings only once, at the first compilation


def _user_cache() -> Path | None:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # the XDG specification: a relative path is to be ignored
        return Path(base) / "crosscheck"
    try:
        return Path.home() / ".cache" / "crosscheck"
    except RuntimeError:  # no home
        return None


@functools.lru_cache(maxsize=8)
def _usable(place: Path) -> bool:
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK)


@functools.cache
def _processor() -> str:
    """A name for this kind of processor: kernels compiled for another one may not run here."""
    features = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    features += next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:12]}"

"""Where a run took place, and with what: versions and the machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform

from crosscheck import __version__

# Distribution and module.
PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "hypothesis": "hypothesis",
    "torch": "torch",
    "jax": "jax",
    "python-flint": "flint",
    "scikit-learn": "sklearn",
}


def versions() -> dict[str, str]:
    """Versions of what took part, read without importing it."""
    found = {"crosscheck": __version__, "python": platform.python_version()}
    for name, module in PACKAGES.items():
        if importlib.util.find_spec(module) is not None:
            found[name] = importlib.metadata.version(name)
    return found


def environment() -> dict[str, str]:
    return {
        "os": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cores": str(os.cpu_count() or 1),
    }

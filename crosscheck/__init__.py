"""crosscheck verifies hand-written backpropagation.

Public names are resolved when they are first used: importing crosscheck imports neither torch nor jax nor
hypothesis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosscheck.api import GradientMismatch, NothingVerified, Summary, check, check_case, check_vjp
    from crosscheck.spec import Architecture, Case, Gradients, Point, SpecError, parse
    from crosscheck.spec.errors import CrosscheckError, UsageError

__version__ = "0.1.0"

__all__ = [
    "Architecture",
    "Case",
    "CrosscheckError",
    "GradientMismatch",
    "Gradients",
    "NothingVerified",
    "Point",
    "SpecError",
    "Summary",
    "UsageError",
    "check",
    "check_case",
    "check_vjp",
    "parse",
]

_HOMES = {
    "crosscheck.api": ("GradientMismatch", "NothingVerified", "Summary", "check", "check_case", "check_vjp"),
    "crosscheck.spec": ("Architecture", "Case", "CrosscheckError", "Gradients", "Point", "SpecError", "parse"),
    "crosscheck.spec.errors": ("UsageError",),
}


def __getattr__(name: str) -> Any:
    import importlib

    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'crosscheck' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

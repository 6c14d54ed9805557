"""Subjects by the name that is typed: the built-in, an adapter, or a callable."""

from __future__ import annotations

from collections.abc import Callable

from crosscheck.spec.protocols import Subject
from crosscheck.subjects.builtin import Builtin


def _torch() -> Subject:
    from crosscheck.subjects import frameworks

    return frameworks.torch()


def _jax() -> Subject:
    from crosscheck.subjects import frameworks

    return frameworks.jax()


def _sklearn() -> Subject:
    from crosscheck.subjects.sklearn_mlp import SklearnMLP

    return SklearnMLP()


ADAPTERS: dict[str, Callable[[], Subject]] = {
    "builtin": Builtin,
    "torch": _torch,
    "jax": _jax,
    "sklearn-mlp": _sklearn,
}


def subject_named(text: str) -> Subject:
    """The adapter of that name, else the callable; raises UsageError where there is neither."""
    if text in ADAPTERS:
        return ADAPTERS[text]()
    if ":" not in text:
        from crosscheck.spec.errors import UsageError

        raise UsageError(
            f"subject {text!r} is no adapter ({', '.join(ADAPTERS)}); "
            "a callable is written package.module:callable or path/to/file.py:callable"
        )
    from crosscheck.subjects.loading import load

    return load(text)

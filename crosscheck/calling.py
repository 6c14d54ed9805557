"""Calling the witnesses: which oracles there are, which of them are installed, and what must be said of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crosscheck.checking import DIFFERENCES, Certify, Witnesses
from crosscheck.spec.errors import OracleUnavailable, UsageError
from crosscheck.spec.protocols import Oracle

ORACLES = ("ball", "torch", "jax", DIFFERENCES)


def _ball() -> Oracle:
    from crosscheck.oracles.ball import Ball

    return Ball()


def _torch() -> Oracle:
    from crosscheck.oracles.torch_autograd import TorchAutograd

    return TorchAutograd()


def _jax() -> Oracle:
    from crosscheck.oracles.jax_grad import JaxGrad

    return JaxGrad()


MAKERS: dict[str, Callable[[], Oracle]] = {"ball": _ball, "torch": _torch, "jax": _jax}


@dataclass(frozen=True)
class Called:
    """The witnesses that came, and what must be said of those that did not."""

    witnesses: Witnesses
    warnings: tuple[str, ...]
    only_differences_left: bool


def call_witnesses(asked: tuple[str, ...] | None, framework: str | None, certify: Certify = "every") -> Called:
    """The oracles by name. Raises OracleUnavailable where one that was asked for is not installed.

    A framework that is the subject is no witness to itself.
    """
    for name in asked or ():
        if name not in ORACLES:
            raise UsageError(f"--oracles: {name!r} is no oracle; the oracles are {', '.join(ORACLES)}")
        if name == framework:
            raise UsageError(f"--oracles: {name} is the subject of this run and no witness to itself")
    oracles: list[Oracle] = []
    warnings: list[str] = []
    for name in MAKERS:
        if name == framework:
            continue
        if asked is None or name in asked:
            try:
                oracles.append(MAKERS[name]())
            except OracleUnavailable as missing:
                if asked is not None:
                    raise
                warnings.append(f"oracle {name} is missing: {missing.reason}")
    differences = asked is None or DIFFERENCES in asked
    if not oracles and not differences:
        raise UsageError("--oracles names no oracle; name at least one of " + ", ".join(ORACLES))
    alone = asked is None and not oracles
    return Called(Witnesses(tuple(oracles), differences, certify), tuple(warnings), alone)

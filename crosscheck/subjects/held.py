"""What every subject is held to before and beside any comparison: the shape of its answer, and that it is a function.

Asked twice it answers the same bits; and where the loss is a cotangent c, its gradients are linear in c. It cannot
change its inputs: those of a case are read-only, and a callable's copies are looked at afterwards.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crosscheck.spec.case import Case
from crosscheck.spec.dtypes import as_stored
from crosscheck.spec.errors import ContractBroken, CrosscheckError
from crosscheck.spec.protocols import Subject
from crosscheck.spec.result import Array, Gradients

# Times a power of two nothing is rounded anew; the sign is where many forget one.
FACTOR = -2.0


def held_to_contract(subject: Subject, case: Case) -> Gradients:
    """The subject's answer, with the arrays that a stacked answer must have. Raises ContractBroken.

    Gradients of the inputs may be left out, all or some; those of the parameters may not.
    """
    try:
        claimed = subject.gradients(case)
    except (ContractBroken, CrosscheckError):
        raise
    except Exception as error:
        # Foreign code, or rules that were replaced: what it raises is a finding about it.
        raise ContractBroken(f"subject raised {type(error).__name__}: {error}", rule="raised") from error
    architecture = case.architecture
    missing = sorted(set(architecture.param_shapes) - set(claimed.by_param))
    unknown = sorted(set(claimed.by_param) - set(architecture.param_shapes))
    unknown += sorted(set(claimed.by_input) - set(architecture.float_inputs))
    if missing or unknown:
        said = [f"{word} {', '.join(names)}" for word, names in (("lacks", missing), ("has unknown", unknown)) if names]
        raise ContractBroken(f"subject's answer {' and '.join(said)}", rule="keys")
    shapes = dict(architecture.param_shapes) | {i.name: i.shape for i in architecture.inputs}
    for name, values in claimed.tensors():
        wanted = (case.n_points, *shapes[name])
        if not isinstance(values, np.ndarray) or values.shape != wanted:
            found = values.shape if isinstance(values, np.ndarray) else type(values).__name__
            raise ContractBroken(
                f"subject returned {name} as {found}, must be an array of shape {wanted}", rule="shape", tensor=name
            )
        if values.dtype != case.dtype:
            raise ContractBroken(
                f"subject returned {name} in {values.dtype}, the case is in {case.dtype}", rule="dtype", tensor=name
            )
    if np.shape(claimed.loss) != (case.n_points,):
        raise ContractBroken(
            f"subject returned losses of shape {np.shape(claimed.loss)}, must be ({case.n_points},)", rule="loss"
        )
    return claimed


def asked_twice(subject: Subject, case: Case, claimed: Gradients) -> None:
    """Raises ContractBroken where a second call gives other bits. Who asks its points twice itself is not asked."""
    if getattr(subject, "asks_twice", False):
        return
    again = held_to_contract(subject, case)
    for name, first in (*claimed.tensors(), ("the loss", claimed.loss)):
        second = again.loss if name == "the loss" else again[name]
        differ = (_bits(first) != _bits(second)) & ~(np.isnan(first) & np.isnan(second))
        if differ.any():
            place = tuple(int(i[0]) for i in np.nonzero(differ))
            raise ContractBroken(
                f"subject answered {name}{list(place)} differently when it was asked twice: "
                f"{float(first[place])!r}, then {float(second[place])!r}",
                rule="nondeterministic",
                point=place[0],
                tensor=None if name == "the loss" else name,
            )


def _bits(array: Array) -> Array:
    stored = as_stored(np.ascontiguousarray(array))
    return stored.view(f"u{stored.dtype.itemsize}")


def linear_in_cotangent(subject: Subject, case: Case, claimed: Gradients, bounds: Gradients) -> None:
    """Asks point 0 again with a cotangent FACTOR times as large. Raises ContractBroken where an answer is not that.

    `bounds` is what rounding may do to the claimed gradients; the second answer has FACTOR times as much.
    """
    attributes = case.architecture.loss.attributes
    if case.architecture.loss.op != "cotangent" or attributes["l1"] or attributes["l2"]:
        return
    point = case.take([0])
    factor = point.targets.dtype.type(FACTOR)
    with np.errstate(over="ignore"):
        larger = factor * point.targets
    if not np.isfinite(larger.astype(np.float64)).all():  # beyond the dtype
        return
    asked = replace(point, targets=larger)
    again = held_to_contract(subject, asked)
    for name, first in claimed.tensors():
        with np.errstate(all="ignore"):
            expected = FACTOR * first[0].astype(np.float64)
            second = again[name][0].astype(np.float64)
            off = np.abs(second - expected)
            allowed = 2.0 * abs(FACTOR) * bounds[name][0]
        # So much larger, it or something on its way may be beyond the dtype.
        wrong = np.isfinite(expected) & np.isfinite(second) & ~(off <= allowed)
        if wrong.any():
            place = tuple(int(i[0]) for i in np.nonzero(wrong)) if wrong.ndim else ()
            raise ContractBroken(
                f"subject is not linear in the cotangent: with one {FACTOR:g} times as large {name}{list(place)} is "
                f"{float(again[name][0][place])!r}, not {FACTOR:g} times {float(first[0][place])!r}",
                rule="nonlinear",
                point=0,
                tensor=name,
            )

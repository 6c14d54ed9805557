"""Errors that are the asker's: each names the value, the rule and the place."""

import re


class CrosscheckError(Exception):
    """Base of every error that crosscheck raises on purpose."""


class SpecError(CrosscheckError, ValueError):
    """What was asked is malformed: an unknown op, a shape that does not fit, a broken file."""


class UsageError(CrosscheckError):
    """The command or the call cannot be carried out as asked (exit code 4)."""


class ContractBroken(CrosscheckError):
    """A subject broke the contract of a subject: wrong shape, dtype or keys, NaN, changed inputs, raised.

    `rule` is a short name of the rule (`shape`, `dtype`, `keys`, `type`, `nan`, `mutated`,
    `nondeterministic`, `raised`, `loss`), `point` the index of the point, `tensor` the gradient concerned.
    """

    def __init__(self, message: str, *, rule: str, point: int | None = None, tensor: str | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.point = point
        self.tensor = tensor

    def __reduce__(self) -> tuple[object, ...]:
        return (_contract_broken, (str(self), self.rule, self.point, self.tensor))


def _contract_broken(message: str, rule: str, point: int | None, tensor: str | None) -> ContractBroken:
    return ContractBroken(message, rule=rule, point=point, tensor=tensor)


class OracleUnavailable(UsageError):
    """An oracle that was asked for cannot be imported here (exit code 4). The text begins with `oracle NAME: `."""

    @property
    def reason(self) -> str:
        """The text for a reader to whom the oracle has been named."""
        return re.sub(r"\Aoracle \w+: ", "", str(self))


class OracleCrashed(CrosscheckError):
    """An oracle raised while it answered (exit code 3)."""

"""What is wrong in a recurrent layer from one step to the one before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crosscheck.diagnosis.quantities import RECURRENT
from crosscheck.diagnosis.seen import Seen


def carried_back(seen: Sequence[Seen]) -> str | None:
    """The slope of the last step's input is right in every answer, and that of earlier ones is not.

    Of the last step nothing has been carried; whatever its own terms lack, its own input would lack.
    """
    wrong_before = False
    for s in seen:
        nodes, first = s.case.architecture.nodes, s.case.architecture.inputs[0].name
        if [node.op in RECURRENT for node in nodes] != [True]:
            return None
        tensor = s.tensors.get(first)
        if tensor is None or tensor.wrong[..., -1, :].any() or not np.any(tensor.decided & (tensor.true != 0)):
            return None
        wrong_before = wrong_before or bool(tensor.wrong.any())
    return (
        "right for the last step and wrong before it: what is carried back from step to step" if wrong_before else None
    )

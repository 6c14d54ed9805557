"""Which operation's forward is wrong: each is asked about by itself, with the numbers that it has in the network."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from crosscheck.checking import Witnesses, check
from crosscheck.diagnosis import local
from crosscheck.diagnosis.locate import Located
from crosscheck.diagnosis.walked import LOSS
from crosscheck.spec.allowed import Allowed
from crosscheck.spec.case import Case
from crosscheck.spec.errors import CrosscheckError, OracleCrashed
from crosscheck.spec.fault import Factor, Fault
from crosscheck.spec.protocols import Certifier, Subject
from crosscheck.spec.result import Verdict


def locate(case: Case, subject: Subject, arbiter: Certifier, ops: Collection[str] | None) -> Located | None:
    """The loss, or else the first operation of the forward pass, of which the loss of a network of it alone is wrong.

    The loss comes first, because networks of one node end in one. None where the subject answers for one network only,
    or each is right by itself.
    """
    ending = next((loss for loss in ("sse", "cotangent") if loss in (ops or ())), None)
    architecture, outputs = case.architecture, local.values_of(case)
    for node in (LOSS, *range(len(architecture.nodes))):
        if node == LOSS:
            found = local.of_loss(case, outputs)
        elif ending is None:
            continue
        else:
            found = local.of_node(case, outputs, node, np.ones_like(outputs[node]), ending)
        if found is None or not Allowed.of(ops or ()).allows(found.case.architecture):
            continue
        try:
            verdict = check(found.case, subject, Witnesses((arbiter,), differences=False)).verdict
        except OracleCrashed:
            raise
        except CrosscheckError:
            continue
        if verdict is Verdict.FORWARD_DISAGREES:
            op = architecture.loss.op if node == LOSS else architecture.nodes[node].op
            return Located(node, Fault(op, Factor.FORWARD), "each operation's forward asked for by itself")
    return None

"""What is asked, and the records that travel. No formula's code lives here."""

from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.case import Case, Point
from crosscheck.spec.errors import ContractBroken, CrosscheckError, SpecError
from crosscheck.spec.notation import parse, template, to_text
from crosscheck.spec.op import Attribute, Gap, Op
from crosscheck.spec.ops import OPS, op_named
from crosscheck.spec.protocols import HasLoss, Oracle, Subject
from crosscheck.spec.result import Bound, Gradients, Reference, Rigour, Verdict

__all__ = [
    "OPS",
    "Architecture",
    "Attribute",
    "Bound",
    "Case",
    "ContractBroken",
    "CrosscheckError",
    "Gap",
    "Gradients",
    "HasLoss",
    "Input",
    "Loss",
    "Node",
    "Op",
    "Oracle",
    "Point",
    "Reference",
    "Rigour",
    "SpecError",
    "Subject",
    "Verdict",
    "op_named",
    "parse",
    "template",
    "to_text",
]

"""Bugs of scaling and reduction: a factor too much or too few, and sums that are means, or are not taken."""

from __future__ import annotations

from crosscheck.backprop.dense import as_rows
from crosscheck.backprop.rows import Array
from crosscheck.mutants.changes import Backward, Call, layer, loss
from crosscheck.mutants.mutant import Mutant, Remembering
from crosscheck.mutants.parts import first_alone, multiplied, params, params_of, reduced, unweighted
from crosscheck.spec.case import Case
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.result import Gradients

FAMILY = "scaling and reduction"
WEIGHT, BIAS = Fault("dense", Factor.PARAM, "weight"), Fault("dense", Factor.PARAM, "bias")
OF_NORM = (Fault("layer_norm", Factor.PARAM, "weight"), Fault("layer_norm", Factor.PARAM, "bias"))


def unmasked(call: Call) -> Backward:
    p = float(call.site.attributes["p"])
    if call.site.attributes["mode"] != "training" or p == 1.0:
        return call.answer
    return (call.d_out / call.d_out.dtype.type(1.0 - p), None), {}


def masks_the_callers() -> Remembering:
    """In place: x ← x ∘ mask."""

    def remember(case: Case, gradients: Gradients) -> Gradients:
        for node in case.architecture.nodes:
            if node.op == "dropout" and len(node.inputs) == 2:
                for name in case.architecture.float_inputs:
                    case.inputs[name][...] = 0.0
        return gradients

    return remember


def rows(call: Call) -> int:
    return int(as_rows(call.d_out, len(call.site.out_shape)).shape[-2])


def of_first_row(call: Call, _g: Array) -> Array:
    return as_rows(call.d_out, len(call.site.out_shape))[..., 0, :]


def times_first_input(call: Call, _g: Array) -> Array:
    dz, a = (as_rows(of, len(shape)) for of, shape in ((call.d_out, call.site.out_shape), _input(call)))
    return (dz * a[..., :1]).sum(axis=-2)


def _input(call: Call) -> tuple[Array, tuple[int, ...]]:
    return call.inputs[0], call.site.in_shapes[0]


def of_first_row_alone(call: Call) -> Backward:
    """Where there are rows: axes before those that are normalised over."""
    rows_too = len(call.site.out_shape) > int(call.site.attributes["axes"])
    return call.again(d_out=first_alone(call)) if rows_too else call.answer


def of_first_number(call: Call, _g: Array) -> Array:
    """What the weight of a prelu gets by the first number of its input."""
    z = call.inputs[0]
    term = (z <= 0) * call.d_out * z
    return term.reshape((*term.shape[: call.lead], -1))[..., :1]


def last_nudged(_call: Call, g: Array) -> Array:
    nudged = g.copy()
    nudged[..., -1, -1] *= 1.0 + 1e-9
    return nudged


def beyond_two_forgotten(_call: Call, g: Array) -> Array:
    less = g.copy()
    less[..., 2:, :] = 0.0
    return less


def halved_at_x() -> Remembering:
    """Of inputs that dense layers alone use, so that it is their factor."""

    def remember(case: Case, gradients: Gradients) -> Gradients:
        nodes, found = case.architecture.nodes, dict(gradients.by_input)
        for i, item in enumerate(case.architecture.inputs):
            users = {node.op for node in nodes if -i - 1 in node.inputs}
            if users == {"dense"} and -i - 1 not in case.architecture.loss.inputs and item.name in found:
                found[item.name] = found[item.name] * found[item.name].dtype.type(1.5)
        return Gradients(gradients.loss, gradients.by_param, found, gradients.by_node, gradients.outputs)

    return remember


# fmt: off
MUTANTS: tuple[Mutant, ...] = (
    Mutant("dropout: not masked", FAMILY,
           "the backward of dropout scales by 1/(1 - p), but lets through what the mask holds back",
           (Fault("dropout", Factor.INPUT, "0"),), Symptom.MASK,
           "x[1,1]; mask[1,1]:bool; x -> dropout(mask) -> sse", "numpy-ml#94",
           rows={"dropout": layer("dropout", unmasked)}, fixed={"dropout": {"mode": "training"}}),
    Mutant("dropout: masks the caller's array", FAMILY,
           "the backward of dropout writes into the array that it was given",
           (Fault(None, Factor.STATE),), Symptom.STATE,
           "x[1,1]; mask[1,1]:bool; x -> dropout(mask) -> sse", "numpy-ml#94",
           remembers=masks_the_callers, fixed={"dropout": {"mode": "training"}}, beside=("dropout",)),
    Mutant("mse: times the outputs", FAMILY,
           "the slope of a mean over all elements is divided by the samples alone: too large by the number of outputs",
           (Fault("mse", Factor.LOSS),), Symptom.FACTOR, "x[1,2] -> mse", "scikit-learn#8349",
           walk=multiplied("mse", lambda of: float(of.terms_shape[-1]) if len(of.terms_shape) > 1 else 1.0),
           fixed={"mse": {"reduction": "mean"}}, beside=("mse",)),
    Mutant("softmax_cross_entropy: not divided by the batch", FAMILY,
           "the loss is a mean over the samples, but its slope is that of their sum",
           (Fault("softmax_cross_entropy", Factor.LOSS),), Symptom.REDUCTION,
           "x[2,2] -> softmax_cross_entropy(reduction=mean)", "swift-apis#42",
           walk=reduced("softmax_cross_entropy", "sum"),
           fixed={"softmax_cross_entropy": {"reduction": "mean"}}, beside=("softmax_cross_entropy",)),
    Mutant("sse: not divided by the batch", FAMILY,
           "the loss is a mean over the samples, but its slope is that of their sum",
           (Fault("sse", Factor.LOSS),), Symptom.REDUCTION, "x[2,1] -> sse(reduction=batch_mean)", "classic",
           walk=reduced("sse", "sum"), fixed={"sse": {"reduction": "batch_mean"}}),
    Mutant("dense: bias gradient is the mean", FAMILY,
           "the gradient of a bias is the mean over the samples where it is the sum",
           (BIAS,), Symptom.MEAN, "x[2,1] -> dense(1) -> sse", "kvfrans/notes#5",
           rows={"dense": params("dense", ("bias",), lambda call, g: g / rows(call))}),
    Mutant("dense: bias gradient of one sample", FAMILY,
           "the gradient of a bias is not summed over the samples: it is that of the first",
           (BIAS,), Symptom.NOT_SUMMED, "x[2,1] -> dense(1) -> sse", "mlpack#3679",
           rows={"dense": params("dense", ("bias",), of_first_row)}),
    Mutant("layer_norm: weights not summed over the rows", FAMILY,
           "weight and bias of a layer norm are broadcast over the rows, but their gradients are those of the first",
           OF_NORM, Symptom.NOT_SUMMED, "x[2,1] -> layer_norm -> sse", "nd4j#2424",
           rows={"layer_norm": params_of("layer_norm", of_first_row_alone)},
           fixed={"layer_norm": {"axes": 1, "affine": True}}),
    Mutant("prelu: slope not summed", FAMILY,
           "the learned slope is broadcast over all numbers, but its gradient is that of the first",
           (Fault("prelu", Factor.PARAM, "weight"),), Symptom.NOT_SUMMED, "x[2,1] -> prelu -> sse", "pytorch#1787",
           rows={"prelu": params("prelu", ("weight",), of_first_number)}, fixed={"prelu": {"per_channel": False}}),
    Mutant("dense: bias gradient times the input", FAMILY,
           "the gradient of a bias is multiplied by the input, as if the bias were a weight of it",
           (BIAS,), Symptom.OTHER_FUNCTION, "x[1,1] -> dense(1) -> sse", "classic",
           rows={"dense": params("dense", ("bias",), times_first_input)}),
    Mutant("sse: stray factor 2", FAMILY, "the slope of the squared error is 4(a - y) where it is 2(a - y)",
           (Fault("sse", Factor.LOSS),), Symptom.FACTOR, "x[1,1] -> sse", "classic",
           rows={"sse": loss("sse", lambda sound, a, y: (2.0 * sound[0],))}),
    Mutant("dense: stray factor 4", FAMILY, "the gradient of the weights is four times what it should be",
           (WEIGHT,), Symptom.FACTOR, "x[1,1] -> dense(1) -> sse", "classic",
           rows={"dense": params("dense", ("weight",), lambda _, g: 4.0 * g)}),
    Mutant("sse: its 2 missing", FAMILY, "the slope of the squared error (a - y)² lacks its 2",
           (Fault("sse", Factor.LOSS),), Symptom.FACTOR, "x[1,1] -> sse", "classic",
           rows={"sse": loss("sse", lambda sound, a, y: (a - y,))}),
    Mutant("sse: weights of the samples ignored", FAMILY,
           "the samples have weights in the loss, but all count alike in its slope",
           (Fault("sse", Factor.LOSS),), Symptom.WEIGHTS, "x[2,1] -> sse(weighted=true)", "classic",
           walk=unweighted("sse"), fixed={"sse": {"weighted": True}}),
    Mutant("dense: wrong for a single sample", FAMILY,
           "the gradient of the weights is twice what it should be where there is one row alone",
           (WEIGHT,), Symptom.BOUNDARY, "x[1,1] -> dense(1) -> sse", "classic",
           rows={"dense": params("dense", ("weight",), lambda call, g: 2.0 * g if rows(call) == 1 else g)}),
    Mutant("dense: wrong beyond two outputs", FAMILY,
           "the weights of a third output and of those behind it get no gradient",
           (WEIGHT,), Symptom.BOUNDARY, "x[1,1] -> dense(3) -> sse", "classic",
           rows={"dense": params("dense", ("weight",), beyond_two_forgotten)}),
    Mutant("dense: one weight off by 1e-9", FAMILY,
           "the gradient of the last weight is off by a billionth of itself",
           (WEIGHT,), Symptom.SLIGHT, "x[1,1] -> dense(1) -> sse", "classic",
           rows={"dense": params("dense", ("weight",), last_nudged)}),
    Mutant("dense: gradient of the network's input alone", FAMILY,
           "the gradient of the network's input is one and a half times what it should be; all others are right",
           (Fault("dense", Factor.INPUT, "0"),), Symptom.FACTOR, "x[1,1] -> dense(1) -> sse", "classic",
           remembers=halved_at_x),
)
# fmt: on

"""Attention: each query takes a mean of the values, weighted by the softmax of how its key fits.

`mask` says which keys a query may see: all (none), those up to its own place, counted from the first of both
(causal), or those where a bool input is true: one of each sample's keys (padding), or one for each query and key
(given). A query that may see nothing has the output 0, and gives no gradient: so does PyTorch's
scaled_dot_product_attention (with nn.MultiheadAttention's weights asked for it is NaN), and so does JAX's softmax
with `where`; Flax masks with a large negative number instead, and takes the mean of all values.
"""

from __future__ import annotations

from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import LARGEST_SIZE, MASK, NUMBERS, Attribute, Attributes, Op, Shape, Slot

MASKED = ("padding", "given")
MASK_KIND = Attribute(name="mask", type="choice", default="none", choices=("none", "causal", *MASKED))
PROJECTED = ("q", "k", "v", "o")


def _attention_slots(_attributes: Attributes, count: int) -> tuple[Slot, ...]:
    return (NUMBERS,) * min(count, 3) + (MASK,) * (count - 3)


def _attention_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    masked = _checked_count("attention", "queries, keys and values", 3, attributes, shapes)
    q, k, v = shapes[:3]
    fits = len(q) == len(k) == len(v) > 1 and q[:-2] == k[:-2] == v[:-2]
    if not fits or q[-1] != k[-1] or k[-2] != v[-2]:
        raise SpecError(f"attention needs q (…, Tq, d), k (…, Tk, d) and v (…, Tk, e), not {q}, {k} and {v}")
    if masked:
        _check_mask("attention", attributes, shapes[3], (*q[:-1], k[-2]))
    return (*q[:-1], v[-1])


def _many_slots(attributes: Attributes, count: int) -> tuple[Slot, ...]:
    numbers = 2 if attributes["cross"] else 1
    return (NUMBERS,) * min(count, numbers) + (MASK,) * (count - numbers)


def _many_shape(attributes: Attributes, shapes: tuple[Shape, ...]) -> Shape:
    op, cross, heads = "multi_head_attention", bool(attributes["cross"]), int(attributes["heads"])
    masked = _checked_count(op, "x and a context" if cross else "x", 1 + cross, attributes, shapes)
    x, context = shapes[0], shapes[cross]
    if len(x) != 3 or x[-1] % heads:
        raise SpecError(f"{op}(heads={heads}) needs an input (N, T, E) with an E that its heads divide, not {x}")
    if len(context) != 3 or context[0] != x[0] or context[2] != x[2]:
        raise SpecError(f"{op} needs x (N, T, E) and a context (N, S, E), not {x} and {context}")
    if masked:
        _check_mask(op, attributes, shapes[-1], (*x[:2], context[1]))
    return x


def _checked_count(op: str, wanted: str, count: int, attributes: Attributes, shapes: tuple[Shape, ...]) -> bool:
    """Whether there is a mask among the inputs; raises SpecError where there are too few of them or too many."""
    masked = attributes["mask"] in MASKED
    if len(shapes) != count + masked:
        named = f"{wanted}{' and a mask' * masked}"
        raise SpecError(f"{op}(mask={attributes['mask']}) takes {named}: {count + masked} inputs, not {len(shapes)}")
    return masked


def _check_mask(op: str, attributes: Attributes, mask: Shape, scores: Shape) -> None:
    """`scores` is (…, Tq, Tk)."""
    if attributes["mask"] == "padding" and len(scores) < 3:
        raise SpecError(f"{op}(mask=padding) needs samples on a first axis, but its scores have shape {scores}")
    wanted, form = (scores, "(…, Tq, Tk)") if attributes["mask"] == "given" else ((scores[0], scores[-1]), "(N, Tk)")
    if mask != wanted:
        raise SpecError(f"{op}(mask={attributes['mask']}) needs a mask {form} = {wanted}, not {mask}")


def _many_roles(attributes: Attributes) -> tuple[str, ...]:
    kinds = ("weight", "bias") if attributes["bias"] else ("weight",)
    return tuple(f"{kind}_{name}" for kind in kinds for name in PROJECTED)


def _many_params(attributes: Attributes, shapes: tuple[Shape, ...]) -> dict[str, Shape]:
    width = shapes[0][-1]
    return {role: (width, width) if role.startswith("weight") else (width,) for role in _many_roles(attributes)}


ATTENTION: tuple[Op, ...] = (
    Op(
        name="attention",
        kind="layer",
        attributes=(MASK_KIND, Attribute(name="scale", type="float", default=0.0, least=0.0)),
        arity=(3, 4),
        further=("k", "v"),
        slots=_attention_slots,
        out_shape=_attention_shape,
        summary="softmax(scale q kᵀ) v over the keys that are seen; a scale of 0 stands for 1/√d; nothing seen: 0",
    ),
    Op(
        name="multi_head_attention",
        kind="layer",
        attributes=(
            Attribute(name="heads", type="int", default=1, above=0, at_most=LARGEST_SIZE),
            Attribute(name="bias", type="bool", default=True),
            MASK_KIND,
            Attribute(name="cross", type="bool", default=False),
        ),
        arity=(1, 3),
        further=("context",),
        slots=_many_slots,
        out_shape=_many_shape,
        roles=_many_roles,
        params=_many_params,
        summary="attention of x, projected, on itself or a context (cross), in heads of E/heads columns each; weights "
        "(E, E) and biases (E,) of queries, keys, values and output",
    ),
)

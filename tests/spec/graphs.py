"""Architectures that the hunt does not draw: several inputs, dead branches, a loss anywhere, shared keys."""

from __future__ import annotations

from hypothesis import strategies as st

from crosscheck.spec import Architecture, Input, Loss, Node

# Names such as the printer makes up for links, so that it has to give way.
NAMES = ("x", "u", "h0", "h1", "h1_", "tanh")
ANY = st.floats(allow_nan=False, allow_infinity=False)
SLOPE = ANY.filter(lambda v: v != 0.01)


@st.composite
def graphs(draw: st.DrawFn) -> Architecture:
    """Every shape is (2, 3), so that any node may stand on any other."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    kinds = draw(st.lists(st.sampled_from(("float", "int64", "bool")), min_size=len(names), max_size=len(names)))
    inputs = tuple(Input(name, (2, 3), kind) for name, kind in zip(names, kinds, strict=True))
    nodes = tuple(draw(_node(i, len(names))) for i in range(draw(st.integers(0, 6))))
    attributes = draw(st.fixed_dictionaries({}, optional={"scale": ANY, "reduction": st.sampled_from(("sum", "mean"))}))
    return Architecture(inputs, nodes, Loss("sse", attributes, (draw(st.integers(-len(names), len(nodes) - 1)),)))


@st.composite
def _node(draw: st.DrawFn, index: int, inputs: int) -> Node:
    link = st.integers(-inputs, index - 1)
    op = draw(st.sampled_from(("tanh", "leaky_relu", "gelu", "dense", "add")))
    if op == "add":
        return Node(op, {}, tuple(draw(st.lists(link, min_size=2, max_size=8))), {})
    given = (draw(link),)
    if op == "dense":
        params = {"weight": draw(st.sampled_from((f"{index}.weight", "w", "0.w_")))}
        bias = draw(st.booleans())
        if bias:
            params["bias"] = draw(st.sampled_from((f"{index}.bias", "b")))
        return Node(op, {"out": 3, "bias": bias}, given, params)
    attributes = {
        "tanh": {},
        "leaky_relu": {"negative_slope": draw(SLOPE)},
        "gelu": {"approximate": draw(st.sampled_from(("none", "tanh")))},
    }
    return Node(op, attributes[op], given, {})

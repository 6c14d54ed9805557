"""The text notation: what is printed reads back equal, and what may be written means what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from spec.graphs import graphs

from crosscheck.spec import OPS, Architecture, Input, Loss, Node, SpecError, parse, template, to_text
from crosscheck.strategies.architectures import architectures
from crosscheck.strategies.space import EVERYTHING


@given(architectures(EVERYTHING))
def test_what_is_drawn_reads_back_from_its_text(architecture: Architecture) -> None:
    again = parse(to_text(architecture))
    assert again == architecture
    assert again.to_json() == architecture.to_json()


@given(graphs())
def test_any_graph_reads_back_from_its_text(architecture: Architecture) -> None:
    again = parse(to_text(architecture))
    assert again == architecture
    assert again.to_json() == architecture.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "x[3,4] -> sse",
        "x[] -> tanh -> sse",
        "x[3,4] -> dense(8) -> h1: tanh -> dense(8) -> add(h1) -> dense(2) -> softmax_cross_entropy",
        "x[3,4] -> dense(8, bias=false, weight=@w) -> sse(reduction=batch_mean, scale=0.5)",
        "x[3]; u[3]; x -> add(u, u) -> sse",
        "x[3]; u[3]; u -> tanh -> multiply(x) -> sse",
        "x[3]; m[3]:bool; k[3]:int64; x -> multiply(m, k) -> mae",
        "x[2,3] -> h0: tanh; x -> relu -> concat(h0) -> sse",
        "x[2,3] -> h0: tanh -> relu; h0 -> sse",
        "x[3] -> tanh -> relu; x -> sse",
        "x[3] -> leaky_relu(negative_slope=1e-300) -> huber(delta=0.1)",
    ],
)
def test_the_shortest_writing_is_what_is_printed(text: str) -> None:
    assert to_text(parse(text)) == text
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("x[3,4] → dense(2)→sse", "x[3,4] -> dense(2) -> sse"),
        ("  x [ 3 , 4 ]\n  -> dense ( 2 )\n  -> sse ", "x[3,4] -> dense(2) -> sse"),
        ("x[3] -> dense(out=2, bias=true) -> sse(sum, 1)", "x[3] -> dense(2) -> sse"),
        ("x[3] -> dense(2, false) -> sse", "x[3] -> dense(2, bias=false) -> sse"),
        ("x[3] -> gelu(none) -> gelu(tanh) -> sse", "x[3] -> gelu -> gelu(approximate=tanh) -> sse"),
        ("x[3] -> elu(2) -> sse", "x[3] -> elu(alpha=2.0) -> sse"),
        ("x[3]:float -> a: tanh -> b: relu -> add(a) -> sse", "x[3] -> h0: tanh -> relu -> add(h0) -> sse"),
        ("x[3] -> dense(2, weight=@0.weight) -> sse", "x[3] -> dense(2) -> sse"),
        ("h0[3] -> a: tanh -> add(a, h0) -> sse", "h0[3] -> h0_: tanh -> add(h0_, h0) -> sse"),
    ],
)
def test_other_writings_are_printed_in_the_shortest_one(written: str, printed: str) -> None:
    assert to_text(parse(written)) == printed


def test_a_text_is_the_graph_that_it_says() -> None:
    found = parse(
        "x[3,4]; u[3,4] -> dense(4) -> h: tanh; x -> add(h) -> dense(4, weight=@0.weight) -> h2: sin; h -> sse"
    )
    assert found.inputs == (Input("x", (3, 4)), Input("u", (3, 4)))
    assert [(n.op, n.inputs) for n in found.nodes] == [
        ("dense", (-2,)),
        ("tanh", (0,)),
        ("add", (-1, 1)),
        ("dense", (2,)),
        ("sin", (3,)),
    ]
    assert found.loss == Loss("sse", OPS["sse"].complete({}, "loss"), (1,))


def test_a_key_is_shared_only_where_it_is_written() -> None:
    found = parse("x[4] -> dense(4) -> dense(4, weight=@0.weight) -> dense(4, bias=@b) -> sse")
    assert [dict(n.params) for n in found.nodes] == [
        {"weight": "0.weight", "bias": "0.bias"},
        {"weight": "0.weight", "bias": "1.bias"},
        {"weight": "2.weight", "bias": "b"},
    ]
    assert dict(found.param_shapes) == {
        "0.weight": (4, 4),
        "0.bias": (4,),
        "1.bias": (4,),
        "2.weight": (4, 4),
        "b": (4,),
    }


def test_labels_leave_no_trace() -> None:
    assert parse("x[3] -> one: tanh -> add(one) -> sse") == parse("x[3] -> two: tanh -> add(two) -> sse")


def test_the_printer_reaches_an_architecture_made_by_hand() -> None:
    architecture = Architecture(
        (Input("x", (3,)),), (Node("tanh", {}, (-1,), {}), Node("relu", {}, (-1,), {})), Loss("sse", {}, (0,))
    )
    assert str(architecture) == "x[3] -> h0: tanh; x -> relu; h0 -> sse"


def test_a_star_is_a_size() -> None:
    found = template("x[*,4] -> dense(*) -> dense(out=*, bias=false) -> sse")
    assert found.stars == 3
    assert str(found.fill([7, 8, 9])) == "x[7,4] -> dense(8) -> dense(9, bias=false) -> sse"
    assert template("x[3] -> sse").fill([]) == parse("x[3] -> sse")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x[3] -> dense(*) -> tahn -> sse", "'tahn': 'tahn' is not an operation; did you mean tanh?"),
        ("x[3*] -> sse", "'x[3*] -> sse': * stands for one size, as in x[*,4] or dense(*)"),
        ("x[3] -> dense(**) -> sse", "'x[3] -> dense(**) -> sse': * stands for one size, as in x[*,4] or dense(*)"),
        ("* -> sse", "'* -> sse': * stands for one size, as in x[*,4] or dense(*)"),
        (3, "an architecture's text is a str, not int"),
    ],
)
def test_a_malformed_template_is_refused_before_anything_is_drawn(text: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        template(text)
    assert str(error.value) == message


def test_a_template_needs_a_size_for_each_star() -> None:
    with pytest.raises(SpecError, match=r"^the template has 2 stars, but 1 sizes were given$"):
        template("x[*,4] -> dense(*) -> sse").fill([3])

"""Every malformed text is refused with a sentence: what is wrong, the rule, and the place."""

from __future__ import annotations

import pytest

from crosscheck.spec import OPS, SpecError, parse

# fmt: off
SAID = {
    "":
        "'': a chain starts with an input such as x[3,4] or with a label that stands before it",
    "x[3,4]":
        "the architecture has no loss: end it with one, such as -> sse or -> cotangent",
    "x[3,4] -> -> sse":
        "'' is not a step; a step is an operation such as tanh or dense(8)",
    "x[3,4] sse":
        "'x[3,4] sse': a chain starts with an input such as x[3,4] or with a label that stands before it",
    "-> sse":
        "'': a chain starts with an input such as x[3,4] or with a label that stands before it",
    "x[3,4] -> sse;":
        "'sse': sse is a loss; a loss stands last",
    "x[3,4] -> sse; x -> sse":
        "'sse': sse is a loss; a loss stands last",
    "x[3,4] -> sse -> tanh":
        "'sse': sse is a loss; a loss stands last",
    "x[3,4] -> tanh":
        "the architecture has no loss: end it with one, such as -> sse or -> cotangent",
    "x[3,4] -> tahn -> sse":
        "'tahn': 'tahn' is not an operation; did you mean tanh?",
    "x[3,4] -> dense -> sse":
        "'dense': dense needs out, a whole number above 0 and at most 1,000,000,000",
    "x[3,4] -> dense(0) -> sse":
        "'dense(0)' (dense): out=0, but out is a whole number above 0 and at most 1,000,000,000",
    "x[3,4] -> dense(-2) -> sse":
        "'dense(-2)' (dense): out=-2, but out is a whole number above 0 and at most 1,000,000,000",
    "x[3,4] -> dense(2.5) -> sse":
        "'dense(2.5)' (dense): out=2.5, but out is a whole number above 0 and at most 1,000,000,000",
    "x[3,4] -> dense(two) -> sse":
        "'dense(two)' (dense): out='two', but out is a whole number above 0 and at most 1,000,000,000",
    "x[3,4] -> dense(true) -> sse":
        "'dense(true)' (dense): out=True, but out is a whole number above 0 and at most 1,000,000,000",
    "x[3,4] -> dense(*) -> sse":
        "'dense(*)' (dense): out='*', but out is a whole number above 0 and at most 1,000,000,000",
    "x[3,4] -> dense(2, true, 7) -> sse":
        "'dense(2, true, 7)': '7' is one too many; dense has out, bias",
    "x[3,4] -> dense(2, bias=1) -> sse":
        "'dense(2, bias=1)' (dense): bias=1, but bias is true or false",
    "x[3,4] -> dense(2, 3) -> sse":
        "'dense(2, 3)' (dense): bias=3, but bias is true or false",
    "x[3,4] -> dense(2, out=3) -> sse":
        "'dense(2, out=3)': out is given twice",
    "x[3,4] -> dense(out=2, 3) -> sse":
        "'dense(out=2, 3)' (dense): bias=3, but bias is true or false",
    "x[3,4] -> dense(bias=false, 3) -> sse":
        "'dense(bias=false, 3)': '3' stands after a named argument and needs a name too",
    "x[3,4] -> hardtanh(max_val=2, 3) -> sse":
        "'hardtanh(max_val=2, 3)': '3' stands after a named argument and needs a name too",
    "x[3,4] -> hardtanh(2, 1) -> sse":
        "node 0 (hardtanh): hardtanh has min_val=2.0 and max_val=1.0; min_val must be below max_val",
    "x[3,4] -> hardtanh(1, 1) -> sse":
        "node 0 (hardtanh): hardtanh has min_val=1.0 and max_val=1.0; min_val must be below max_val",
    "x[3,4] -> dense(2, biass=false) -> sse":
        "'dense(2, biass=false)': dense has no attribute 'biass'; it has out, bias",
    "x[3,4] -> tanh(3) -> sse":
        "'tanh(3)': '3' is one too many; tanh has no attributes",
    "x[3,4] -> tanh(x) -> sse":
        "'tanh(x)': 'x' is one too many; tanh has no attributes",
    "x[3,4] -> tanh(slope=3) -> sse":
        "'tanh(slope=3)': tanh has no attribute 'slope'; it has no attributes",
    "x[3,4] -> dense(2, weight=@) -> sse":
        "node 0 (dense): weight has the key ''; a key is letters, digits, _ and .",
    "x[3,4] -> dense(2, weight=@a b) -> sse":
        "node 0 (dense): weight has the key 'a b'; a key is letters, digits, _ and .",
    "x[3,4] -> dense(2, weight=@x) -> sse":
        "node 0 (dense): weight has the key 'x', which is the name of an input",
    "x[3,4] -> dense(2, kernel=@k) -> sse":
        "node 0: dense has no parameter 'kernel'",
    "x[3,4] -> dense(2, weight=@a, weight=@b) -> sse":
        "'dense(2, weight=@a, weight=@b)': weight is given twice",
    "x[3,4] -> dense(2, bias=false, bias=@b) -> sse":
        "node 0: dense has no parameter 'bias'",
    "x[3,4] -> dense(2,bias=@0.weight) -> sse":
        "node 0 (dense): bias is shared as '0.weight' of shape (2, 4), but this node needs (2,)",
    "x[3,4] -> dense(2, weight=@w) -> dense(2, weight=@w) -> sse":
        "node 1 (dense): weight is shared as 'w' of shape (2, 4), but this node needs (2, 2)",
    "x[] -> dense(2) -> sse":
        "node 0 (dense): dense needs an input of shape (…, in), but its input is a scalar",
    "x[] -> softmax -> sse":
        "node 0 (softmax): softmax works on axis -1, but its input of shape () has no axes",
    "x[] -> softmax_cross_entropy":
        "loss (softmax_cross_entropy): softmax_cross_entropy needs classes on the last axis, but its input is a scalar",
    "x[3] -> sse(reduction=batch_mean)":
        "loss (sse): reduction=batch_mean takes the mean over the first of at least two axes, but the "
        "output has shape (3,)",
    "x[3,4] -> sse(reduction=median)":
        "'sse(reduction=median)' (sse): reduction='median', but reduction is one of sum, mean, batch_mean",
    "x[3,4] -> mse(reduction=sum)":
        "'mse(reduction=sum)' (mse): reduction='sum', but reduction is mean",
    "x[3,4] -> sse(scale=nan)":
        "'sse(scale=nan)' (sse): scale=nan, but scale is a finite number",
    "x[3,4] -> sse(scale=inf)":
        "'sse(scale=inf)' (sse): scale=inf, but scale is a finite number",
    "x[3,4] -> sse(scale=1e999)":
        "'sse(scale=1e999)' (sse): scale=inf, but scale is a finite number",
    "x[0,4] -> sse":
        "input x: a size is a whole number from 1 to 1,000,000,000, not 0",
    "x[-1] -> sse":
        "'x[-1]': a size is a whole number from 1 to 1,000,000,000, not '-1'",
    "x[a] -> sse":
        "'x[a]': a size is a whole number from 1 to 1,000,000,000, not 'a'",
    "x[3,] -> sse":
        "'x[3,]': a size is a whole number from 1 to 1,000,000,000, not ''",
    "x[3,4 -> sse":
        "'x[3,4': a chain starts with an input such as x[3,4] or with a label that stands before it",
    "x[3.0] -> sse":
        "'x[3.0]': a size is a whole number from 1 to 1,000,000,000, not '3.0'",
    "x[*] -> sse":
        "'x[*]': a size is a whole number from 1 to 1,000,000,000, not '*'",
    "x[99999999999999999999] -> sse":
        "'x[99999999999999999999]': a size is a whole number from 1 to 1,000,000,000, not '99999999999999999999'",
    "x[٣] -> sse":
        "'x[٣]': a size is a whole number from 1 to 1,000,000,000, not '٣'",
    "x[3] -> dense(99999999999999999999) -> sse":
        "'dense(99999999999999999999)' (dense): out=99999999999999999999, but out is a whole number "
        "above 0 and at most 1,000,000,000",
    "x[3]:float32 -> sse":
        "'x[3]:float32': an input's dtype is float, int64 or bool, not 'float32'",
    "3x[3] -> sse":
        "'3x[3]': a name is letters, digits and _, not starting with a digit",
    "é[3] -> sse":
        "'é[3]': a name is letters, digits and _, not starting with a digit",
    "x[3]; x[4] -> sse":
        "'x[4]': the name 'x' is taken",
    "x[3] -> x: tanh -> sse":
        "'x: tanh': the name 'x' is taken",
    "x[3] -> h: tanh -> h: tanh -> sse":
        "'h: tanh': the name 'h' is taken",
    "x[3] -> é: tanh -> sse":
        "'é: tanh': a name is letters, digits and _, not starting with a digit",
    "x[3] -> 3h: tanh -> sse":
        "'3h: tanh': a name is letters, digits and _, not starting with a digit",
    "x[3] -> add -> sse":
        "node 0 (add): has 1 input, needs 2 to 8",
    "x[3] -> add(u) -> sse":
        "'add(u)': 'u' names no input and no label that stands before it",
    "x[3]; u[4]; x -> add(u) -> sse":
        "node 0 (add): add and multiply need inputs of one shape, not (3,) and (4,)",
    "x[3]; u[2,4]; x -> concat(u) -> sse":
        "node 0 (concat): concat needs inputs that differ in the last axis only, not (3,) and (2, 4)",
    "x[3]; u[]; x -> concat(u) -> sse":
        "node 0 (concat): concat needs inputs that differ in the last axis only, not (3,) and ()",
    "x[3] -> add(x,x,x,x,x,x,x,x) -> sse":
        "node 0 (add): has 9 inputs, needs 2 to 8",
    "x[3]; u[3]; x -> concat(u, axis=0) -> sse":
        "'concat(u, axis=0)' (concat): axis=0, but axis is a whole number at most -1",
    "x[3] -> sse(x)":
        "'sse(x)' (sse): reduction='x', but reduction is one of sum, mean, batch_mean",
    "h[3]; x -> sse":
        "'x': a chain starts with an input such as x[3,4] or with a label that stands before it",
    "x[3] -> leaky_relu(negative_slope=abc) -> sse":
        "'leaky_relu(negative_slope=abc)' (leaky_relu): negative_slope='abc', but negative_slope is a finite number",
    "x[3] -> elu(0) -> sse":
        "'elu(0)' (elu): alpha=0, but alpha is a finite number above 0",
    "x[3] -> elu(alpha=-1) -> sse":
        "'elu(alpha=-1)' (elu): alpha=-1, but alpha is a finite number above 0",
    "x[3] -> gelu(approximate=erf) -> sse":
        "'gelu(approximate=erf)' (gelu): approximate='erf', but approximate is one of none, tanh",
    "x[3] -> gelu(tanh)) -> sse":
        "'gelu(tanh))' is not a step; a step is an operation such as tanh or dense(8)",
    "x[3] -> gelu(tanh -> sse":
        "'gelu(tanh' is not a step; a step is an operation such as tanh or dense(8)",
    "x[3] -> dense(2 -> sse":
        "'dense(2' is not a step; a step is an operation such as tanh or dense(8)",
    "x[3] -> softmax(axis=0) -> sse":
        "'softmax(axis=0)' (softmax): axis=0, but axis is a whole number at most -1",
    "x[3] -> softmax(axis=-2) -> sse":
        "node 0 (softmax): softmax works on axis -2, but its input of shape (3,) has 1 axis",
    "x[2,3] -> glu -> sse":
        "node 0 (glu): glu halves axis -1, but its input has shape (2, 3): 3 is not even",
    "x[4] -> prelu(per_channel=true) -> sse":
        "node 0 (prelu): prelu(per_channel=true) has its channels on the second axis, but its input is (4,)",
    "x[2,3] -> norm(axis=-3) -> sse":
        "node 0 (norm): norm works on axis -3, but its input of shape (2, 3) has 2 axes",
    "x[3] -> flatten -> sse":
        "node 0 (flatten): flatten(start=1) needs an input of at least 2 axes, not (3,)",
    "x[2,3] -> reshape(shape=4x0) -> sse":
        "node 0 (reshape): reshape(shape=4x0) cannot hold the 6 numbers of an input of shape (2, 3)",
    "x[2,3] -> reshape(shape=2x2) -> sse":
        "node 0 (reshape): reshape(shape=2x2) cannot hold the 6 numbers of an input of shape (2, 3)",
    "x[2,3] -> reshape(shape=0x0x1) -> sse":
        "node 0 (reshape): reshape(shape=0x0x1) leaves 2 sizes open; one alone follows from the rest",
    "x[3] -> transpose -> sse":
        "node 0 (transpose): transpose works on axis -2, but its input of shape (3,) has 1 axis",
    "x[3] -> slice(start=3) -> sse":
        "node 0 (slice): slice(start=3) takes nothing of axis -1 of shape (3,)",
    "x[3] -> slice(step=0) -> sse":
        "'slice(step=0)' (slice): step=0, but step is a whole number above 0 and at most 1,000,000,000",
    "x[2,3]; u[2,3]; x -> matmul(u) -> sse":
        "node 0 (matmul): matmul needs inputs (…, n, k) and (…, k, m), the axes before them alike, "
        "not (2, 3) and (2, 3)",
    "x[2,3]; u[3,3]; x -> concat(u) -> sse":
        "node 0 (concat): concat needs inputs that differ in the last axis only, not (2, 3) and (3, 3)",
    "x[2,3]; u[2,2]; x -> concat(u, axis=-2) -> sse":
        "node 0 (concat): concat needs inputs that differ in axis -2 only, not (2, 3) and (2, 2)",
    "x[3] -> softmax_cross_entropy(targets=onehot)":
        "'softmax_cross_entropy(targets=onehot)' (softmax_cross_entropy): targets='onehot', but targets "
        "is one of classes, probabilities",
    "x[3] -> dense(,) -> sse":
        "'dense(,)' (dense): out='', but out is a whole number above 0 and at most 1,000,000,000",
    "x[3] -> dense(2,) -> sse":
        "'dense(2,)' (dense): bias='', but bias is true or false",
    "x[3] -> dense(2, =3) -> sse":
        "'dense(2, =3)': dense has no attribute ''; it has out, bias",
    "x[3] -> dense(2, bias==true) -> sse":
        "'dense(2, bias==true)' (dense): bias='=true', but bias is true or false",
    "x[3] > sse":
        "'x[3] > sse': a chain starts with an input such as x[3,4] or with a label that stands before it",
    "x[3] -> add(x, x=1) -> sse":
        "'add(x, x=1)': add has no attribute 'x'; it has no attributes",
    "x[3] -> huber(0)":
        "'huber(0)' (huber): delta=0, but delta is a finite number above 0",
    "x[3] -> dense(tanh(2)) -> sse":
        "'dense(tanh(2))' is not a step; a step is an operation such as tanh or dense(8)",
    "x[3] -> tanh -> sse -> ":
        "'sse': sse is a loss; a loss stands last",
    "x[3]; ; x -> sse":
        "'': a chain starts with an input such as x[3,4] or with a label that stands before it",
    "x[3] -> sse(scale=1, scale=2)":
        "'sse(scale=1, scale=2)': scale is given twice",
    "x[3] -> h:: tanh -> sse":
        "'h:: tanh' is not a step; a step is an operation such as tanh or dense(8)",
    "x[3]:: int64 -> sse":
        "'x[3]:: int64': a chain starts with an input such as x[3,4] or with a label that stands before it",
    "u[3] -> tanh; x[3] -> sse; u -> sse":
        "'sse': sse is a loss; a loss stands last",
}
# fmt: on


def said(text: object) -> str:
    with pytest.raises(SpecError) as error:
        parse(text)
    return str(error.value)


@pytest.mark.parametrize("text", SAID)
def test_a_malformed_text(text: str) -> None:
    assert said(text) == SAID[text]


def test_an_unknown_op_that_is_like_none_lists_all() -> None:
    assert said("x[3] -> blob -> sse") == f"'blob': 'blob' is not an operation; the ops are {', '.join(OPS)}"


@pytest.mark.parametrize("value", ["1" + "0" * 400, "9" * 5000, "1e400", "-1e400"])
def test_a_number_too_large_for_a_float(value: str) -> None:
    assert said(f"x[3] -> sse(scale={value})").endswith(", but scale is a finite number")


def test_a_size_of_thousands_of_digits() -> None:
    size = "9" * 5000
    wanted = f"'x[{size}]': a size is a whole number from 1 to 1,000,000,000, not '{size}'"
    assert said(f"x[{size}] -> sse") == wanted
    assert said(f"x[3] -> dense({size}) -> sse").endswith("but out is a whole number above 0 and at most 1,000,000,000")


@pytest.mark.parametrize(("text", "kind"), [(5, "int"), (None, "NoneType"), (b"x[3] -> sse", "bytes")])
def test_what_is_no_text(text: object, kind: str) -> None:
    assert said(text) == f"an architecture's text is a str, not {kind}"

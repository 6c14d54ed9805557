"""The derivation as `crosscheck explain` prints it: whole outputs, and each way to ask wrongly."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from crosscheck.backprop import textbook
from crosscheck.cli.explain import explain
from crosscheck.report.explain import derivation, symbol
from crosscheck.spec import Case, SpecError, parse

TWO_SAMPLES = "x[2,2] -> dense(2) -> relu -> dense(2) -> tanh -> dense(1) -> sse(reduction=batch_mean)"
FIVE_LAYERS = (
    "x[1] -> dense(1, bias=false) -> dense(2, bias=false) -> dense(2, bias=false) -> dense(1, bias=false)"
    " -> mse(scale=0.5)"
)


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(explain, arguments)


def said(*arguments: str) -> str:
    result = ask(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def complaint(*arguments: str) -> str:
    result = ask(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.splitlines()[-1]


def numbers(*rows: list[float]) -> np.ndarray:
    return np.array([rows])


@pytest.fixture
def two_samples(tmp_path: Path) -> str:
    params = {
        "0.weight": numbers([1.0, 0.5], [-1.0, 0.25]),
        "0.bias": np.array([[0.5, -1.0]]),
        "2.weight": numbers([1.0, 2.0], [0.0, -1.0]),
        "2.bias": np.array([[-2.0, 0.0]]),
        "4.weight": numbers([3.0, -0.5]),
        "4.bias": np.array([[0.25]]),
    }
    case = Case(parse(TWO_SAMPLES), params, {"x": numbers([1.0, 1.0], [-1.0, 0.5])}, numbers([-1.0], [0.5]))
    case.save(tmp_path / "case.npz")
    return str(tmp_path / "case.npz")


@pytest.fixture
def five_layers(tmp_path: Path) -> str:
    params = {
        "0.weight": numbers([2.0]),
        "1.weight": numbers([1.0], [-1.0]),
        "2.weight": numbers([1.0, 2.0], [3.0, 1.0]),
        "3.weight": numbers([1.0, 2.0]),
    }
    case = Case(parse(FIVE_LAYERS), params, {"x": np.array([[1.0]])}, np.array([[1.0]]), "float64")
    case.save(tmp_path / "case.npz")
    return str(tmp_path / "case.npz")


OVER_TWO_SAMPLES = """\
network   x[2,2] -> dense(2) -> relu -> dense(2) -> tanh -> dense(1) -> sse(reduction=batch_mean)
layers    L = 4: 2 · 2 · 2 · 1 nodes; layer 1 is the input, layer L the output
weight    params['2.weight'][0, 0] = 1 (indices from 0), in symbols w_11^(L-1) (from 1)
loss      C_0 = Σ_j (a_j^(L) - y_j)² = 1.5625

∂C_0/∂w_11^(L-1) = ∂C_0/∂a_1^(L-1) · ∂a_1^(L-1)/∂z_1^(L-1) · ∂z_1^(L-1)/∂w_11^(L-1)
  ∂C_0/∂a_1^(L-1) = Σ_j ∂C_0/∂a_j^(L) · ∂a_j^(L)/∂z_j^(L) · ∂z_j^(L)/∂a_1^(L-1)
    j = 1:
      ∂C_0/∂a_1^(L) = 2(a_1^(L) - y_1) = 2(0.25 - (-1)) = 2.5
      ∂a_1^(L)/∂z_1^(L) = g'^(L)(z_1^(L)) = identity'(0.25) = 1
      ∂z_1^(L)/∂a_1^(L-1) = w_11^(L) = 3   (params['4.weight'][0, 0])
      product = 2.5 · 1 · 3 = 7.5
  ∂C_0/∂a_1^(L-1) = 7.5
  ∂a_1^(L-1)/∂z_1^(L-1) = g'^(L-1)(z_1^(L-1)) = tanh'(0) = 1
  ∂z_1^(L-1)/∂w_11^(L-1) = a_1^(L-2) = 2
∂C_0/∂w_11^(L-1) = 7.5 · 1 · 2 = 15

over 2 samples, i = 0 … 1 (above: i = 0)
C = 1/2 · Σ_i C_i = 5.31717
∂C/∂w_11^(L-1) = 1/2 · Σ_i ∂C_i/∂w_11^(L-1) = 7.5

∂C/∂params['2.weight'][0, 0] = 7.5
"""

DERIVED_ONCE = """\
network   x[1] -> dense(1, bias=false) -> dense(2, bias=false) -> dense(2, bias=false) ->
          dense(1, bias=false) -> mse(scale=0.5)
layers    L = 5: 1 · 1 · 2 · 2 · 1 nodes; layer 1 is the input, layer L the output
weight    params['0.weight'][0, 0] = 2 (indices from 0), in symbols w_11^(L-3) (from 1)
loss      C_0 = Σ_j (a_j^(L) - y_j)² = 25

∂C_0/∂w_11^(L-3) = ∂C_0/∂a_1^(L-3) · ∂a_1^(L-3)/∂z_1^(L-3) · ∂z_1^(L-3)/∂w_11^(L-3)
  ∂C_0/∂a_1^(L-3) = Σ_j ∂C_0/∂a_j^(L-2) · ∂a_j^(L-2)/∂z_j^(L-2) · ∂z_j^(L-2)/∂a_1^(L-3)
    j = 1:
      ∂C_0/∂a_1^(L-2) = Σ_j ∂C_0/∂a_j^(L-1) · ∂a_j^(L-1)/∂z_j^(L-1) · ∂z_j^(L-1)/∂a_1^(L-2)
        j = 1:
          ∂C_0/∂a_1^(L-1) = Σ_j ∂C_0/∂a_j^(L) · ∂a_j^(L)/∂z_j^(L) · ∂z_j^(L)/∂a_1^(L-1)
            j = 1:
              ∂C_0/∂a_1^(L) = 2(a_1^(L) - y_1) = 2(6 - 1) = 10
              ∂a_1^(L)/∂z_1^(L) = g'^(L)(z_1^(L)) = identity'(6) = 1
              ∂z_1^(L)/∂a_1^(L-1) = w_11^(L) = 1   (params['3.weight'][0, 0])
              product = 10 · 1 · 1 = 10
          ∂C_0/∂a_1^(L-1) = 10
          ∂a_1^(L-1)/∂z_1^(L-1) = g'^(L-1)(z_1^(L-1)) = identity'(-2) = 1
          ∂z_1^(L-1)/∂a_1^(L-2) = w_11^(L-1) = 1   (params['2.weight'][0, 0])
          product = 10 · 1 · 1 = 10
        j = 2:
          ∂C_0/∂a_2^(L-1) = Σ_j ∂C_0/∂a_j^(L) · ∂a_j^(L)/∂z_j^(L) · ∂z_j^(L)/∂a_2^(L-1)
            j = 1:
              ∂C_0/∂a_1^(L) = 2(a_1^(L) - y_1) = 2(6 - 1) = 10
              ∂a_1^(L)/∂z_1^(L) = g'^(L)(z_1^(L)) = identity'(6) = 1
              ∂z_1^(L)/∂a_2^(L-1) = w_12^(L) = 2   (params['3.weight'][0, 1])
              product = 10 · 1 · 2 = 20
          ∂C_0/∂a_2^(L-1) = 20
          ∂a_2^(L-1)/∂z_2^(L-1) = g'^(L-1)(z_2^(L-1)) = identity'(4) = 1
          ∂z_2^(L-1)/∂a_1^(L-2) = w_21^(L-1) = 3   (params['2.weight'][1, 0])
          product = 20 · 1 · 3 = 60
      ∂C_0/∂a_1^(L-2) = 10 + 60 = 70
      ∂a_1^(L-2)/∂z_1^(L-2) = g'^(L-2)(z_1^(L-2)) = identity'(2) = 1
      ∂z_1^(L-2)/∂a_1^(L-3) = w_11^(L-2) = 1   (params['1.weight'][0, 0])
      product = 70 · 1 · 1 = 70
    j = 2:
      ∂C_0/∂a_2^(L-2) = Σ_j ∂C_0/∂a_j^(L-1) · ∂a_j^(L-1)/∂z_j^(L-1) · ∂z_j^(L-1)/∂a_2^(L-2)
        j = 1:
          ∂C_0/∂a_1^(L-1) = 10   (= above)
          ∂a_1^(L-1)/∂z_1^(L-1) = g'^(L-1)(z_1^(L-1)) = identity'(-2) = 1
          ∂z_1^(L-1)/∂a_2^(L-2) = w_12^(L-1) = 2   (params['2.weight'][0, 1])
          product = 10 · 1 · 2 = 20
        j = 2:
          ∂C_0/∂a_2^(L-1) = 20   (= above)
          ∂a_2^(L-1)/∂z_2^(L-1) = g'^(L-1)(z_2^(L-1)) = identity'(4) = 1
          ∂z_2^(L-1)/∂a_2^(L-2) = w_22^(L-1) = 1   (params['2.weight'][1, 1])
          product = 20 · 1 · 1 = 20
      ∂C_0/∂a_2^(L-2) = 20 + 20 = 40
      ∂a_2^(L-2)/∂z_2^(L-2) = g'^(L-2)(z_2^(L-2)) = identity'(-2) = 1
      ∂z_2^(L-2)/∂a_1^(L-3) = w_21^(L-2) = -1   (params['1.weight'][1, 0])
      product = 40 · 1 · (-1) = -40
  ∂C_0/∂a_1^(L-3) = 70 + (-40) = 30
  ∂a_1^(L-3)/∂z_1^(L-3) = g'^(L-3)(z_1^(L-3)) = identity'(2) = 1
  ∂z_1^(L-3)/∂w_11^(L-3) = a_1^(L-4) = 1
∂C_0/∂w_11^(L-3) = 30 · 1 · 1 = 30

C = 0.5 · C_0 = 12.5
∂C/∂w_11^(L-3) = 0.5 · ∂C_0/∂w_11^(L-3) = 15

∂C/∂params['0.weight'][0, 0] = 15.0
"""


def test_a_derivation_over_two_samples(two_samples: str) -> None:
    assert said("--case", two_samples, "--weight", "2.weight[0,0]") == OVER_TWO_SAMPLES


def test_a_derivative_that_many_branches_need_is_derived_once(five_layers: str) -> None:
    assert said("--case", five_layers, "--weight", "0.weight[0,0]") == DERIVED_ONCE


def test_another_sample_has_the_same_total(two_samples: str) -> None:
    first, second = (said("--case", two_samples, "--sample", s).splitlines() for s in "01")
    assert "∂C_1/∂w_22^(L-1)" in second[5]
    assert first[-1] == second[-1]


def test_the_default_is_the_worked_weight_of_the_lecture() -> None:
    text = said()
    assert "layers    L = 4: 2 · 2 · 3 · 2 nodes; layer 1 is the input, layer L the output\n" in text
    assert re.search(
        r"weight    params\['2.weight'\]\[1, 1\] = \S+ \(indices from 0\), in symbols w_22\^\(L-1\) ", text
    )
    assert "\n∂C_0/∂w_22^(L-1) = ∂C_0/∂a_2^(L-1) · ∂a_2^(L-1)/∂z_2^(L-1) · ∂z_2^(L-1)/∂w_22^(L-1)\n" in text
    assert re.search(r"\n∂C/∂params\['2.weight'\]\[1, 1\] = -?\d+\.\d+\S*\n\Z", text)


def test_the_seed_chooses_the_numbers() -> None:
    assert said() == said("--seed", "0")
    assert said() != said("--seed", "1")


def test_a_bias_has_a_last_factor_of_one() -> None:
    text = said("--weight", "2.bias[0]")
    assert "\n  ∂z_1^(L-1)/∂b_1^(L-1) = 1\n" in text
    assert re.search(r"\n∂C_0/∂b_1\^\(L-1\) = \S+ · \S+ · 1 = ", text)


def test_a_network_of_two_layers_has_no_layer_before_the_last() -> None:
    assert "∂C_0/∂w_11^(L) = ∂C_0/∂a_1^(L) · " in said("x[1] -> dense(1) -> sse")


def test_of_a_long_sum_the_first_terms_are_written_and_the_rest_added_up() -> None:
    text = said("x[2] -> dense(2) -> tanh -> dense(40) -> sse", "--weight", "0.weight[0,0]", "--terms", "3")
    assert len(text.splitlines()) < 40
    found = re.search(r"\n    j = 4 … 40: 37 more products of this form, together (\S+)\n", text)
    assert found
    (parts, whole), *_ = re.findall(r"\n  ∂C_0/∂a_1\^\(L-1\) = (.* \+ .*) = (\S+)\n", text)
    values = [float(p.strip("()")) for p in parts.split(" + ")]
    assert (len(values), values[-1]) == (4, float(found[1]))
    assert sum(values) == pytest.approx(float(whole), rel=1e-4)


def test_a_sum_is_not_cut_to_hide_a_single_term() -> None:
    text = said("x[2] -> dense(2) -> dense(5) -> sse", "--weight", "0.weight[0,0]")
    assert "j = 5:\n" in text
    assert "more products" not in text


def test_activations_in_a_row_are_one_g() -> None:
    text = said("x[2] -> dense(2) -> tanh -> elu(alpha=0.5) -> sse", "--weight", "0.weight[0,0]")
    assert "= g'^(L)(z_1^(L)) = (elu(alpha=0.5)∘tanh)'(" in text


def test_a_shared_weight_has_a_derivation_for_each_use() -> None:
    text = said("x[2] -> dense(2) -> tanh -> dense(2, weight=@0.weight) -> sse", "--weight", "0.weight[0,1]")
    assert "in symbols w_12^(L-1) and w_12^(L) (from 1)\n" in text
    assert "\n2 layers share params['0.weight'][0, 1] = w, so ∂C_0/∂w is the sum of the derivatives above\n" in text
    first, second, total = (
        float(v) for v in re.findall(r"^∂C_0/∂w\S* = .* = (\S+)$", text, flags=re.MULTILINE) if "∂" not in v
    )
    assert total == pytest.approx(first + second, rel=1e-4)


# fmt: off
SHARES = [  # input, loss, what the sum over samples is multiplied with, samples
    ("x[4]",     "sse",                                 None,    1),
    ("x[4]",     "sse(scale=0.5)",                      "0.5",   1),
    ("x[4]",     "mse",                                 "1/3",   1),
    ("x[2,4]",   "sse",                                 None,    2),
    ("x[2,4]",   "sse(reduction=batch_mean)",           "1/2",   2),
    ("x[2,4]",   "mse",                                 "1/6",   2),
    ("x[2,5,4]", "sse(reduction=batch_mean, scale=3.0)", "3/2",  10),
]
# fmt: on


@pytest.mark.parametrize(("start", "loss", "share", "samples"), SHARES)
def test_the_loss_is_a_share_of_the_sum_over_samples(start: str, loss: str, share: str | None, samples: int) -> None:
    text = said(f"{start} -> dense(3) -> {loss}", "--weight", "0.weight[2,1]")
    assert ("C_i" in text) is (samples > 1)
    assert (f"over {samples} samples, i = 0 … {samples - 1} (above: i = 0)\n" in text) is (samples > 1)
    inner = "Σ_i C_i" if samples > 1 else "C_0"
    assert (f"\nC = {share} · {inner} = " in text) is (share is not None)


def test_loss_and_gradient_are_those_of_the_architecture(tmp_path: Path) -> None:
    architecture = parse("x[2,3,2] -> dense(3) -> tanh -> dense(2) -> mse(scale=2.0)")
    rng = np.random.default_rng(5)
    params = {k: rng.standard_normal((1, *s)) for k, s in architecture.param_shapes.items()}
    x, y = rng.standard_normal((1, 2, 3, 2)), rng.standard_normal((1, 2, 3, 2))

    def loss(step: float) -> float:
        w = params["0.weight"][0].copy()
        w[2, 1] += step
        a = np.tanh(x[0] @ w.T + params["0.bias"][0])
        return float(2 * np.mean((a @ params["2.weight"][0].T + params["2.bias"][0] - y[0]) ** 2))

    Case(architecture, params, {"x": x}, y).save(tmp_path / "case.npz")
    text = said("--case", str(tmp_path / "case.npz"), "--weight", "0.weight[2,1]")
    assert f"\nC = 2/12 · Σ_i C_i = {loss(0.0):.6g}\n" in text
    assert float(text.rpartition(" = ")[2]) == pytest.approx((loss(1e-5) - loss(-1e-5)) / 2e-5, abs=1e-7)


def test_a_point_of_a_saved_case_is_explained(tmp_path: Path) -> None:
    architecture = parse("x[1] -> dense(1, bias=false) -> sse")
    weight, x, y = np.array([[[1.0]], [[2.0]]]), np.array([[1.0], [3.0]]), np.array([[0.0], [1.0]])
    Case(architecture, {"0.weight": weight}, {"x": x}, y).save(tmp_path / "case.npz")
    asked = ("--case", str(tmp_path / "case.npz"), "--weight", "0.weight[0,0]")
    assert said(*asked).endswith("∂C/∂params['0.weight'][0, 0] = 2.0\n")  # 2(1·1 - 0) · 1
    assert said(*asked, "--point", "1").endswith("∂C/∂params['0.weight'][0, 0] = 30.0\n")  # 2(2·3 - 1) · 3
    assert "--point 2: the points of the case are 0 to 1" in complaint(*asked, "--point", "2")


def test_a_network_deeper_than_the_recursion_limit_is_explained() -> None:
    chain = " -> ".join(["dense(1)"] * 1200)
    assert "^(L-1199)" in said(f"x[1] -> {chain} -> sse", "--weight", "0.weight[0,0]")


def test_overflow_is_shown_and_raises_nothing(tmp_path: Path) -> None:
    architecture = parse("x[1] -> dense(1) -> sin -> dense(1) -> sse")
    huge = {k: np.full((1, *s), 1e300) for k, s in architecture.param_shapes.items()}
    Case(architecture, huge, {"x": np.array([[1e300]])}, np.array([[0.0]])).save(tmp_path / "case.npz")
    assert said("--case", str(tmp_path / "case.npz")).endswith("= nan\n")


def test_indices_of_two_digits_are_set_apart() -> None:
    assert symbol("w", 3, 4, 1, 1) == "w_22^(L-1)"
    assert symbol("w", 4, 4, 10, 1) == "w_{11,2}^(L)"
    assert symbol("a", 1, 4, 11) == "a_12^(L-3)"


def test_the_derivation_and_the_gradients_are_equal_to_the_last_bit() -> None:
    layers = [
        textbook.Layer([[0.3, -0.7], [1.1, 0.2], [0.9, 0.4]], [0.1, 0.2, 0.3], "mish"),
        textbook.Layer([[0.5, 0.6, -0.2], [0.7, -0.8, 0.1]], None, "sin"),
        textbook.Layer([[1.5, -0.4]], [0.25], "softsign"),
    ]
    x, y = [0.6, -0.9], [0.3]
    whole = textbook.gradients(layers, [x], [y])
    for l, rows in whole.weights.items():
        for j, row in enumerate(rows):
            assert [derivation(layers, x, y, l=l, j=j, k=k).value for k in range(len(row))] == row
    for l, biases in whole.biases.items():
        assert [derivation(layers, x, y, l=l, j=j, k=None).value for j in range(len(biases))] == biases


COVERED = ", ".join(textbook.ROWS)
# fmt: off
NOT_COVERED = [
    ("x[2] -> tanh -> dense(2) -> sse",
     "the first node must be dense (the textbook's layer 1 is the input itself), but node 0 (tanh) stands there"),
    ("x[2] -> sse",
     "the first node must be dense (the textbook's layer 1 is the input itself), but there is no node"),
    ("x[2] -> dense(2) -> softmax -> sse",
     f"node 1 (softmax) is not covered: explain covers chains of dense layers and elementwise activations ({COVERED})"),
    ("x[2] -> h: dense(2) -> tanh -> add(h) -> sse",
     f"node 2 (add) is not covered: explain covers chains of dense layers and elementwise activations ({COVERED})"),
    ("x[2] -> dense(2); x -> dense(2) -> sse",
     "node 1 (dense) does not follow node 0: explain covers chains, each node on the one before it"),
    ("x[2] -> h: dense(2) -> tanh; h -> sse",
     "loss (sse) does not follow node 1, the last one of the chain"),
    ("x[2] -> dense(2) -> mae",
     "loss (mae) is not covered: explain covers the sum of squared errors, as sse or mse"),
    ("x[2]; u[2] -> dense(2) -> sse",
     "explain covers networks with one float input, but this one has x (float), u (float)"),
    ("x[2]:int64 -> dense(2) -> sse",
     "explain covers networks with one float input, but this one has x (int64)"),
    ("x[1000000] -> dense(1000000) -> sse",
     "the network has 1,000,000,000,000 products of a weight and an activation (weights times samples); explain "
     "writes them out one by one and covers at most 200,000"),
]
HAS = "this network has 0.weight [2,2], 0.bias [2], 2.weight [3,2], 2.bias [3], 4.weight [2,3], 4.bias [2]"
WRONG_WEIGHTS = [
    ("foo",            f"write a key and a 0-based index, as in 2.weight[1,1]; {HAS}"),
    ("2.weight[1,1",   f"write a key and a 0-based index, as in 2.weight[1,1]; {HAS}"),
    ("2.weight[1,a]",  f"write a key and a 0-based index, as in 2.weight[1,1]; {HAS}"),
    ("2.weight[]",     f"write a key and a 0-based index, as in 2.weight[1,1]; {HAS}"),
    ("",               f"write a key and a 0-based index, as in 2.weight[1,1]; {HAS}"),
    ("9.weight[0,0]",  f"there is no parameter '9.weight'; {HAS}"),
    ("2.weight[3,0]",  "index 3 on axis 0 of 2.weight must be from 0 to 2"),
    ("2.weight[0,-1]", "index -1 on axis 1 of 2.weight must be from 0 to 1"),
    ("2.weight[1]",    "2.weight has the shape [3,2]; it needs as many 0-based indices, 2, not 1"),
    ("2.bias[1,1]",    "2.bias has the shape [3]; it needs as many 0-based indices, 1, not 2"),
]
# fmt: on


@pytest.mark.parametrize(("architecture", "message"), NOT_COVERED)
def test_what_is_not_covered_is_named(architecture: str, message: str) -> None:
    assert complaint(architecture) == f"Error: {message}"


@pytest.mark.parametrize(("weight", "message"), WRONG_WEIGHTS)
def test_a_wrong_weight_is_named_with_its_rule(weight: str, message: str) -> None:
    assert complaint("--weight", weight) == f"Error: --weight {weight!r}: {message}"


def test_a_saved_case_brings_its_own_architecture_and_numbers(two_samples: str) -> None:
    rest = "but --case FILE brings its own architecture and numbers"
    assert complaint("x[1] -> dense(1) -> sse", "--case", two_samples).endswith(rest)
    assert complaint("--case", two_samples, "--seed", "0") == f"Error: --seed is 0, {rest}"
    assert complaint("--point", "1") == "Error: --point 1 belongs to a saved case: give --case FILE too"


def test_a_saved_case_that_is_not_covered_is_refused(tmp_path: Path) -> None:
    architecture = parse("x[1] -> dense(1, bias=false) -> mae")
    numbers = np.array([[1.0]])
    Case(architecture, {"0.weight": numbers[None]}, {"x": numbers}, numbers).save(tmp_path / "case.npz")
    assert "loss (mae) is not covered" in complaint("--case", str(tmp_path / "case.npz"))


def test_a_sample_out_of_range_is_refused(two_samples: str) -> None:
    found = complaint("--case", two_samples, "--sample", "2")
    assert found == "Error: --sample 2: the samples of the input are 0 to 1"


@pytest.mark.parametrize("option", ["--seed", "--sample", "--point"])
def test_a_negative_number_is_refused(option: str) -> None:
    assert f"Invalid value for '{option}'" in complaint(option, "-1")


@pytest.mark.parametrize("arguments", [("x[2] -> dens(2) -> sse",), ("--case", "nowhere.npz")])
def test_a_malformed_question_is_left_to_the_group(arguments: tuple[str, ...]) -> None:
    assert isinstance(ask(*arguments).exception, SpecError)

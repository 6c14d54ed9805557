"""The lecture's worked weight, w_22^(L-1) in a network of four layers, computed by hand.

Two nodes in each layer, L = 4; logarithms of 3 make the activations come out even:

    layer 1   a^(1) = (1, 2)
    layer 2   relu      W = [[1, -1], [3, -0.5]]   b = (0, 0)
              z_1 = 1·1 - 1·2 = -1         a_1 = relu(-1) = 0
              z_2 = 3·1 - 0.5·2 = 2        a_2 = relu(2) = 2
    layer 3   sigmoid   W = [[5, 0], [-4, 0.5]]    b = (0, ln 3 - 1)
              z_1 = 5·0 + 0·2 = 0          a_1 = 1/2
              z_2 = -4·0 + 0.5·2 + ln 3 - 1 = ln 3 = 1.0986
              a_2 = 1/(1 + 1/3) = 3/4      g'(z_2) = 3/4 · 1/4 = 3/16 = 0.1875
    layer 4   tanh      W = [[1, 2], [-1, 0.8]]    b = (½ ln 3 - 2, 0.2)
              z_1 = 1/2 + 2·3/4 + ½ ln 3 - 2 = ½ ln 3 = 0.5493
              a_1 = (3 - 1)/(3 + 1) = 1/2  g'(z_1) = 1 - 1/4 = 3/4
              z_2 = -1/2 + 0.8·3/4 + 0.2 = 0.3
              a_2 = tanh 0.3 = 0.29131     g'(z_2) = 1 - 0.29131² = 0.91514
    targets   y = (1, -0.7)

w_22^(3) leads from node 2 of layer 2 to node 2 of layer 3: row 1, column 1 of layer 3's weight. Its factors:

    ∂C_0/∂a_2^(3) = Σ_j ∂C_0/∂a_j^(4) · ∂a_j^(4)/∂z_j^(4) · ∂z_j^(4)/∂a_2^(3)
        j = 1:  2(1/2 - 1) = -1             ·  3/4      ·  w_12^(4) = 2      =  -1.5
        j = 2:  2(0.29131 + 0.7) = 1.98263  ·  0.91514  ·  w_22^(4) = 0.8    =   1.45150
                                                                        sum  =  -0.04850
    ∂a_2^(3)/∂z_2^(3) = 3/16 = 0.1875
    ∂z_2^(3)/∂w_22^(3) = a_2^(2) = 2
    product: -0.04850 · 0.1875 · 2 = -0.01819
"""

from __future__ import annotations

import math

import pytest

from crosscheck.backprop import textbook as tb
from crosscheck.report.explain import derivation

LN3 = math.log(3)
LAYERS = [
    tb.Layer([[1.0, -1.0], [3.0, -0.5]], [0.0, 0.0], "relu"),
    tb.Layer([[5.0, 0.0], [-4.0, 0.5]], [0.0, LN3 - 1], "sigmoid"),
    tb.Layer([[1.0, 2.0], [-1.0, 0.8]], [LN3 / 2 - 2, 0.2], "tanh"),
]
X, Y = [1.0, 2.0], [1.0, -0.7]

# tanh 0.3, from the exponentials of its definition
TANH_03 = (math.exp(0.3) - math.exp(-0.3)) / (math.exp(0.3) + math.exp(-0.3))
TERM_1 = (-1.0, 0.75, 2.0)
TERM_2 = (2 * (TANH_03 + 0.7), 1 - TANH_03**2, 0.8)
DC_DA = -1.5 + 2 * (TANH_03 + 0.7) * (1 - TANH_03**2) * 0.8
GRADIENT = DC_DA * (3 / 16) * 2


def close(value: float) -> object:
    return pytest.approx(value, rel=1e-12, abs=1e-12)


def test_the_numbers_of_the_comment_are_those_asserted() -> None:
    assert list(TERM_2) == pytest.approx([1.98263, 0.91514, 0.8], abs=5e-6)
    assert [math.prod(TERM_1), math.prod(TERM_2)] == pytest.approx([-1.5, 1.45150], abs=5e-6)
    assert abs(DC_DA - -0.04850) < 5e-6
    assert abs(GRADIENT - -0.01819) < 5e-6


def test_the_forward_gives_the_activations_computed_by_hand() -> None:
    trace = tb.forward(LAYERS, X)
    assert trace.z == {2: [-1.0, 2.0], 3: [0.0, close(LN3)], 4: [close(LN3 / 2), close(0.3)]}
    assert trace.a == {1: [1.0, 2.0], 2: [0.0, 2.0], 3: [0.5, close(0.75)], 4: [close(0.5), close(TANH_03)]}
    assert tb.loss(trace.a[4], Y) == close(0.25 + (TANH_03 + 0.7) ** 2)


def test_each_factor_is_the_one_computed_by_hand() -> None:
    trace = tb.forward(LAYERS, X)
    first, second = trace.z[4]
    assert [tb.dC_da_output(a, y) for a, y in zip(trace.a[4], Y, strict=True)] == [close(-1.0), close(TERM_2[0])]
    assert [tb.da_dz(LAYERS[2], first), tb.da_dz(LAYERS[2], second)] == [close(0.75), close(TERM_2[1])]
    assert [tb.dz_da(LAYERS[2], 0, 1), tb.dz_da(LAYERS[2], 1, 1)] == [2.0, 0.8]
    assert tb.dC_da(LAYERS, trace, Y)[3][1] == close(DC_DA)
    assert tb.da_dz(LAYERS[1], trace.z[3][1]) == close(3 / 16)
    assert tb.dz_dw(trace.a[2][1]) == 2.0


def test_the_product_is_the_gradient() -> None:
    assert tb.gradients(LAYERS, [X], [Y]).weights[3][1][1] == close(GRADIENT)


def test_the_derivation_holds_the_same_factors_in_the_same_order() -> None:
    root = derivation(LAYERS, X, Y, l=3, j=1, k=1)
    (product,) = root.terms
    dC_da, da_dz, dz_dw = product.factors
    assert (dC_da.value, da_dz.value, dz_dw.value) == (close(DC_DA), close(3 / 16), 2.0)
    assert [[f.value for f in t.factors] for t in dC_da.terms] == [[close(v) for v in t] for t in (TERM_1, TERM_2)]
    assert [t.value for t in dC_da.terms] == [close(-1.5), close(math.prod(TERM_2))]
    assert root.value == close(GRADIENT)


def test_the_derivation_names_its_factors_as_the_lecture_does() -> None:
    root = derivation(LAYERS, X, Y, l=3, j=1, k=1)
    assert root.symbol == "∂C_0/∂w_22^(L-1)"
    assert root.formula == "∂C_0/∂a_2^(L-1) · ∂a_2^(L-1)/∂z_2^(L-1) · ∂z_2^(L-1)/∂w_22^(L-1)"
    assert [f.formula for f in root.terms[0].factors] == [
        "Σ_j ∂C_0/∂a_j^(L) · ∂a_j^(L)/∂z_j^(L) · ∂z_j^(L)/∂a_2^(L-1)",
        "g'^(L-1)(z_2^(L-1))",
        "a_2^(L-2)",
    ]
    assert [f.formula for f in root.terms[0].factors[0].terms[0].factors] == [
        "2(a_1^(L) - y_1)",
        "g'^(L)(z_1^(L))",
        "w_12^(L)",
    ]

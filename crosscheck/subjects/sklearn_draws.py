"""Random networks that scikit-learn's estimators compute, by its recipes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.strategies.cases import POINTS, numbers
from crosscheck.strategies.values import MILD
from crosscheck.subjects.sklearn_mlp import Recipe


def architectures(recipe: Recipe) -> st.SearchStrategy[Architecture]:
    """The recipe's networks, simplest first."""
    width = st.sampled_from(recipe.widths)
    hidden = st.sampled_from(recipe.hidden_depths).flatmap(lambda n: st.tuples(*[width] * n))
    return st.builds(
        lambda batch, inputs, hidden, activation, outputs, weighted, l2: recipe.architecture(
            batch=batch,
            inputs=inputs,
            hidden=hidden,
            activation=activation,
            outputs=outputs,
            weighted=weighted,
            l2=l2,
        ),
        st.sampled_from(recipe.batches),
        width,
        hidden,
        st.sampled_from(recipe.activations),
        st.sampled_from(recipe.outputs),
        st.sampled_from(recipe.weighted),
        st.sampled_from(recipe.l2),
    )


def cases(
    recipes: Sequence[Recipe], *, dtypes: Sequence[str] = ("float64",), points: int = POINTS
) -> st.SearchStrategy[Case]:
    """Cases of all recipes. Its losses clip saturated probabilities, so that mild values are drawn."""
    return st.one_of(
        [
            numbers(
                architectures(r),
                dtypes=dtypes,
                points=points,
                families=MILD,
                targets="binary" if r.target_kind == "binary" else "any",
            )
            for r in recipes
        ]
    )

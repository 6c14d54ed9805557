"""What users import: every name resolves, says what it does, and is the same object as in its room."""

from __future__ import annotations

import importlib
import inspect

import pytest

import crosscheck


@pytest.mark.parametrize("name", crosscheck.__all__)
def test_a_public_name_resolves_and_has_a_docstring_of_its_own(name: str) -> None:
    found = getattr(crosscheck, name)
    own = vars(found).get("__doc__") if inspect.isclass(found) else found.__doc__
    assert own, f"crosscheck.{name} has no docstring"
    assert not own.startswith(f"{name}("), f"crosscheck.{name} has only the docstring that @dataclass makes"
    assert found.__module__.startswith("crosscheck.")


def test_the_list_of_names_and_their_homes_agree() -> None:
    homes = [name for names in crosscheck._HOMES.values() for name in names]
    assert sorted(homes) == sorted(crosscheck.__all__)
    assert sorted(crosscheck.__all__) == list(crosscheck.__all__)
    for module, names in crosscheck._HOMES.items():
        for name in names:
            assert getattr(crosscheck, name) is getattr(importlib.import_module(module), name)


def test_dir_lists_them_and_an_unknown_name_is_an_attribute_error() -> None:
    assert set(crosscheck.__all__) <= set(dir(crosscheck))
    with pytest.raises(AttributeError, match=r"^module 'crosscheck' has no attribute 'chekc'$"):
        crosscheck.chekc  # noqa: B018


@pytest.mark.parametrize("name", crosscheck.__all__)
def test_a_public_function_or_method_is_annotated(name: str) -> None:
    """The package is typed (py.typed): its users' type checkers read these signatures."""
    found = getattr(crosscheck, name)
    functions = [found] if inspect.isfunction(found) else [f for f in vars(found).values() if inspect.isfunction(f)]
    for function in functions:
        if function.__module__.startswith("crosscheck.") and not function.__name__.startswith("__"):
            asked = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
            assert {*asked, "return"} <= set(function.__annotations__), function.__qualname__


def test_the_type_marker_is_in_the_package() -> None:
    assert importlib.resources.files("crosscheck").joinpath("py.typed").is_file()


def test_errors_have_one_base() -> None:
    assert issubclass(crosscheck.SpecError, (crosscheck.CrosscheckError, ValueError))
    assert issubclass(crosscheck.UsageError, crosscheck.CrosscheckError)
    assert issubclass(crosscheck.GradientMismatch, AssertionError)
    assert issubclass(crosscheck.NothingVerified, AssertionError)

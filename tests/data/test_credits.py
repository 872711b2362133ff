from pathlib import Path

import pytest

from attncourse import data
from attncourse.data import credit
from attncourse.data.credits import CREDITS

PAGE = Path(__file__).parents[2] / "book" / "credits.md"


@pytest.mark.parametrize("name", CREDITS)
def test_every_credit_is_of_a_loader(name: str) -> None:
    assert callable(getattr(data, name))
    assert len(credit(name).split(", ")) >= 2


def test_terms_are_named() -> None:
    assert credit("solar_cells").endswith("CC BY-NC-SA 4.0")
    assert credit("fashion").endswith("MIT licence")
    assert credit("mnist_digits").endswith("CC BY-SA 3.0")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"loader must be one of.*'emnist'"):
        credit("emnist")


@pytest.mark.parametrize("name", CREDITS)
def test_every_loader_is_on_the_credits_page(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text()

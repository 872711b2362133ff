"""Glued values arrive in the page as MyST-NB reads them."""

import IPython.display
import nbformat
import numpy as np
import pytest
import torch

from attncourse.viz import glue, gluing

myst_glue = pytest.importorskip("myst_nb.ext.glue")
variables = pytest.importorskip("myst_nb.core.variables")


@pytest.fixture
def page(monkeypatch):
    """Return a function that says what the page reads after some glue."""
    outputs = []

    def display(data, *, raw, metadata):
        assert raw
        outputs.append(
            nbformat.v4.new_output("display_data", data, metadata=metadata)
        )

    monkeypatch.setattr(IPython.display, "display", display)

    def read():
        cell = nbformat.v4.new_code_cell(outputs=list(outputs))
        found = dict(myst_glue.extract_glue_data_cell(cell))
        return found, cell.outputs

    return read


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (0.91372, ".2f", "0.91"),
        (5, "d", "5"),
        (np.float32(0.25), ".1%", "25.0%"),
        (np.int64(7), "s", "7"),
        (torch.tensor([0.125]), ".3f", "0.125"),
        ("mean 'pooling'", "s", "mean 'pooling'"),
    ],
)
def test_value_can_be_formatted_in_the_prose(page, value, form, written):
    glue("share", value)
    found, shown = page()
    text = found["share"]["data"]["text/plain"]
    assert variables.format_plain_text(text, form) == written
    assert not shown


def test_text_is_quoted_as_it_is(page):
    glue("share", 0.62, text="about 62 %")
    glue("digit", 3, text="3")
    found, _ = page()
    texts = [found[x]["data"]["text/plain"] for x in ("share", "digit")]
    assert variables.format_plain_text(texts[0], "s") == "about 62 %"
    assert variables.format_plain_text(texts[1], "s") == "3"


def test_live_notebook_shows_the_value_as_well(page, monkeypatch):
    monkeypatch.setattr(gluing, "is_live", lambda: True)
    glue("share", 0.62)
    found, (shown,) = page()
    assert shown["data"]["text/html"] == "<code>share</code> = 0.62"
    assert found["share"]["data"]["text/plain"] == "0.62"


@pytest.mark.parametrize("name", ["", "a b", "a:b"])
def test_name_must_fit_the_role(name):
    with pytest.raises(ValueError, match="letters, digits"):
        glue(name, 1)


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("value", [True, torch.ones(2), [1], np.ones(3), 1j])
def test_value_must_be_one_number_or_a_string(value):
    with pytest.raises(ValueError, match=r"value is .*one number or a string"):
        glue("share", value)

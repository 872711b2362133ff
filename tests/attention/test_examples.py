"""The examples in the docstrings run as they are written."""

import doctest

import pytest
import torch

from attncourse import attention

EXAMPLES = [
    example
    for name in attention.__all__
    for example in doctest.DocTestFinder(recurse=False).find(
        getattr(attention, name), name, globs={}
    )
    if example.examples
]


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda case: case.name)
def test_an_example_gives_what_it_says(example: doctest.DocTest) -> None:
    timm = pytest.importorskip("timm")
    example.globs.update(vars(attention), torch=torch, timm=timm)
    runner = doctest.DocTestRunner()
    runner.run(example, clear_globs=False)
    assert runner.failures == 0


def test_every_mechanism_has_one() -> None:
    names = {example.name for example in EXAMPLES}
    mechanisms = {
        name
        for name in attention.__all__
        if hasattr(getattr(attention, name), "attend")
    }
    assert mechanisms - names == set()

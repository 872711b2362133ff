"""Shared by the tests of the mechanisms."""

import pytest

from tests.attention.cases import CASES, Case


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Every mechanism in turn; skips what the case says it cannot do."""
    found: Case = request.param
    name = request.function.__name__.removeprefix("test_")
    if name in found.skip:
        pytest.skip(found.skip[name])
    return found


@pytest.fixture
def masked_case(case: Case) -> Case:
    """Every mechanism that takes a mask."""
    if not case.has_mask:
        pytest.skip("this mechanism takes no mask")
    return case

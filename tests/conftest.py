"""Shared by all tests."""

from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture
def as_shipped() -> Iterator[None]:
    """Run the package as readers get it, without the check of its hints.

    The check answers before the package's own errors could, and a compiler
    cannot see through it.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

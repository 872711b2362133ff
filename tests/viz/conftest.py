"""Shared by the tests of the figures."""

from collections.abc import Iterator

import jaxtyping
import matplotlib
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def drawn_off_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Draw without a display, as for a page, and leave no figure open."""
    matplotlib.use("Agg")
    monkeypatch.setenv("ATTNCOURSE_STATIC", "1")
    yield
    plt.close("all")


@pytest.fixture
def as_shipped() -> Iterator[None]:
    """Run the package without the check of its hints.

    The check answers before the package's own errors could.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)

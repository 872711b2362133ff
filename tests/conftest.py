"""Shared by all tests."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import jaxtyping
import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def as_shipped() -> Iterator[None]:
    """Run the package as readers get it, without the check of its hints.

    The check answers before the package's own errors could, and a compiler
    cannot see through it.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return the one headless browser that a process may start."""
    found = filter(None, map(shutil.which, BROWSERS))
    executable = next(found, None)
    if executable is None:
        reason = f"none of {', '.join(BROWSERS)} is installed"
        if os.environ.get("ATTNCOURSE_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    sync_api = pytest.importorskip("playwright.sync_api")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
    switches += ["--disable-background-networking", "--disable-sync"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=switches
        )
        yield browser
        browser.close()

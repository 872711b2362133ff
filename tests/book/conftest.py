"""The built book, parsed once, and one headless browser for all tests."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import course_execution as execution
import pytest

SITE = execution.ROOT / "_build" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def documents() -> list[str]:
    """Every page that has a source, as the book names it."""
    prose = sorted((execution.ROOT / "book").rglob("*.md"))
    files = [*prose, *execution.lessons()]
    root = execution.ROOT
    return [str(f.relative_to(root).with_suffix("").as_posix()) for f in files]


@pytest.fixture(scope="session")
def site() -> Path:
    if not (SITE / "searchindex.js").exists():
        pytest.fail("the book is not built: run `make book`")
    return SITE


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
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

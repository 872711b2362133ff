"""The built book, parsed once and served."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import course_execution as execution
import pytest

SITE = execution.ROOT / "_build" / "html"


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

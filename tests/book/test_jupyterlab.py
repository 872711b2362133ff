"""The lessons in a real JupyterLab, as `make lab` opens them."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import course_execution as execution
import course_workspace as workspace
import nbformat
import pytest
from nbformat.v4 import new_code_cell

pytestmark = pytest.mark.browser

LESSONS = [lesson.stem for lesson in execution.lessons()]
WHOLE = {
    "02_scaled_dot_product": "dot_product",
    "05_squeeze_excitation": "squeeze_excitation",
}
"""Lessons that are run, with the topic of their exercises."""
SCREENSHOTS = execution.ROOT / "_build" / "screenshots"
SETTINGS = {"windowingMode": "none"}  # so that every cell is drawn
MINUTES = 4
RAW = re.compile(r"\{[\w:]+\}`|:::|^\([a-z0-9-]{4,}\)=$", re.MULTILINE)
"""A role, a directive or a target that stands as it was written."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    assert workspace.renew(execution.lessons(), folder / "workspace") == []
    for name, topic in WHOLE.items():
        file = folder / "workspace" / f"{name}.ipynb"
        notebook = nbformat.read(file, as_version=4)
        notebook.cells += [
            new_code_cell(
                "from attncourse.exercises import check, exercises\n"
                f'some = exercises("{topic}").values()\n'
                "task = next(x for x in some if not x.hand_in)\n"
                'check(task.name, "a wrong answer")'
            ),
            new_code_cell("check(task.name, task.solution)"),
        ]
        nbformat.write(notebook, file)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    settings = folder / "settings/@jupyterlab/notebook-extension"
    settings.mkdir(parents=True)
    name = "tracker.jupyterlab-settings"
    (settings / name).write_text(json.dumps(SETTINGS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--IdentityProvider.token=",
        "--LabApp.news_url=",
        "--LabApp.extension_manager=readonly",
        f"--LabApp.user_settings_dir={folder / 'settings'}",
    ]
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(
        command,
        stdout=log,
        stderr=log,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def wait_for(address: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60 * MINUTES
    while time.monotonic() < deadline:
        assert process.poll() is None, "JupyterLab has stopped"
        try:
            with urlopen(f"{address}/api/status", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail("JupyterLab does not answer")


class Lab:
    """One notebook, open in JupyterLab."""

    def __init__(self, browser: Any, server: str, name: str) -> None:
        self.messages: list[str] = []
        self.page = browser.new_page(viewport={"width": 1300, "height": 1000})
        self.page.set_default_timeout(60_000 * MINUTES)
        self.page.on("console", self.note)
        self.page.on("pageerror", lambda e: self.messages.append(str(e)))
        path = f"workspace/{name}.ipynb"
        self.page.goto(f"{server}/lab/tree/{path}?reset")
        self.page.locator(".jp-Notebook .jp-MarkdownCell").first.wait_for()
        idle = "[data-status=idle], .jp-Notebook-ExecutionIndicator"
        self.page.locator(idle).first.wait_for(state="attached")
        self.page.wait_for_timeout(1500)

    def note(self, message: Any) -> None:
        if message.type == "error":
            self.messages.append(message.text)

    def texts(self) -> list[str]:
        cells = self.page.locator(".jp-MarkdownCell")
        return cells.evaluate_all("all => all.map(cell => cell.innerText)")

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"lab-{name}.png")


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_opens(name: str, browser: Any, server: str) -> None:
    lab = Lab(browser, server, name)
    texts = lab.texts()
    written = nbformat.read(execution.ROOT / f"lessons/{name}.ipynb", 4)
    assert len(texts) == sum(1 for _ in execution.text_cells(written))
    for text in texts:
        assert "Unknown" not in text
        assert not RAW.search(text)
    faults = lab.page.locator(".jp-MarkdownCell .myst-error, .error")
    assert faults.count() == 0
    assert lab.messages == []
    lab.picture(name)
    lab.page.close()


@pytest.mark.parametrize("name", WHOLE)
def test_a_lesson_runs_whole(name: str, browser: Any, server: str) -> None:
    lab = Lab(browser, server, name)
    page = lab.page
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    last = page.locator(".jp-CodeCell").last
    last.get_by_text("Right").wait_for()
    values = [value for _, value in execution.values(lesson_file(name))]
    within_a_minute(page, lambda: not missing(values, lab.texts()))
    assert missing(values, lab.texts()) == []
    judged = page.locator(".jp-CodeCell").nth(-2)
    assert "Not yet" in judged.inner_text()
    move_a_slider(page)
    page.set_viewport_size({"width": 1300, "height": 6000})
    lab.picture(f"{name}-run")
    assert lab.messages == []
    page.close()


def lesson_file(name: str) -> Path:
    return execution.ROOT / "lessons" / f"{name}.ipynb"


def move_a_slider(page: Any) -> None:
    slider = page.locator(".jp-OutputArea .noUi-handle").first
    slider.scroll_into_view_if_needed()
    readout = page.locator(".jp-OutputArea .widget-readout").first
    before = readout.inner_text()
    slider.focus()
    page.keyboard.press("ArrowRight")
    within_a_minute(page, lambda: readout.inner_text() != before)
    assert readout.inner_text() != before


def within_a_minute(page: Any, seen: Callable[[], bool]) -> None:
    for _ in range(60):
        if seen():
            return
        page.wait_for_timeout(1000)


def missing(values: list[str], texts: list[str]) -> list[str]:
    shown = " ".join(" ".join(texts).split())
    return [v for v in values if " ".join(v.split()) not in shown]

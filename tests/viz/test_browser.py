"""The script of the explorable figures, in a browser."""

from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from attncourse.viz import explore, figure

pytestmark = pytest.mark.browser


def draw(temperature, rule="soft"):
    figure, ax = plt.subplots(figsize=(1.1, 0.7))
    ax.plot([0, temperature], ls="-" if rule == "soft" else ":")
    return figure


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return a page with one figure of two sliders, shown twice."""
    html = explore(
        draw,
        alt="A line",
        start={"temperature": 3},
        temperature=[2, 3, 5],
        rule=["soft", "hard"],
    ).html
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><html lang=en data-theme=light>"
        "<title>Two figures</title>"
        f"<main><h1>Two</h1>{html}{html}</main>"
    )
    return page.as_uri()


def test_keys_move_one_figure_and_its_text(browser, file):
    page = browser.new_page()
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(file)
    moved, other = page.locator(".explore").all()
    image = moved.locator(".plate-light")
    start = image.get_attribute("src")

    def state(box):
        shown = box.locator("output").all_inner_texts()
        return (*shown, box.locator("img").first.get_attribute("alt"))

    rest = ("3", "soft", "A line (temperature 3, rule soft)")
    assert state(moved) == state(other) == rest
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert state(moved) == ("5", "soft", "A line (temperature 5, rule soft)")
    assert image.get_attribute("src") != start
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert state(moved) == ("5", "hard", "A line (temperature 5, rule hard)")
    texts = [
        slider.get_attribute("aria-valuetext")
        for slider in moved.locator("input").all()
    ]
    assert texts == ["5", "hard"]
    page.keyboard.press("Home")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowLeft")
    assert image.get_attribute("src") == start
    assert state(moved) == state(other) == rest
    assert image.evaluate("image => image.naturalWidth") == 220
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = moved.locator(".plate-dark")
    start = dark.get_attribute("src")
    page.keyboard.press("ArrowRight")
    assert dark.is_visible()
    assert not image.is_visible()
    assert dark.get_attribute("src") != start
    assert not messages
    page.close()


@pytest.mark.parametrize(
    ("page", "dark_system", "dark"),
    [
        ("<html data-theme=light><body>", True, False),
        ("<html data-theme=dark><body>", False, True),
        ("<html><body data-jp-theme-light=true>", True, False),
        ("<html><body data-jp-theme-light=false>", False, True),
        ("<html data-content_root=./><body>", True, False),
        ("<html><body>", True, True),
        ("<html><body>", False, False),
    ],
)
def test_one_image_is_seen_and_it_is_that_of_the_theme(
    browser, page, dark_system, dark
):
    scheme = "dark" if dark_system else "light"
    tab = browser.new_page(color_scheme=scheme)
    html = figure(plt.figure(figsize=(1, 1)), alt="An empty figure").html
    tab.set_content(f"<!doctype html>{page}{html}")
    assert tab.locator(".plate-dark").is_visible() is dark
    assert tab.locator(".plate-light").is_visible() is not dark
    assert tab.get_by_role("img").count() == 1
    tab.emulate_media(media="print")
    assert tab.locator(".plate-light").is_visible()
    assert not tab.locator(".plate-dark").is_visible()
    tab.close()


def test_without_script_and_on_paper_there_is_the_start_frame(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file)
    box = page.locator(".explore").first
    assert box.locator("img").first.is_visible()
    assert box.locator("output").first.inner_text() == "3"
    assert not box.locator("input").first.is_visible()
    context.close()
    page = browser.new_page()
    page.goto(file)
    assert page.locator("input").first.is_visible()
    page.emulate_media(media="print")
    assert not page.locator("input").first.is_visible()
    assert page.locator("img").first.is_visible()
    page.close()


def test_axe_finds_nothing(browser, file):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(file)
    found = axe.Axe().run(page).response["violations"]
    assert [violation["id"] for violation in found] == []
    page.close()

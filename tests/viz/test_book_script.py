"""The script and the styles of the book's pages, in a browser."""

from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from attncourse.viz import figure

STATIC = Path(__file__).parents[2] / "book" / "_static"
pytestmark = pytest.mark.browser
PAGE = """<!doctype html>
<html lang="en" data-theme="light" style="scroll-padding-top: 4rem">
<meta name="viewport" content="width=device-width">
<title>A page</title>
<style>{style} body {{ margin: 1rem }} section {{ min-height: 70vh }}
#toc {{ position: fixed; top: 0; right: 0 }}</style>
<nav id="toc"><nav id="pst-page-toc-nav" aria-label="contents">
<ul><li class="toc-entry"><a href="#one">One</a></li>
<li class="toc-entry"><a href="#two">Two</a><ul>
<li class="toc-entry"><a href="#deep">Deep</a></li></ul></li>
<li class="toc-entry"><a href="#end">End</a></li></ul></nav></nav>
<main class="bd-article"><h1>A page</h1><p>Start</p>
<section id="one"><h2>One</h2>{figure}
<p>Here is a word that is explained, <a class="gloss" href="#end"
aria-describedby="tip">feature map</a><span class="tip" role="tooltip"
id="tip">What a layer computes for each position.</span>.</p>
<table class="stacked"><thead><tr><th>claim</th><th>verdict</th></tr></thead>
<tbody><tr><td data-label="claim">gain</td><td data-label="verdict">supported
</td></tr></tbody></table></section>
<section id="two"><h2>Two</h2><section id="deep"><h3>Deep</h3></section>
</section><section id="end" style="min-height: 0"><h2>End</h2></section>
</main><script>{script}</script>"""


@pytest.fixture(params=[1280, 390])
def page(browser, request):
    """Return a page with a figure, a term, a table and its contents."""
    with plt.rc_context():
        shown = figure(
            plt.figure(figsize=(2, 1)), alt="An empty figure", caption="None."
        )
    width = request.param
    page = browser.new_page(viewport={"width": width, "height": 700})
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_content(
        PAGE.format(
            style=(STATIC / "course.css").read_text("utf-8"),
            script=(STATIC / "page.js").read_text("utf-8"),
            figure=shown.html,
        )
    )
    yield page
    assert not faults
    page.close()


def marked(page):
    page.wait_for_timeout(60)
    return page.evaluate(
        "[...document.querySelectorAll('#toc a[aria-current]')]"
        ".map((link) => link.hash)"
    )


def test_a_figure_opens_and_closes_by_keyboard(page):
    button = page.get_by_role("button", name="Enlarge figure")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="None.")
    assert dialog.is_visible()
    assert dialog.get_by_role("img", name="An empty figure").count() == 1
    box = dialog.get_by_role("img").bounding_box()
    assert box["width"] >= 200
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.className") == "plate-open"


def test_a_figure_opens_by_click(page):
    page.get_by_role("img", name="An empty figure").click()
    page.get_by_role("button", name="Close").click()
    assert page.locator("dialog").count() == 0 or (
        not page.locator("dialog").is_visible()
    )


def test_the_contents_mark_the_section_in_view(page):
    assert marked(page) == []
    for name in ("deep", "one", "two", "end"):  # jumps, and upwards
        page.evaluate(f"document.querySelector('a[href=\"#{name}\"]').click()")
        assert marked(page) == [f"#{name}"]
    top = "document.getElementById('two').getBoundingClientRect().top"
    page.evaluate(f"scrollBy(0, {top} - 80)")  # the heading is not yet there
    assert marked(page) == ["#one"]


def test_a_tip_is_shown_inside_the_window_and_dismissed(page):
    link = page.locator(".gloss")
    tip = page.locator(".tip")
    assert not tip.is_visible()
    link.hover()
    assert tip.is_visible()
    link.focus()
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.viewport_size["width"]
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def test_cells_of_a_stacked_table_say_their_column(page):
    cell = page.locator("td[data-label=verdict]")
    label = cell.evaluate("cell => getComputedStyle(cell, '::before').content")
    narrow = page.viewport_size["width"] < 600
    assert ('"verdict"' in label) is narrow


def test_paper_is_white(page):
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == "dark"

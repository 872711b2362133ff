"""The built pages in headless Chromium: silent, local, usable by anyone."""

from collections.abc import Iterator
from typing import Any

import course_execution as execution
import pytest

from tests.book.conftest import documents

pytestmark = pytest.mark.browser

DOCUMENTS = documents()
LESSONS = [name for name in DOCUMENTS if name.startswith("lessons/")]
VIEWS = {
    "light": {"width": 1280, "height": 900},
    "dark": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
}
SCREENSHOTS = execution.ROOT / "_build" / "screenshots"
SETTLED = "() => window.MathJax?.startup?.promise?.then(() => true) ?? true"


class Visit:
    """One page open in one view, with all that it said and asked for."""

    def __init__(self, context: Any, address: str) -> None:
        self.address = address
        self.messages: list[str] = []
        self.outside: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda m: self.messages.append(m.text))
        self.page.on("pageerror", lambda e: self.messages.append(str(e)))
        self.page.on("requestfailed", lambda r: self.messages.append(r.url))
        self.page.on("response", self.note_fault)
        self.page.route("**/*", self.guard)

    def note_fault(self, response: Any) -> None:
        if response.status >= 400:
            self.messages.append(f"{response.status} {response.url}")

    def guard(self, route: Any) -> None:
        url = route.request.url
        if url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(url)
            route.abort()

    def open(self, name: str) -> None:
        self.page.goto(f"{self.address}/{name}.html")
        self.page.wait_for_function(SETTLED)


@pytest.fixture(scope="module", params=VIEWS)
def view(request: Any, browser: Any) -> Iterator[tuple[str, Any]]:
    scheme = "dark" if request.param == "dark" else "light"
    context = browser.new_context(
        color_scheme=scheme, viewport=VIEWS[request.param]
    )
    yield request.param, context
    context.close()


@pytest.fixture
def desk(browser: Any, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport=VIEWS["light"])
    yield Visit(context, address)
    context.close()


@pytest.mark.parametrize("name", [*DOCUMENTS, "search", "genindex"])
def test_page(name: str, view: tuple[str, Any], address: str) -> None:
    label, context = view
    visit = Visit(context, address)
    visit.open(name)
    page = visit.page
    assert page.evaluate("document.documentElement.dataset.theme") == (
        "dark" if label == "dark" else "light"
    )
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= VIEWS[label]["width"], "the page scrolls sideways"
    check_equations(page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    picture = SCREENSHOTS / f"{name.replace('/', '_')}-{label}.png"
    page.screenshot(path=picture, full_page=True)
    assert visit.outside == []
    assert visit.messages == []
    check_accessibility(page, colours=label != "phone")
    page.close()


def check_equations(page: Any) -> None:
    written = page.locator("main .math").count()
    assert page.locator("mjx-container").count() >= written
    faults = "mjx-merror, [data-mjx-error], mjx-container [style*='red']"
    assert page.locator(faults).count() == 0


def check_accessibility(page: Any, *, colours: bool) -> None:
    """Ask axe-core; the phone has the colours of the light page."""
    from axe_playwright_python.sync_playwright import Axe

    options = {
        "preload": False,
        "resultTypes": ["violations"],
        "rules": {"color-contrast": {"enabled": colours}},
    }
    found = Axe().run(page, options=options).response["violations"]
    faults = [(v["id"], n["html"][:120]) for v in found for n in v["nodes"]]
    assert not faults


@pytest.mark.parametrize("name", LESSONS)
def test_sliders_move_by_keyboard(name: str, desk: Visit) -> None:
    desk.open(name)
    figures = desk.page.locator(".explore")
    for figure in figures.all():
        image = figure.locator("img:visible")
        for slider in figure.locator("input[type=range]").all():
            before = image.get_attribute("src"), image.get_attribute("alt")
            slider.focus()
            at_end = slider.input_value() == slider.get_attribute("max")
            slider.press("ArrowLeft" if at_end else "ArrowRight")
            assert image.get_attribute("src") != before[0]
            assert image.get_attribute("alt") != before[1]
            assert slider.get_attribute("aria-valuetext")
    assert desk.messages == []


@pytest.mark.parametrize("name", LESSONS)
def test_solutions_open_by_keyboard(name: str, desk: Visit) -> None:
    desk.open(name)
    for solution in desk.page.locator("details.sd-dropdown").all():
        assert solution.get_attribute("open") is None
        solution.locator("summary").press("Enter")
        assert solution.get_attribute("open") is not None


@pytest.mark.parametrize("name", LESSONS)
def test_first_frame_shows_without_scripts(
    name: str, browser: Any, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{name}.html")
    for figure in page.locator(".explore").all():
        image = figure.locator("img:visible")
        image.scroll_into_view_if_needed()
        assert image.is_visible()
        assert not figure.locator("input").first.is_visible()
    context.close()


@pytest.mark.parametrize("name", LESSONS)
def test_a_question_is_answered_by_keyboard(name: str, desk: Visit) -> None:
    desk.open(name)
    page = desk.page
    for question in page.locator("fieldset.quiz").all():
        radios, answer = (
            question.locator("input"),
            question.get_by_role("status"),
        )
        assert answer.inner_text() == ""
        radios.first.focus()
        outline = "e => getComputedStyle(e).outlineStyle"
        page.keyboard.press("ArrowDown")
        assert radios.nth(1).evaluate(outline) != "none"
        assert "Press Enter" in answer.inner_text()
        page.keyboard.press("Enter")
        first = answer.inner_text()
        assert first.startswith(("✓ Right.", "✗ No."))
        page.keyboard.press("ArrowUp")
        assert answer.inner_text() not in (first, "")
    assert desk.messages == []
    assert desk.outside == []


@pytest.mark.parametrize("name", LESSONS)
def test_an_answer_stays_in_this_browser(name: str, desk: Visit) -> None:
    desk.open(name)
    page = desk.page
    page.locator("fieldset.quiz label").last.click()
    kept = page.locator("fieldset.quiz .quiz-answer").last.inner_text()
    assert kept.startswith(("✓ Right.", "✗ No."))
    check_accessibility(page, colours=True)
    page.reload()
    answer = page.locator("fieldset.quiz .quiz-answer").last
    assert answer.inner_text() == kept
    assert page.locator("fieldset.quiz input:checked").count() == 1
    assert page.context.cookies() == []
    page.evaluate("localStorage.clear()")
    page.reload()
    assert answer.inner_text() == ""
    assert page.locator("fieldset.quiz input:checked").count() == 0
    assert desk.outside == []


def test_a_question_works_without_storage(desk: Visit) -> None:
    deny = "() => { throw new DOMException('denied', 'SecurityError'); }"
    desk.page.add_init_script(
        f"Object.defineProperty(window, 'localStorage', {{get: {deny}}})"
    )
    desk.page.goto(f"{desk.address}/{LESSONS[0]}.html")
    desk.page.locator("fieldset.quiz label").first.click()
    answer = desk.page.locator("fieldset.quiz .quiz-answer").first
    assert answer.inner_text().startswith(("✓ Right.", "✗ No."))


@pytest.mark.parametrize("name", LESSONS)
def test_explanations_open_without_scripts(
    name: str, browser: Any, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{name}.html")
    for details in page.locator("fieldset.quiz details").all():
        details.locator("summary").click()
        assert details.locator(".quiz-why").is_visible()
    assert not page.locator("fieldset.quiz input").first.is_visible()
    context.close()


def test_search_finds_a_lesson(desk: Visit) -> None:
    desk.page.goto(f"{desk.address}/search.html?q=softmax")
    results = desk.page.locator("#search-results ul.search > li")
    results.first.wait_for()
    links = results.locator("a").evaluate_all("all => all.map(a => a.href)")
    assert any("/lessons/" in link for link in links)
    assert desk.messages == []


def test_code_can_be_copied(desk: Visit) -> None:
    desk.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.open(LESSONS[0])
    cell = desk.page.locator("div.cell_input:visible").first
    cell.hover()
    cell.locator("button.copybtn").click()
    copied = desk.page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()


def test_theme_can_be_changed(desk: Visit) -> None:
    desk.open("book/index")
    modes = set()
    for _ in range(3):
        desk.page.locator("button.theme-switch-button").first.click()
        modes.add(desk.page.evaluate("document.documentElement.dataset.mode"))
    assert modes == {"light", "dark", "auto"}
    assert desk.messages == []

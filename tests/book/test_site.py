"""The built pages, read as files: nothing foreign, nothing broken."""

import os
import re
from copy import copy
from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import course_address
import course_bench
import course_claims
import course_execution as execution
import course_pages
import pytest
from bs4 import BeautifulSoup, Tag

from attncourse import trials
from attncourse.trials.claim import claim_file, of_november
from attncourse.trials.record import recorded
from tests.book.conftest import SITE, documents

pytestmark = pytest.mark.site

DOCUMENTS = documents()
LESSONS = [name for name in DOCUMENTS if name.startswith("lessons/")]
EXTRA = ["search", "genindex"]
FOREIGN = re.compile(r"^(https?:)?//")
LOADED = {
    "src": ("script", "img", "iframe", "source", "video", "audio", "embed"),
    "href": ("link",),
    "data": ("object",),
}

every_page = pytest.mark.parametrize("name", DOCUMENTS + EXTRA)
every_lesson = pytest.mark.parametrize("name", LESSONS)
every_numbered_lesson = pytest.mark.parametrize(
    "name", [name for name in LESSONS if name[len("lessons/")].isdigit()]
)


@pytest.fixture(autouse=True)
def built(site: Path) -> None:
    """Ask for the book, so that its absence is one clear failure."""


@cache
def page(name: str) -> BeautifulSoup:
    text = (SITE / f"{name}.html").read_text(encoding="utf8")
    return BeautifulSoup(text, "html.parser")


def heading(name: str) -> str:
    text = article(name).select_one("h1").get_text()
    return " ".join(re.sub(r"^[\d.]+ |#$", "", text.strip()).split())


def article(name: str) -> Tag:
    found = page(name).find("article")
    assert isinstance(found, Tag)
    return found


@cache
def anchors(file: Path) -> set[str]:
    text = file.read_text(encoding="utf8")
    return set(re.findall(r'<[^<>]*\bid="([^"]+)"', text))


@every_page
def test_loads_nothing_from_elsewhere(name: str) -> None:
    for attribute, tags in LOADED.items():
        for tag in page(name).find_all(tags, attrs={attribute: FOREIGN}):
            assert "canonical" in tag.get("rel", []), tag
    inline = [s.get_text() for s in page(name).find_all(["script", "style"])]
    hosts = r"//[\w.]*(jsdelivr|unpkg|cdnjs|googleapis|cloudflare|bootstrap)"
    assert not any(re.search(hosts, text) for text in inline)


def test_styles_load_nothing_from_elsewhere() -> None:
    for file in SITE.rglob("*.css"):
        text = file.read_text(encoding="utf8")
        foreign = r"(url\(|@import)\s*['\"]?\s*(https?:)?//"
        assert not re.search(foreign, text), file


@every_page
def test_links_and_anchors_resolve(name: str) -> None:
    here = SITE / f"{name}.html"
    for link in page(name).find_all("a", href=True):
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc:
            continue
        path = unquote(parts.path)
        target = (here.parent / path).resolve() if path else here
        assert target.is_file(), link["href"]
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in anchors(target), link["href"]


@every_page
def test_images_have_alternative_text(name: str) -> None:
    for image in page(name).select("main img"):
        alt = image.get("alt", "")
        assert len(alt.strip()) >= 8, image.get("src", "")[:80]
        assert not re.search(r"_images/|\.(png|jpg|svg|webp)$", alt), alt


@every_page
def test_nothing_is_left_unrendered(name: str) -> None:
    text = BeautifulSoup(str(page(name).find("main")), "html.parser")
    for code in text.find_all(["code", "pre", "script", "style"]):
        code.decompose()
    left = re.findall(r"\{[\w:]+\}`[^`]*`|:::|\$\$", text.get_text())
    assert not left
    assert not text.select(".problematic, .system-message")


@every_page
def test_needs_no_widget_state(name: str) -> None:
    text = (SITE / f"{name}.html").read_text(encoding="utf8")
    assert "vnd.jupyter.widget" not in text
    assert "require.js" not in text
    assert "require.min.js" not in text


@every_page
def test_page_is_light(name: str) -> None:
    assert (SITE / f"{name}.html").stat().st_size < 2_500_000


@every_page
def test_page_says_its_language_and_name(name: str) -> None:
    assert page(name).html["lang"] == "en"
    assert page(name).title.get_text().strip()
    assert len(page(name).select("article h1, #search-results")) == 1


@every_page
def test_mathjax_is_loaded_where_there_are_equations(name: str) -> None:
    scripts = [str(s) for s in page(name).find_all("script")]
    loaded = any("mathjax" in script.lower() for script in scripts)
    assert loaded == bool(page(name).select("article .math"))


@every_numbered_lesson
def test_lesson_has_equations_and_code(name: str) -> None:
    assert article(name).select("div.math, span.math")
    assert article(name).select("div.cell_input pre")
    scripts = [s.get("src", "") for s in page(name).find_all("script")]
    assert any("tex-chtml-full.js" in source for source in scripts)
    assert any("copybutton.js" in source for source in scripts)


@every_lesson
def test_lesson_can_be_downloaded_and_launched(name: str) -> None:
    links = [a["href"] for a in page(name).find_all("a", href=True)]
    stem = name.removeprefix("lessons/")
    assert f"../notebooks/{stem}.ipynb" in links
    assert not any("_sources" in link for link in links)
    services = course_address.notebook(stem).values()
    assert all(address in links for address in services)
    if not services:
        assert not any("colab" in x or "mybinder" in x for x in links)


@every_page
def test_no_button_leads_to_a_repository_without_an_address(
    name: str,
) -> None:
    address = course_address.repository()
    buttons = page(name).select(".article-header-buttons a[href^=http]")
    if address is None:
        assert not buttons
    for button in buttons:
        assert "attention-measured/attention-measured" not in button["href"]


@every_numbered_lesson
def test_lesson_shows_its_outputs(name: str) -> None:
    assert article(name).select("div.cell_output")
    assert article(name).select("figure img, img")


@every_page
def test_questions_load_their_script(name: str) -> None:
    questions = page(name).select("article fieldset.quiz")
    sources = [s.get("src", "") for s in page(name).find_all("script")]
    assert any("question.js" in x for x in sources) == bool(questions)
    for question in questions:
        assert question["id"]
        assert question.legend.get_text().strip().endswith("?")
        assert len(question.select(".quiz-right")) == 1
        options = question.select(".quiz-option")
        assert len(options) == len(question.select(".quiz-why"))
        for why in question.select(".quiz-why"):
            mark = why.select_one(".quiz-mark").get_text()
            assert len(why.get_text()) > len(mark) + 8


@every_numbered_lesson
def test_hints_and_verdicts_are_shown(name: str) -> None:
    titles = [
        summary.get_text().strip()
        for summary in article(name).select("details.sd-dropdown > summary")
    ]
    assert titles.count("Hint 1") >= 4
    assert titles.count("Hint 2") >= titles.count("Hint 1")
    text = article(name).get_text()
    assert text.count("✗ Not yet") >= 4
    assert text.count("✓ Right") >= 4


@every_page
def test_every_page_is_in_the_contents(name: str) -> None:
    here = os.path.dirname(name) or "."
    for link in page(name).select("nav.bd-links a.internal[href]"):
        path = os.path.normpath(
            os.path.join(here, urlsplit(link["href"]).path)
        )
        known = name if link["href"] == "#" else path.removesuffix(".html")
        assert known in DOCUMENTS
        numbered = " ".join(link.get_text().split())
        assert numbered.endswith(heading(known))
    links = page(name).select("nav.bd-links a.internal[href]")
    assert len(links) == len(DOCUMENTS)


def test_no_page_is_stale() -> None:
    found = {
        str(file.relative_to(SITE).with_suffix("").as_posix())
        for file in SITE.rglob("*.html")
        if "_static" not in file.parts
    }
    assert found - {"py-modindex", "index"} == {*DOCUMENTS, *EXTRA}


def test_front_page_leads_to_welcome() -> None:
    assert "book/index.html" in (SITE / "index.html").read_text()


def test_search_knows_every_lesson() -> None:
    index = (SITE / "searchindex.js").read_text(encoding="utf8")
    assert all(f'"{name}"' in index for name in DOCUMENTS)


def test_every_public_name_is_described() -> None:
    described = anchors(SITE / "book" / "api.html")
    names = ("insert", "standalone", "watch")
    expected = {f"attncourse.{name}" for name in names}
    for name in course_pages.subpackages():
        described |= anchors(SITE / "book" / "api" / f"{name}.html")
        module = import_module(f"attncourse.{name}")
        expected |= {f"attncourse.{name}.{n}" for n in module.__all__}
    missing = expected - described
    assert not missing


def test_every_reference_is_listed() -> None:
    source = (execution.ROOT / "book" / "references.bib").read_text()
    keys = re.findall(r"^@\w+\{([^,]+),", source, re.MULTILINE)
    listed = article("book/references").select("div.citation")
    assert len(listed) == len(keys) > 0
    for entry in listed:
        assert entry.select('a[href^="https://"]'), entry.get_text()


def test_every_lesson_has_its_timing() -> None:
    rows = article("book/timings").select("tbody tr")
    assert len(rows) == len(LESSONS)
    for lesson in LESSONS:
        assert article("book/timings").select(f'a[href="../{lesson}.html"]')
    for row in rows:
        assert float(row.find_all("td")[-1].get_text()) > 0


def test_glossary_has_its_terms() -> None:
    terms = article("book/glossary").select("dl.glossary > dt")
    assert len(terms) >= 30


def test_the_bench_page_shows_every_recorded_race() -> None:
    recorded = course_bench.records()
    if not recorded:
        pytest.skip("no bench recorded")
    text = article("book/bench").get_text()
    matches = [m for b in recorded for m in course_bench.pairs(b.races)]
    for forward, training in matches:
        assert forward.mechanism in text
        assert f"{forward.fastest:.2f}" in text
        assert f"{training.fastest:.2f}" in text
    for bench in recorded:
        assert bench.command in text
        for race in bench.races:
            if race.reached is False:
                assert f"{race.goal:.2f}" in text
    figures = article("book/bench").select("figure.plate")
    assert len(figures) == sum(bool(bench.growth) for bench in recorded)


def test_the_claims_page_shows_every_claim_and_its_verdict() -> None:
    page = article("book/claims")
    summary, *_ = page.select("figure img")
    rows = page.select("table")[0].select("tbody tr")
    numbers = course_claims.numbered()
    assert set(numbers) == set(trials.claims())
    assert len(rows) == len(numbers) >= 20
    for (name, number), row in zip(numbers.items(), rows, strict=True):
        case, record = trials.claim(name), trials.load(name)
        cells = row.find_all("td")
        headline = case.headline(record)
        assert cells[0].get_text() == f"{number} {name}. {headline}"
        assert cells[0].a["href"] == f"#{name}"
        found = case.find(record)
        assert cells[1].strong.get_text() == found.word
        said = cells[1].get_text()
        assert ("21 November" in said) == of_november(record)
        assert ("to settle: " in said) == (found.word == "not settled")
        assert f"{name}: {found.word}, " in summary["alt"]
        value = found.effect
        assert value in cells[2].get_text()
        assert value in cells[2].svg["aria-label"]
        assert cells[3].get_text()
        links = [link["href"] for link in cells[4].find_all("a")]
        assert links[0] == f"../lessons/{case.lesson}.html"
        assert links[1:] == [
            f"../claims/{name}.py",
            f"../claims/{name}.json",
        ]
        copies = SITE / "claims"
        assert (copies / f"{name}.py").read_bytes() == (
            claim_file(name).read_bytes()
        )
        assert (copies / f"{name}.json").read_bytes() == (
            recorded()[name].read_bytes()
        )


def test_every_claim_has_a_section_with_its_figure() -> None:
    page = copy(article("book/claims"))
    for tip in page.select(".tip"):
        tip.decompose()
    sizes = set()
    for name in trials.claims():
        case, record = trials.claim(name), trials.load(name)
        section = page.find("section", id=name)
        text = " ".join(
            section.get_text()
            .replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
            .split()
        )
        found = case.find(record)
        assert found.word.capitalize() + ". " in text
        assert ("Price. " in text) == (found.word == "not settled")
        assert ("rule of 21 November" in text) == of_november(record)
        assert "What would change it." in text
        assert record.command in text
        for part in "Scene.", "Variants.", "Measured.", "Budget.":
            assert part in text
        for metric in course_claims.measured(case, record):
            assert (
                f"{metric.replace('_', ' ')}, {case.metrics[metric]}" in text
            )
        picture, *_ = section.select("figure img")
        values = ", ".join(f"{value:.3f}" for value in found.per_seed)
        assert f"seed by seed: {values}. " in picture["alt"]
        sizes.add(picture["width"])
        for result in record.variants.values():
            assert f"{result.parameters:,}" in text
    assert len(sizes) == 1, "null results are as large as the others"

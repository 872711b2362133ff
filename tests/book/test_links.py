"""Plain text becomes citations, terms and links: in a small book."""

from pathlib import Path

import course_links
import pytest
from bs4 import BeautifulSoup

from tests.book import small_book

pytestmark = pytest.mark.lengthy

PAGES = {
    "index": "# Home\n\nA feature map here.\n\n```{toctree}\npage\n"
    "book/glossary\nbook/references\nbook/api/viz\n```\n",
    "page": """# A query in the title

[Ö. Müller et al. (2015)](https://arxiv.org/abs/1/) and
[elsewhere](https://example.org) say: Queries meet a feature map, and each
query meets STN; stn is nothing. `feature map`, $query$ and
[a query](index.md) are no terms.

Use `viz.figure(fig)`, `Picture`, `figure` and `nothing.here`.
""",
    "book/glossary": """# Glossary

```{glossary}
feature map
    Vectors, one for each position.

    More of it.

query
    What asks.

STN
    A sampler.
```
""",
    "book/references": "# References\n\n(ref-mueller2015)=\n\n## List\n",
    "book/api/viz": """# viz

```{py:function} attncourse.viz.figure(fig)
```

```{py:class} attncourse.viz.Picture
```
""",
}
BIB = """@article{mueller2015,
  author = {M{\\"u}ller, {\\"O}. and Ng, A.},
  title = {On Looking},
  journal = {Journal of Looks},
  year = {2015},
  url = {https://arxiv.org/abs/1}
}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    folder = tmp_path_factory.mktemp("links")
    files = {f"{name}.md": text for name, text in PAGES.items()}
    files["book/references.bib"] = BIB
    settings = {
        "extensions": ["myst_parser", "course_html", "course_links"],
        "myst_enable_extensions": ["dollarmath"],
    }
    output, warnings = small_book.build(folder, files, settings)
    assert warnings == ""
    html = (output / "page.html").read_text("utf8")
    return BeautifulSoup(html, "html.parser")


def test_a_link_to_a_paper_is_a_citation(page: BeautifulSoup) -> None:
    (cited,) = page.select("a.cite-link")
    assert cited.get_text() == "Ö. Müller et al. (2015)"
    assert cited["href"] == "book/references.html#ref-mueller2015"
    note = page.find(id=cited["aria-describedby"])
    assert note["role"] == "tooltip"
    assert "On looking" in note.get_text()
    assert "arxiv" not in note.get_text()
    assert page.select('a[href="https://example.org"]')


def test_first_uses_of_terms_lead_to_the_glossary(
    page: BeautifulSoup,
) -> None:
    terms = {a.get_text(): a for a in page.select("a.gloss")}
    assert list(terms) == ["Queries", "feature map", "STN"]
    link = terms["feature map"]
    assert link["href"] == "book/glossary.html#term-feature-map"
    note = page.find(id=link["aria-describedby"])
    assert note.get_text() == "Vectors, one for each position."
    assert not page.select("h1 a.gloss, code a.gloss, a a.gloss")


def test_public_names_lead_to_their_description(page: BeautifulSoup) -> None:
    links = {
        a.get_text(): a["href"] for a in page.select("a.reference:has(code)")
    }
    assert links == {
        "viz.figure(fig)": "book/api/viz.html#attncourse.viz.figure",
        "Picture": "book/api/viz.html#attncourse.viz.Picture",
    }


def test_forms_of_a_term() -> None:
    assert course_links.forms("query") == ["query", "querys", "queries"]
    assert course_links.forms("SE") == ["SE", "SEs"]
    assert "softmaxes" in course_links.forms("softmax")


def test_authors_and_year_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "some.bib").write_text(BIB, "utf8")
    known = course_links.citations(tmp_path / "some.bib")
    (found,) = known.values()
    assert found.authors == ("Müller", "Ng")
    assert found.year == "2015"

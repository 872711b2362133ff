"""The address of the repository, which stands in one place.

That is `Repository` below `[project.urls]` in pyproject.toml, or what the
build is given: `COURSE_REPOSITORY`, or the repository in which a workflow
runs, so that a fork's pages lead to the fork.  Without an address the pages
show no button and no link that would lead nowhere.
"""

import os
import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[2]
FORM = re.compile(r"https://[\w.-]+/[\w.-]+/[\w.-]+")


def repository() -> str | None:
    """Address of the repository, without a slash at its end.

    Raises
    ------
    ValueError
        If the address is not of the form https://HOST/OWNER/NAME.
    """
    given = os.environ.get("COURSE_REPOSITORY") or in_workflow() or written()
    if given is None:
        return None
    address = given.rstrip("/")
    if not FORM.fullmatch(address):
        raise ValueError(
            f"the repository's address is {given!r}; one of the form "
            f"https://HOST/OWNER/NAME is needed"
        )
    return address


def in_workflow() -> str | None:
    name = os.environ.get("GITHUB_REPOSITORY")
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{name}" if name else None


def written() -> str | None:
    text = (ROOT / "pyproject.toml").read_text("utf8")
    urls = tomllib.loads(text)["project"].get("urls", {})
    found: str | None = urls.get("Repository")
    return found


def pages() -> str | None:
    """Address of the published book, where it can be known."""
    given = os.environ.get("COURSE_PAGES")
    if given:
        return given.rstrip("/")
    address = repository()
    if address is None or "//github.com/" not in address:
        return None
    owner, name = address.split("/")[-2:]
    return f"https://{owner.lower()}.github.io/{name}"


def notebook(lesson: str) -> dict[str, str]:
    """Where a plain notebook can be opened, by the name of the service."""
    address = repository()
    if address is None or "//github.com/" not in address:
        return {}
    slug = "/".join(address.split("/")[-2:])
    return {
        "Colab": (
            f"https://colab.research.google.com/github/{slug}/blob/"
            f"notebooks/{lesson}.ipynb"
        ),
        "Binder": (
            f"https://mybinder.org/v2/gh/{slug}/notebooks"
            f"?urlpath=lab/tree/{lesson}.ipynb"
        ),
    }


def set_buttons(app: Sphinx, config: Config) -> None:
    """Show the buttons of the repository where it has an address."""
    address = repository()
    options = config.html_theme_options
    options["use_repository_button"] = address is not None
    options["use_issues_button"] = address is not None
    if address is None:
        options.pop("repository_url", None)
    else:
        options["repository_url"] = address
    config.html_baseurl = f"{pages()}/" if pages() else ""


def setup(app: Sphinx) -> None:
    app.connect("config-inited", set_buttons)

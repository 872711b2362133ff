"""Where the book may lead outside, and how `make links` asks there.

`HOSTS` is the one list of hosts that pages, lessons and references link to;
tests hold every address to it, without a network.  `make links` asks each
address; for a DOI it asks the registry, since many publishers refuse scripts.
"""

from urllib.parse import urlsplit

import course_address
from sphinx.application import Sphinx

HOSTS = {
    "aclanthology.org",
    "arxiv.org",
    "creativecommons.org",
    "docs.ray.io",
    "doi.org",
    "github.com",
    "mutmut.readthedocs.io",
    "openaccess.thecvf.com",
    "people.csail.mit.edu",
}
SERVICES = {"colab.research.google.com", "mybinder.org"}
"""Linked where the repository has an address."""
DOI = "https://doi.org/"


def refused(address: str) -> str | None:
    """Why an address may not stand in the book, or None if it may."""
    parts = urlsplit(address)
    if parts.scheme != "https":
        return f"{address}: https is needed"
    known = set(HOSTS)
    if course_address.repository() is not None:
        published = (course_address.repository(), course_address.pages())
        known |= SERVICES | {urlsplit(each or "").netloc for each in published}
    if parts.netloc not in known:
        return f"{address}: {parts.netloc} is not in HOSTS of {__name__}"
    return None


def ask_registry(app: Sphinx, uri: str) -> str | None:
    """Ask the registry of DOIs whether one exists."""
    if not uri.startswith(DOI):
        return None
    return f"{DOI}api/handles/{uri.removeprefix(DOI)}"


def setup(app: Sphinx) -> None:
    app.connect("linkcheck-process-uri", ask_registry)

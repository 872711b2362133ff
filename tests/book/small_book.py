"""A book of a few pages, to try an extension of ours on."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace


def build(
    folder: Path, pages: Mapping[str, str], settings: Mapping[str, Any]
) -> tuple[Path, str]:
    """Write the pages and build them; where they are, and the warnings."""
    source, output = folder / "source", folder / "html"
    for name, text in pages.items():
        file = source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf8")
    warnings = StringIO()
    with docutils_namespace():
        Sphinx(
            str(source),
            None,
            str(output),
            str(folder / "trees"),
            "html",
            confoverrides=dict(settings),
            status=None,
            warning=warnings,
        ).build()
    return output, warnings.getvalue()

"""Numbers of a run, for use in the prose of the page."""

import re
from html import escape
from numbers import Integral, Real
from typing import SupportsFloat

from attncourse.viz.page import is_live

_HIDDEN = "application/papermill.record/"


def glue(
    name: str, value: SupportsFloat | str, text: str | None = None
) -> None:
    """Make a value of this run usable in the prose.

    The page then quotes it by MyST's role, ``{glue:text}`name``` or, for
    numbers, ``{glue:text}`name:.2f```.  In a live notebook the value is
    shown below the cell as well.

    Parameters
    ----------
    name
        Key, used once per notebook.
    value
        A number (of Python, NumPy or a tensor with one element) or a string.
    text
        How the page writes it, where a format is not enough.

    Raises
    ------
    ValueError
        If the name holds a colon or a space, or if the value is neither.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(
            f"name is {name!r}; letters, digits, '_', '-' and '.' are needed"
        )
    plain = _plain(value)
    quoted = plain if text is None else text
    from IPython.display import display

    bundle = {f"{_HIDDEN}text/plain": repr(quoted)}
    prefix = _HIDDEN
    if is_live():
        seen = f"<code>{escape(name)}</code> = {escape(str(quoted))}"
        bundle = {"text/plain": repr(quoted), "text/html": seen}
        prefix = ""
    record = {"scrapbook": {"name": name, "mime_prefix": prefix}}
    display(bundle, raw=True, metadata=record)


def _plain(value: SupportsFloat | str) -> int | float | str:
    if isinstance(value, str | int | float) and type(value) is not bool:
        return value
    try:
        item = value.item() if hasattr(value, "item") else value
    except (RuntimeError, ValueError):
        item = None
    if isinstance(item, bool) or not isinstance(item, Real):
        raise ValueError(
            f"value is {value!r}; one number or a string is needed"
        )
    return int(item) if isinstance(item, Integral) else float(item)

"""Figures with sliders that work in a notebook and in a plain page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from html import escape
from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attncourse.viz.page import asset, is_live
from attncourse.viz.picture import (
    Frame,
    Picture,
    caption_tag,
    check_alt,
    draw_frame,
    figure,
    image_tags,
    style,
)
from attncourse.viz.style import course_style

Value = int | float | str
LIMIT_KB = 400
"""Most that the frames of one explorable figure may weigh, for each theme."""


def explore(
    draw: Callable[..., Figure | Axes],
    *,
    alt: str | Callable[..., str],
    start: Mapping[str, Value] | None = None,
    caption: str | None = None,
    **parameters: Sequence[Value],
) -> Picture:
    """Show a figure with a slider for each parameter.

    In a live notebook the sliders are widgets, and each move calls `draw`
    again.  In the book every frame is drawn beforehand, and a few lines of
    JavaScript choose among them; without JavaScript, and until a slider is
    moved, the start frame is shown.

    Parameters
    ----------
    draw
        Called as ``draw(**values)``; returns a figure or its axes.
    alt
        Alternative text: a string, to which the values are added, or a
        function called as ``alt(**values)``.
    start
        Values of the start frame; the first of each sequence by default.
    caption
        Text below the figure.
    parameters
        One or two parameters, each with its numbers or labels; the names
        ``alt``, ``start`` and ``caption`` are taken.

    Raises
    ------
    ValueError
        If a parameter, a start value or a text is unusable, if the frames
        differ in size, or if together those of one theme, light or dark,
        weigh more than 400 KB.
    """
    study = _Study(draw, alt, caption, parameters, dict(start or {}))
    return study.live() if is_live() else study.static()


@dataclass(frozen=True)
class _Study:
    draw: Callable[..., Figure | Axes]
    alt: str | Callable[..., str]
    caption: str | None
    parameters: Mapping[str, Sequence[Value]]
    start: dict[str, Value]

    def __post_init__(self) -> None:
        if len(self.parameters) not in (1, 2):
            raise ValueError(
                f"parameters are {list(self.parameters)}; "
                "one or two are needed"
            )
        for name, values in self.parameters.items():
            if len(values) < 2 or len(set(values)) < len(values):
                raise ValueError(
                    f"{name} is {values!r}; "
                    "two or more different values are needed"
                )
        for name, value in self.start.items():
            if value not in self.parameters.get(name, ()):
                raise ValueError(
                    f"start has {name}={value!r}; "
                    f"values of {list(self.parameters)} are needed"
                )

    @property
    def first(self) -> dict[str, Value]:
        """Values of the start frame."""
        return {
            name: self.start.get(name, values[0])
            for name, values in self.parameters.items()
        }

    def describe(self, values: Mapping[str, Value]) -> str:
        """Return the alternative text of one frame."""
        if callable(self.alt):
            return check_alt(self.alt(**values))
        stated = ", ".join(
            f"{_words(name)} {_label(value)}" for name, value in values.items()
        )
        return f"{check_alt(self.alt)} ({stated})"

    def frame(self, values: Mapping[str, Value]) -> Frame:
        """Draw one frame."""
        with course_style():
            return draw_frame(self.draw(**values))

    def picture(self, values: Mapping[str, Value]) -> Picture:
        """Draw one frame as a figure of its own."""
        alt = self.describe(values)
        with course_style():
            return figure(self.draw(**values), alt=alt, caption=self.caption)

    def live(self) -> Picture:
        """Return the figure with widgets."""
        import ipywidgets
        from IPython.display import display

        sliders = {
            name: ipywidgets.SelectionSlider(
                options=[(_label(value), value) for value in values],
                value=self.first[name],
                description=_words(name),
                continuous_update=False,
                style={"description_width": "initial"},
            )
            for name, values in self.parameters.items()
        }

        def show(**values: Value) -> None:
            display(self.picture(values))

        widget = ipywidgets.VBox(
            [
                ipywidgets.interactive_output(show, sliders),
                *sliders.values(),
            ]
        )
        still = self.picture(self.first)
        return Picture(still.html, still.png, still.alt, live=widget)

    def static(self) -> Picture:
        """Return the figure with all its frames drawn."""
        choices = [
            dict(zip(self.parameters, values, strict=True))
            for values in product(*self.parameters.values())
        ]
        alts = [self.describe(values) for values in choices]
        frames = [self.frame(values) for values in choices]
        _check_frames(frames)
        start = choices.index(self.first)
        data = {
            "labels": [
                [_label(value) for value in values]
                for values in self.parameters.values()
            ],
            "alts": alts,
            "light": _sources(frames, "source", start),
            "dark": _sources(frames, "dark", start),
        }
        html = self._page(image_tags(frames[start], alts[start]), data)
        return Picture(html, frames[start].png, alts[start])

    def _page(self, image: str, data: Mapping[str, Any]) -> str:
        controls = "".join(
            _control(name, values, self.first[name])
            for name, values in self.parameters.items()
        )
        packed = json.dumps(data).replace("<", "\\u003c")
        digest = sha1((image + packed).encode()).hexdigest()[:12]
        return (
            f"{style('plate.css', 'explore.css')}"
            f'<figure class="plate explore" data-explore="{digest}">'
            f"{image}{controls}{caption_tag(self.caption)}"
            f'<script type="application/json">{packed}</script></figure>'
            f"<script>{asset('explore.js')}</script>"
        )


def _control(name: str, values: Sequence[Value], chosen: Value) -> str:
    text = escape(_label(chosen))
    return (
        '<div class="explore-control">'
        f"<label><span>{escape(_words(name))}</span>"
        f'<input type="range" min="0" max="{len(values) - 1}" step="1" '
        f'value="{values.index(chosen)}" aria-valuetext="{text}" '
        'autocomplete="off" data-lm-suppress-shortcuts="true"></label>'
        f'<output aria-live="off">{text}</output></div>'
    )


def _sources(frames: Sequence[Frame], kind: str, start: int) -> list[str]:
    """Return the images of the frames, less the one the page shows."""
    return [
        "" if index == start else getattr(frame, kind)
        for index, frame in enumerate(frames)
    ]


def _check_frames(frames: Sequence[Frame]) -> None:
    sizes = {frame.size for frame in frames}
    if len(sizes) > 1:
        raise ValueError(
            f"draw returns figures of sizes {sorted(sizes)}; "
            "one size is needed"
        )
    weight = max(
        sum(len(frame.source) for frame in frames) / 1000,
        sum(len(frame.dark) for frame in frames) / 1000,
    )
    if weight > LIMIT_KB:
        raise ValueError(
            f"draw makes {len(frames)} frames of {weight:.0f} KB together; "
            f"at most {LIMIT_KB} KB are allowed: use fewer values or a "
            "smaller figure"
        )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _label(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"

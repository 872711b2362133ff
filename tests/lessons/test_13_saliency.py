"""What lesson 13 says in words, held against the record and the code."""

import pytest
import torch
from torch.nn import functional as F

from attncourse import metrics, trials
from attncourse.data import ViewedDigits
from attncourse.models.saliency import Contrast
from attncourse.trials.setups.saliency import SIGMA, scores

CLAIM, RECORD = trials.claim("centre-bias"), trials.load("centre-bias")
FOUND = {name: each.metrics for name, each in RECORD.variants.items()}
SAID = {
    (each.metric, each.variant, each.against): each.verdict(RECORD)
    for each in CLAIM.predictions
}
TEST = ViewedDigits(300, split="test").draw()
LOOKS = TEST.fixations[:, 1:]


def prior(seen):
    counts = seen.fixations.sum((0, 1))[None, None]
    density = metrics.fixation_density(counts, SIGMA)
    return density.expand(len(TEST.images), -1, -1, -1)


def test_each_score_has_a_best_map_of_its_own() -> None:
    true = scores(TEST.density, TEST)
    blurred = scores(metrics.fixation_density(TEST.density, SIGMA), TEST)
    assert true["auc"] > blurred["auc"]
    assert true["nss"] > blurred["nss"]
    assert blurred["cc"] == pytest.approx(0.76, abs=0.01)
    assert true["cc"] == pytest.approx(0.74, abs=0.01)
    assert blurred["kl"] == pytest.approx(0.33, abs=0.01)
    assert true["kl"] == pytest.approx(0.355, abs=0.01)
    assert blurred["sim"] > true["sim"]


def test_none_of_them_is_best_for_the_shuffled_auc() -> None:
    ratio = TEST.density / prior(ViewedDigits(600).draw())
    reached = scores(ratio, TEST)
    true = scores(TEST.density, TEST)
    assert reached["shuffled_auc"] > true["shuffled_auc"] + 0.02
    assert reached["auc"] < true["auc"]


def test_seeds_are_no_repetitions_and_scenes_are() -> None:
    pairs = zip(FOUND["centre"]["auc"], FOUND["contrast"]["auc"], strict=True)
    by_seed = [middle - contrast for middle, contrast in pairs]
    assert max(by_seed) - min(by_seed) < 0.001
    middle = metrics.auc_judd(prior(ViewedDigits(600).draw()), LOOKS)
    contrast = metrics.auc_judd(Contrast()(TEST.images), LOOKS)
    error = (middle - contrast).std() / len(middle) ** 0.5
    assert error == pytest.approx(0.0037, abs=0.0005)
    assert metrics.paired_bootstrap(middle, contrast).low > 0.02


def test_the_first_two_rows_swap() -> None:
    assert trials.verdict("centre-bias").word == "supported"
    assert FOUND["centre"]["auc"].mean > FOUND["contrast"]["auc"].mean
    shuffled = {name: each["shuffled_auc"] for name, each in FOUND.items()}
    assert max(shuffled["centre"]) == pytest.approx(0.5, abs=1e-6)
    assert min(shuffled["contrast"]) > 0.6


def test_the_blind_network_is_above_one_half() -> None:
    assert min(FOUND["blind"]["shuffled_auc"]) > 0.5
    assert FOUND["blind"]["shuffled_auc"].mean == pytest.approx(
        0.525, abs=2e-3
    )
    assert SAID["shuffled_auc", "network", "blind"] == "supported"
    assert SAID["auc", "network+centre", "network"] == "refuted"


def test_the_verdict_hangs_on_the_share_of_the_middle() -> None:
    found = {}
    for share in (0.0, 0.2, 0.4):
        seen = ViewedDigits(60, centre=share, split="test").draw()
        counts = seen.fixations[:, :1].sum(0, keepdim=True)
        middle = metrics.fixation_density(counts, SIGMA).expand(60, -1, -1, -1)
        found[share] = [
            metrics.auc_judd(each, seen.fixations[:, 1:]).mean()
            for each in (Contrast()(seen.images), middle)
        ]
    assert found[0.2][0] > found[0.2][1]
    assert found[0.4][0] < found[0.4][1]
    assert found[0.0][1] > 0.6  # where the middle takes no looks


def test_contrast_has_no_products_and_many_sums() -> None:
    spent = metrics.cost(Contrast(), TEST.images[:2], repeats=1)
    assert spent.multiply_adds == 0
    assert 3 * 2 * (5 + 17 + 9 + 33) + 2 * 9 == 402


def test_a_threshold_for_each_map_gives_the_highest_f() -> None:
    peak = TEST.density / TEST.density.amax((2, 3), keepdim=True)
    each = metrics.max_f_beta(peak, TEST.masks).mean()
    adaptive = peak >= 2 * peak.mean((2, 3), keepdim=True)
    hits = (adaptive & TEST.masks).sum((1, 2, 3))
    precision = (hits / adaptive.sum((1, 2, 3))).mean()
    recall = (hits / TEST.masks.sum((1, 2, 3))).mean()
    found = 1.3 * precision * recall / (0.3 * precision + recall)
    assert each > found + 0.1


def test_autocast_takes_the_cross_entropy_in_float32() -> None:
    logits = torch.rand(2, 50, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(logits.bfloat16(), torch.tensor([3, 4]))
    assert loss.dtype == torch.float32

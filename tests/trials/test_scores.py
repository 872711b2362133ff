import pytest
import torch

from attncourse.trials import Scores, evaluate, in_blocks, score
from tests.trials.standins import bright_half, linear
from tests.trials.test_loop import Pointer


def with_sources(count=67):
    scenes = bright_half(count)
    return scenes._replace(sources=torch.arange(count) % 13)


def test_means_are_those_of_evaluate():
    model = linear()
    scores = score(model, bright_half(), batch_size=11)
    assert scores.metrics == evaluate(model, bright_half())
    assert scores.blocks == {}
    assert scores.network is model


def test_blocks_are_means_over_their_sources():
    scenes = with_sources()
    scores = score(Pointer(), scenes, blocks=5, network=linear())
    for block, accuracy in enumerate(scores.blocks["accuracy"]):
        inside = scenes.sources % 5 == block
        right = (scenes.labels[inside] == 0).double().mean().item()
        assert accuracy == pytest.approx(right)
    assert scores.blocks.keys() == scores.metrics.keys()
    assert all(len(each) == 5 for each in scores.blocks.values())


def test_a_block_is_the_same_images_whatever_the_order():
    scenes = with_sources()
    order = torch.randperm(67, generator=torch.Generator().manual_seed(1))
    one = score(Pointer(), scenes, blocks=4)
    two = score(Pointer(), scenes.pick(order), blocks=4)
    for metric, values in one.blocks.items():
        assert values == pytest.approx(two.blocks[metric])


def test_a_block_without_scenes_is_named():
    with pytest.raises(ValueError, match="each of 20 blocks, got none in bl"):
        score(linear(), with_sources())
    with pytest.raises(ValueError, match="got none in block 1"):
        in_blocks(torch.ones(2), torch.tensor([0, 2]), blocks=3)


def test_metrics_are_added():
    scores = Scores({"accuracy": 0.5}, {"accuracy": [0.25, 0.75]})
    more = scores | {"gradient": 2.0}
    assert more.metrics == {"accuracy": 0.5, "gradient": 2.0}
    assert more.blocks == scores.blocks
    assert scores.metrics == {"accuracy": 0.5}

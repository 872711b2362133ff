import pytest
import torch
from torch import nn

from attncourse.attention import AdditivePooling2d
from attncourse.bugs.additive import ColumnSoftmaxPooling2d
from attncourse.models import AttentionCNN, AveragePooling2d
from attncourse.trials import (
    ClassActivation,
    ReplacedMap,
    shuffled_map,
    uniform_map,
    with_map_replaced,
)


@pytest.fixture
def weights():
    return torch.rand(3, 1, 5, 7)


def test_a_uniform_map_keeps_the_total(weights):
    flat = uniform_map(weights)
    assert flat.shape == weights.shape
    torch.testing.assert_close(flat.sum((2, 3)), weights.sum((2, 3)))
    assert flat.std((2, 3)).max() < 1e-7


def test_a_shuffled_map_holds_the_same_weights_elsewhere(weights):
    shuffled = shuffled_map(weights)
    assert shuffled.shape == weights.shape
    assert torch.equal(
        shuffled.flatten(2).sort().values, weights.flatten(2).sort().values
    )
    assert not torch.equal(shuffled, weights)
    assert torch.equal(shuffled, shuffled_map(weights))
    moved = [
        [w.item() for w in one.flatten()].index(other.flatten()[0].item())
        for one, other in zip(weights, shuffled, strict=True)
    ]
    assert len(set(moved)) > 1


@pytest.mark.parametrize(
    "pooling", [AdditivePooling2d, ColumnSoftmaxPooling2d]
)
def test_its_own_map_changes_nothing(pooling):
    layer = pooling(11)
    nn.init.normal_(layer.score.weight)
    x = torch.randn(3, 11, 5, 7)
    pooled, weights = layer.attend(x)
    again, same = ReplacedMap(layer, lambda w: w).attend(x)
    torch.testing.assert_close(again, pooled)
    assert torch.equal(same, weights)


def test_a_uniform_map_makes_additive_pooling_average_pooling():
    layer = AdditivePooling2d(11)
    nn.init.normal_(layer.score.weight)
    x = torch.randn(3, 11, 5, 7)
    torch.testing.assert_close(
        ReplacedMap(layer, uniform_map)(x), AveragePooling2d()(x)
    )


def test_the_model_itself_stays_as_it_is():
    model = AttentionCNN().eval()
    nn.init.normal_(model.pooling.score.weight)
    images = torch.rand(3, 1, 24, 20)
    before = model(images)
    changed = with_map_replaced(model, uniform_map)
    assert torch.equal(model(images), before)
    assert not torch.allclose(changed(images), before)


def test_class_activation_of_average_pooling_adds_up_to_the_logit():
    model = AttentionCNN(pooling=AveragePooling2d()).eval()
    with torch.no_grad():
        model.classifier.weight.abs_()
        images = torch.rand(3, 1, 24, 20)
        logits, evidence = ClassActivation(model).attend(images)
    torch.testing.assert_close(logits, model(images))
    chosen = logits.argmax(1)
    torch.testing.assert_close(
        evidence.mean((1, 2, 3)) + model.classifier.bias[chosen],
        logits.amax(1),
    )


def test_class_activation_without_evidence_is_flat():
    model = AttentionCNN(pooling=AveragePooling2d()).eval()
    with torch.no_grad():
        model.classifier.weight.abs_().neg_()
        _, evidence = ClassActivation(model).attend(torch.rand(3, 1, 24, 20))
    assert torch.equal(evidence, torch.ones(3, 1, 6, 5))

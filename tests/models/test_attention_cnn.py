import pytest
import torch
from torch.testing import assert_close

from attncourse.models import AttentionCNN, AveragePooling2d, MaxPooling2d


@pytest.mark.parametrize("size", [(8, 8), (29, 43), (60, 60)])
@pytest.mark.parametrize("pooling", [None, AveragePooling2d(), MaxPooling2d()])
def test_any_image_size(size: tuple[int, int], pooling) -> None:
    net = AttentionCNN(7, in_channels=3, pooling=pooling).eval()
    images = torch.rand(2, 3, *size)
    logits, weights = net.attend(images)
    assert logits.shape == (2, 7)
    assert_close(net(images), logits)
    quarter = [-(-s // 4) for s in size]
    assert weights.shape == (2, 1, *quarter)
    assert_close(weights.sum((1, 2, 3)), torch.ones(2))


def test_the_default_pooling_starts_as_average_pooling() -> None:
    torch.manual_seed(0)
    attending = AttentionCNN().eval()
    averaging = AttentionCNN(pooling=AveragePooling2d()).eval()
    averaging.load_state_dict(attending.state_dict(), strict=False)
    images = torch.rand(2, 1, 29, 43)
    assert_close(attending(images), averaging(images))


def test_widths_set_the_convolutions() -> None:
    net = AttentionCNN(widths=(3, 5, 7))
    convolutions = [
        (layer.in_channels, layer.out_channels, layer.stride[0])
        for layer in net.features
        if isinstance(layer, torch.nn.Conv2d)
    ]
    assert convolutions == [(1, 3, 2), (3, 5, 2), (5, 7, 1)]
    assert net.classifier.in_features == 7


def test_one_width_is_too_few() -> None:
    with pytest.raises(ValueError, match=r"at least two .* \(8,\)"):
        AttentionCNN(widths=(8,))

"""Every network compiles whole and exports with a dynamic batch.

There is no exception: the gallery of a retrieval network may grow too, and
the class labels of a SAGAN are inputs like any other.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import CBAM, NonLocal2d, SqueezeExcitation
from attncourse.models import (
    AttentionCNN,
    AveragePooling2d,
    FaceNetwork,
    GalleryAttention,
    MaxPooling2d,
    RetrievalNetwork,
    SAGANDiscriminator,
    SAGANGenerator,
    VisionTransformer,
    attention_resnet,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_shipped")]

Inputs = tuple[Tensor, ...]


class Network(NamedTuple):
    build: Callable[[], nn.Module]
    inputs: Callable[[int], Inputs]


def images(channels: int, height: int, width: int, count: int) -> Inputs:
    return (torch.randn(count, channels, height, width),)


def two_sets(*shape: int, count: int) -> Inputs:
    """Queries and as many items, since both have a dynamic length."""
    return torch.randn(count, *shape), torch.randn(count + 2, *shape)


def labelled(*shape: int, count: int) -> Inputs:
    return torch.randn(count, *shape), torch.arange(count) % 3


def retrieval() -> nn.Module:
    backbone = AttentionCNN(in_channels=3, widths=(5, 7, 11)).features
    return RetrievalNetwork(backbone, 11, 26, heads=2)


def resnet(depth: int, attention: Callable[[int], nn.Module]) -> nn.Module:
    return attention_resnet(depth, classes=7, in_branch=attention)


GREY = partial(images, 1, 37, 29)
COLOUR = partial(images, 3, 37, 53)
NETWORKS = {
    "AttentionCNN": Network(AttentionCNN, GREY),
    "AttentionCNN, average": Network(
        lambda: AttentionCNN(pooling=AveragePooling2d()), GREY
    ),
    "AttentionCNN, maximum": Network(
        lambda: AttentionCNN(pooling=MaxPooling2d()), GREY
    ),
    "FaceNetwork": Network(lambda: FaceNetwork(13, widths=(8, 16)), COLOUR),
    "RetrievalNetwork": Network(
        retrieval, lambda n: two_sets(3, 37, 29, count=n)
    ),
    "GalleryAttention": Network(
        lambda: GalleryAttention(26, 2), lambda n: two_sets(26, count=n)
    ),
    "VisionTransformer": Network(
        lambda: VisionTransformer(
            11, positions=None, patch_size=7, dim=28, depth=2, heads=7
        ),
        lambda n: images(3, 28, 35, n),
    ),
    "SAGANGenerator": Network(
        lambda: SAGANGenerator(3, latent_dim=7, widths=(16, 8, 8)),
        lambda n: labelled(7, count=n),
    ),
    "SAGANDiscriminator": Network(
        lambda: SAGANDiscriminator(3, widths=(8, 11)),
        lambda n: labelled(3, 17, 29, count=n),
    ),
    "ResNet-18, squeeze and excitation": Network(
        lambda: resnet(18, SqueezeExcitation), COLOUR
    ),
    "ResNet-18, non-local": Network(lambda: resnet(18, NonLocal2d), COLOUR),
    "ResNet-50, CBAM": Network(lambda: resnet(50, CBAM), COLOUR),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> tuple[nn.Module, Network]:
    torch.compiler.reset()
    torch.manual_seed(0)
    found = NETWORKS[request.param]
    return found.build().eval(), found


def test_it_compiles_without_a_graph_break(
    network: tuple[nn.Module, Network],
) -> None:
    module, case = network
    inputs = case.inputs(3)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        assert_close(compiled(*inputs), module(*inputs))


def test_it_exports_with_a_dynamic_batch(
    network: tuple[nn.Module, Network],
) -> None:
    module, case = network
    inputs = case.inputs(3)
    sizes = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
    program = torch.export.export(module, inputs, dynamic_shapes=sizes)
    larger = case.inputs(7)
    with torch.no_grad():
        assert_close(program.module()(*larger), module(*larger))

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse import watch
from attncourse.attention import CBAM, NonLocal2d, SelfAttention2d
from attncourse.bugs import faces as wrong
from attncourse.losses import AngularMarginLoss, semi_hard_triplet_loss
from attncourse.models import FaceNetwork

SIZES = ((32, 32), (64, 64), (37, 53), (8, 11))


def network(kind: type[FaceNetwork] = FaceNetwork, **options) -> FaceNetwork:
    torch.manual_seed(0)
    return kind(7, in_channels=2, widths=(8, 16, 24), **options).eval()


def faces(batch: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 2, height, width, generator=generator)


def contract_one_embedding_for_each_face(network: nn.Module) -> None:
    for size in SIZES:
        x = faces(3, *size)
        found = network(x)
        assert found.shape == (3, 7)
        assert_close(found.norm(dim=1), torch.ones(3))
        assert_close(network(x[1:2]), found[1:2])


@pytest.mark.parametrize("options", [{}, {"grid": 1}, {"grid": 3}])
def test_one_embedding_for_each_face_of_any_size(options) -> None:
    contract_one_embedding_for_each_face(network(**options))


def test_a_batch_by_view_is_rejected() -> None:
    viewing = network(wrong.BatchByView)
    assert_close(viewing(faces(3, 32, 32)), network()(faces(3, 32, 32)))
    assert viewing(faces(3, 64, 64)).shape == (12, 7)
    with pytest.raises(AssertionError):
        contract_one_embedding_for_each_face(viewing)


@pytest.mark.parametrize("attention", [SelfAttention2d, NonLocal2d])
def test_it_starts_as_the_network_without_attention(attention) -> None:
    attending = network(attention=attention)
    plain = network(attention=lambda channels: nn.Identity())
    both = attending.state_dict().keys() & plain.state_dict().keys()
    plain.load_state_dict({n: attending.state_dict()[n] for n in both})
    assert_close(attending(faces(2, 37, 53)), plain(faces(2, 37, 53)))
    for layer in attending.modules():
        if isinstance(layer, attention):
            for parameter in layer.parameters():
                nn.init.normal_(parameter)
    moved = attending(faces(2, 37, 53)) - plain(faces(2, 37, 53))
    assert moved.abs().max() > 0.01


@pytest.mark.parametrize(
    ("attention", "maps_of"),
    [
        (
            SelfAttention2d,
            {"features.6": (2, 1, 140, 140), "features.10": (2, 1, 35, 35)},
        ),
        (
            partial(CBAM, reduction=4),
            {
                "features.6.channel": (2, 16),
                "features.6.spatial": (2, 1, 10, 14),
                "features.10.channel": (2, 24),
                "features.10.spatial": (2, 1, 5, 7),
            },
        ),
    ],
)
def test_its_attention_can_be_watched(attention, maps_of) -> None:
    net = network(attention=attention)
    with watch(net) as maps:
        net(faces(2, 37, 53))
    assert {name: tuple(w.shape) for name, w in maps.items()} == maps_of


def test_above_and_below_are_told_apart_by_the_grid() -> None:
    upper = torch.zeros(1, 2, 64, 64)
    upper[..., 16:24, 24:40] = 1
    lower = upper.roll(16, 2)
    for grid, same in ((1, True), (4, False)):
        net = network(grid=grid)
        close = torch.allclose(net(upper), net(lower), atol=1e-3)
        assert close == same


@pytest.mark.parametrize("name", ["margin", "triplet"])
def test_a_few_steps_bring_each_person_together(name: str) -> None:
    """Five people: a pattern each, under noise."""
    torch.manual_seed(0)
    people = torch.randn(5, 2, 16, 16)
    labels = torch.arange(20) % 5
    x = people[labels] + 0.5 * torch.randn(20, 2, 16, 16)
    unseen = people[labels] + 0.5 * torch.randn(20, 2, 16, 16)
    net = network().train()
    margin = AngularMarginLoss(7, 5, scale=8.0)
    optimiser = torch.optim.Adam(
        [*net.parameters(), *margin.parameters()], lr=0.01
    )
    loss = margin if name == "margin" else semi_hard_triplet_loss
    for _ in range(15):
        optimiser.zero_grad()
        loss(net(x), labels).backward()
        optimiser.step()
    net.eval()
    cosines = net(unseen) @ net(x).T
    same = labels[:, None] == labels
    assert cosines[same].mean() > cosines[~same].mean() + 0.5
    assert (labels[cosines.argmax(1)] == labels).float().mean() > 0.8


def test_every_parameter_gets_a_gradient_from_the_second_step_on() -> None:
    net = network()
    for layer in net.modules():
        if isinstance(layer, SelfAttention2d):
            nn.init.ones_(layer.gamma)
    net(faces(3, 37, 53))[:, 0].sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least two .* got \(8,\)"):
        FaceNetwork(widths=(8,))
    with pytest.raises(ValueError, match="dim must be at least 1, got 0"):
        FaceNetwork(0)
    with pytest.raises(ValueError, match="grid must be at least 1, got 0"):
        FaceNetwork(grid=0)
    with pytest.raises(ValueError, match="reduction must be a positive div"):
        FaceNetwork(widths=(8, 12))

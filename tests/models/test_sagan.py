import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.testing import assert_close

from attncourse import watch
from attncourse.losses import discriminator_hinge, generator_hinge
from attncourse.models import (
    ConditionalBatchNorm2d,
    SAGANDiscriminator,
    SAGANGenerator,
)

LABELS = torch.tensor([0, 4, 2])


def generator(base: tuple[int, int] = (2, 3)) -> SAGANGenerator:
    torch.manual_seed(0)
    network = SAGANGenerator(
        5, latent_dim=7, widths=(16, 8, 11), base=base, out_channels=2
    )
    return away_from_the_start(network)


def discriminator() -> SAGANDiscriminator:
    torch.manual_seed(0)
    network = SAGANDiscriminator(5, in_channels=2, widths=(8, 11))
    return away_from_the_start(network)


def away_from_the_start(network: nn.Module) -> nn.Module:
    """Attention and classes begin without any effect."""
    nn.init.ones_(network.attention.gamma)
    for module in network.modules():
        if isinstance(module, ConditionalBatchNorm2d):
            nn.init.normal_(module.scale)
            nn.init.normal_(module.shift)
    return network.eval()


def latent(batch: int = 3) -> Tensor:
    return torch.randn(batch, 7, generator=torch.Generator().manual_seed(1))


def images(*size: int) -> Tensor:
    return torch.randn(3, 2, *size, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("base", [(2, 3), (1, 1), (5, 3)])
def test_images_have_four_times_the_sides_of_the_first_map(base) -> None:
    drawn = generator(base)(latent(), LABELS)
    assert drawn.shape == (3, 2, 4 * base[0], 4 * base[1])
    assert (drawn.abs() < 1).all()


def test_the_class_decides_in_both_networks() -> None:
    z, others = latent(), LABELS.roll(1)
    draw = generator()
    assert not torch.allclose(draw(z, LABELS), draw(z, others), atol=0.01)
    score = discriminator()
    x = images(8, 12)
    assert not torch.allclose(score(x, LABELS), score(x, others))


def test_samples_do_not_mix() -> None:
    drawn = generator()(latent(), LABELS)
    assert_close(generator()(latent()[1:], LABELS[1:]), drawn[1:])
    scores = discriminator()(images(8, 12), LABELS)
    assert_close(discriminator()(images(8, 12)[1:], LABELS[1:]), scores[1:])


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (13, 7)])
def test_images_of_any_size_get_one_score(size) -> None:
    assert discriminator()(images(*size), LABELS).shape == (3,)


def test_both_attention_layers_can_be_watched() -> None:
    draw, score = generator(), discriminator()
    with watch(draw) as there, watch(score) as here:
        score(draw(latent(), LABELS), LABELS)
    assert {n: tuple(w.shape) for n, w in there.items()} == {
        "attention": (3, 1, 24, 24)
    }
    assert {n: tuple(w.shape) for n, w in here.items()} == {
        "attention": (3, 1, 24, 24)
    }
    assert_close(here["attention"].sum(-1), torch.ones(3, 1, 24))


def test_attention_starts_without_effect_and_is_reached() -> None:
    score, x = discriminator(), images(8, 12)
    with torch.no_grad():
        score.attention.gamma.zero_()
    plain = copy.deepcopy(score)
    plain.attention = nn.Identity()
    assert_close(score(x, LABELS), plain(x, LABELS))
    score(x, LABELS).sum().backward()
    assert score.attention.gamma.grad != 0


def test_every_matrix_has_norm_one() -> None:
    for network, layers in ((generator(), 9), (discriminator(), 10)):
        network.train()
        normalised = 0
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
                assert is_parametrized(layer, "weight")
                for _ in range(30):
                    weight = layer.weight
                largest = torch.linalg.matrix_norm(weight.flatten(1), 2)
                assert_close(largest, torch.tensor(1.0), atol=0.02, rtol=0)
                normalised += 1
        assert normalised == layers


def test_a_conditional_norm_is_a_batch_norm_for_each_class() -> None:
    module = ConditionalBatchNorm2d(3, 5).train()
    nn.init.normal_(module.scale)
    nn.init.normal_(module.shift)
    x = torch.randn(3, 3, 5, 7)
    found = module(x, LABELS)
    for sample, label in enumerate(LABELS):
        expected = F.batch_norm(
            x, None, None, module.scale[label], module.shift[label], True
        )
        assert_close(found[sample], expected[sample])


def test_the_discriminator_projects_on_the_class() -> None:
    score, x = discriminator(), images(8, 12)
    features = F.relu(
        score.blocks(score.attention(score.first(score.colours(x))))
    ).sum((2, 3))
    for sample, label in enumerate(LABELS):
        direction = score.score.weight[0] + score.classes.weight[label]
        expected = direction @ features[sample] + score.score.bias[0]
        assert_close(score(x, LABELS)[sample], expected)


def test_each_learns_against_the_other() -> None:
    """One step of each changes its own parameters and helps it."""
    draw, score = generator((2, 2)).train(), discriminator().train()
    real, z = torch.ones(3, 2, 8, 8), latent()
    d_steps = torch.optim.Adam(score.parameters(), lr=4e-3, betas=(0.0, 0.9))
    g_steps = torch.optim.Adam(draw.parameters(), lr=1e-3, betas=(0.0, 0.9))
    losses = []
    for _ in range(20):
        fake = draw(z, LABELS).detach()
        loss = discriminator_hinge(score(real, LABELS), score(fake, LABELS))
        d_steps.zero_grad()
        loss.backward()
        d_steps.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    before = score(draw(z, LABELS), LABELS).mean().item()
    for _ in range(20):
        g_steps.zero_grad()
        generator_hinge(score(draw(z, LABELS), LABELS)).backward()
        for name, parameter in draw.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        g_steps.step()
    assert score(draw(z, LABELS), LABELS).mean().item() > before + 0.1


def test_a_state_dict_round_trip_gives_the_same() -> None:
    drawn = generator()(latent(), LABELS)
    torch.manual_seed(1)
    twin = SAGANGenerator(
        5, latent_dim=7, widths=(16, 8, 11), base=(2, 3), out_channels=2
    ).eval()
    twin.load_state_dict(generator().state_dict())
    assert_close(twin(latent(), LABELS), drawn)


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        SAGANGenerator(0)
    with pytest.raises(ValueError, match=r"at least two, got \(8,\)"):
        SAGANDiscriminator(widths=(8,))
    with pytest.raises(ValueError, match=r"64, \(0, 4\) and 3"):
        SAGANGenerator(base=(0, 4))
    with pytest.raises(ValueError, match=r"at least 4, got \(3, 8\)"):
        discriminator()(images(3, 8), LABELS)
    with pytest.raises(ValueError, match=r"\(batch, 2, height, width\)"):
        discriminator()(torch.randn(3, 1, 8, 8), LABELS)

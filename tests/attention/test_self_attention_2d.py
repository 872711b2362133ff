import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.testing import assert_close

from attncourse.attention import SelfAttention2d
from attncourse.bugs import pairwise_maps as wrong
from tests.attention.contracts import noise, scrambled, shuffled_positions


def contract_equals_loops(kind: type[SelfAttention2d]) -> None:
    module = scrambled(kind(6, 3))
    module.gamma.data.fill_(1.7)
    x = noise(2, 6, 3, 5)
    output, weights = module.attend(x)
    query, key, value = module.project(x).flatten(2).split((2, 2, 6), dim=1)
    positions = x.flatten(2)
    for b in range(2):
        for i in range(15):
            powers = [(query[b, :, i] @ key[b, :, j]).exp() for j in range(15)]
            shares = torch.stack(powers) / sum(powers)
            assert_close(weights[b, 0, i], shares)
            gathered = sum(shares[j] * value[b, :, j] for j in range(15))
            assert_close(
                output[b].flatten(1)[:, i],
                positions[b, :, i] + 1.7 * gathered,
            )


def contract_rows_sum_to_one(kind: type[SelfAttention2d]) -> None:
    module = scrambled(kind(6, 3))
    _, weights = module.attend(noise(2, 6, 3, 5))
    assert (weights >= 0).all()
    total = weights.sum(3)
    assert_close(total, torch.ones_like(total))


def contract_equals_the_fused_kernel(kind: type[SelfAttention2d]) -> None:
    """Torch's attention with ``scale=1``, as in the paper."""
    module = scrambled(kind(6, 3))
    module.gamma.data.fill_(1)
    x = noise(2, 6, 3, 5)
    output, _ = module.attend(x)
    query, key, value = (
        part.flatten(2).mT
        for part in module.project(x).split((2, 2, 6), dim=1)
    )
    tokens = F.scaled_dot_product_attention(query, key, value, scale=1.0)
    assert_close(output - x, tokens.mT.unflatten(2, (3, 5)))


def contract_starts_as_the_identity(kind: type[SelfAttention2d]) -> None:
    x = torch.randn(2, 6, 3, 5)
    output, _ = kind(6, 3).attend(x)
    assert torch.equal(output, x)


CONTRACTS = [
    contract_equals_loops,
    contract_rows_sum_to_one,
    contract_equals_the_fused_kernel,
    contract_starts_as_the_identity,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_it_keeps_the_contract(contract) -> None:
    contract(SelfAttention2d)


@pytest.mark.parametrize(
    ("contract", "exhibit"),
    [
        (contract_equals_loops, wrong.SoftmaxOverQueries2d),
        (contract_rows_sum_to_one, wrong.SoftmaxOverQueries2d),
        (contract_rows_sum_to_one, wrong.ScoresAsWeights2d),
        (contract_equals_loops, wrong.WithoutTranspose2d),
        (contract_equals_the_fused_kernel, wrong.WithoutTranspose2d),
        (contract_starts_as_the_identity, wrong.WithoutShortcut2d),
        (contract_equals_loops, wrong.FeaturesTimesWeights2d),
    ],
)
def test_wrong_versions_are_rejected(contract, exhibit: type) -> None:
    with pytest.raises(AssertionError):
        contract(exhibit)


def test_scaled_divides_the_scores_by_the_root_of_the_key_width() -> None:
    plain = scrambled(SelfAttention2d(6, 2))
    scaled = scrambled(SelfAttention2d(6, 2, scaled=True))
    with torch.no_grad():
        plain.project.weight[:3] /= 3**0.5
        plain.project.bias[:3] /= 3**0.5
    x = noise(2, 6, 3, 5)
    for found, expected in zip(
        scaled.attend(x),
        plain.attend(x),
        strict=True,
    ):
        assert_close(found, expected)


@pytest.mark.parametrize("scaled", [False, True])
def test_scaling_keeps_the_spread_of_scores_at_any_width(
    scaled: bool,
) -> None:
    """Log weights differ from the scores by a constant of the row."""
    spreads = []
    for channels in (32, 512):
        torch.manual_seed(0)
        module = SelfAttention2d(channels, 1, scaled=scaled).double()
        nn.init.zeros_(module.project.bias)
        nn.init.normal_(module.project.weight, std=channels**-0.5)
        x = torch.randn(2, channels, 7, 11, dtype=torch.float64)
        _, weights = module.attend(x)
        spreads.append(weights.log().std(-1).mean().item())
    assert (spreads[1] < 2 * spreads[0]) is scaled


def test_first_gamma_learns_and_then_the_rest() -> None:
    module = SelfAttention2d(6, 3)
    x, target = torch.randn(2, 6, 3, 5), torch.randn(2, 6, 3, 5)
    step = torch.optim.SGD(module.parameters(), lr=0.1)
    for moved in (False, True):
        step.zero_grad()
        F.mse_loss(module(x), target).backward()
        assert module.gamma.grad.abs() > 1e-6
        gradient = module.project.weight.grad.abs().max().item()
        assert (gradient > 1e-8) is moved
        step.step()


def test_permuting_the_positions_permutes_the_output() -> None:
    module = scrambled(SelfAttention2d(6, 3))
    x = noise(2, 6, 3, 5)
    assert_close(module(shuffled_positions(x)), shuffled_positions(module(x)))


def kernels(function, *args: Tensor) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        function(*args)
    return {event.key for event in recorded.key_averages()}


@pytest.mark.parametrize(
    "layout", [torch.contiguous_format, torch.channels_last]
)
def test_without_weights_no_pair_is_stored(
    layout: torch.memory_format,
) -> None:
    """Unequal widths would make torch fall back to the quadratic kernel."""
    x = torch.randn(2, 16, 7, 11).contiguous(memory_format=layout)
    used = kernels(SelfAttention2d(16), x)
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in used
    assert "aten::_scaled_dot_product_attention_math" not in used


def test_large_half_precision_maps_do_not_overflow() -> None:
    """Unscaled scores leave the range of float16 first."""
    module = SelfAttention2d(64).half()
    torch.manual_seed(0)
    x = 300 * torch.randn(1, 64, 5, 7).half()
    query, key, _ = module.project(x).flatten(2).split(module.widths, dim=1)
    assert (query.mT @ key).isinf().any()
    assert module(x).isfinite().all()
    assert module.attend(x)[1].isfinite().all()


def test_defaults_are_those_of_the_paper() -> None:
    module = SelfAttention2d(64)
    assert module.widths == (8, 8, 64)
    assert module.scale == 1.0
    assert SelfAttention2d(64, scaled=True).scale == 8**-0.5
    assert sum(p.numel() for p in module.parameters()) == 80 * 65 + 1


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="channels=7 and reduction=8"):
        SelfAttention2d(7)
    with pytest.raises(ValueError, match="channels=4 and reduction=8"):
        SelfAttention2d(4)
    with pytest.raises(ValueError, match=r"\(batch, 8, height, width\), got"):
        SelfAttention2d(8)(torch.randn(8, 5, 3))

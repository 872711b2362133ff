import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import SoftmaxChannelAttention, SqueezeExcitation
from tests.attention import contracts
from tests.attention.contracts import noise, scrambled


@pytest.mark.parametrize("contract", contracts.CONTRACTS)
@pytest.mark.parametrize("rescale", [False, True])
def test_it_keeps_the_contract_of_a_channel_gate(
    contract, rescale: bool
) -> None:
    contract(SoftmaxChannelAttention(14, rescale=rescale))


def test_it_equals_the_formula() -> None:
    ours = scrambled(SoftmaxChannelAttention(7))
    x = noise(3, 7, 11, 13)
    output, weights = ours.attend(x)
    for sample, found, share in zip(x, output, weights, strict=True):
        averages = torch.stack([plane.sum() / 143 for plane in sample])
        powers = (ours.score.weight @ averages + ours.score.bias).exp()
        assert_close(share, powers / powers.sum())
        for channel in range(7):
            assert_close(found[channel], share[channel] * sample[channel])


def root_mean_square(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


def contract_keeps_the_scale(module: nn.Module) -> None:
    x = torch.randn(3, 64, 11, 13)
    assert 0.3 < root_mean_square(module(x)) / root_mean_square(x) < 3


def test_rescaled_and_sigmoid_gates_keep_the_scale() -> None:
    contract_keeps_the_scale(SoftmaxChannelAttention(64, rescale=True))
    contract_keeps_the_scale(SqueezeExcitation(64))


def test_without_rescaling_the_map_shrinks_by_the_number_of_channels() -> None:
    plain = SoftmaxChannelAttention(64)
    with pytest.raises(AssertionError):
        contract_keeps_the_scale(plain)
    x = torch.randn(3, 64, 11, 13)
    assert 32 < root_mean_square(x) / root_mean_square(plain(x)) < 80


def test_rescaling_multiplies_the_output_and_leaves_the_shares() -> None:
    plain = SoftmaxChannelAttention(7)
    rescaled = SoftmaxChannelAttention(7, rescale=True)
    rescaled.load_state_dict(plain.state_dict())
    x = torch.randn(3, 7, 11, 13)
    output, shares = plain.attend(x)
    larger, same = rescaled.attend(x)
    assert_close(larger, 7 * output)
    assert torch.equal(shares, same)


def test_equal_scores_rescaled_are_the_identity() -> None:
    module = SoftmaxChannelAttention(7, rescale=True)
    nn.init.zeros_(module.score.weight)
    nn.init.zeros_(module.score.bias)
    x = torch.randn(3, 7, 11, 13)
    assert_close(module(x), x)


def test_a_channel_that_gains_takes_from_all_others() -> None:
    module = scrambled(SoftmaxChannelAttention(7))
    x = noise(3, 7, 11, 13)
    _, before = module.attend(x)
    with torch.no_grad():
        module.score.bias[4] += 1
    _, after = module.attend(x)
    rises = torch.arange(7) == 4
    assert ((after > before) == rises).all()


def test_it_has_one_layer() -> None:
    counted = sum(p.numel() for p in SoftmaxChannelAttention(7).parameters())
    assert counted == 7 * 7 + 7


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        SoftmaxChannelAttention(0)
    with pytest.raises(ValueError, match=r"got \(7, 5, 3\)"):
        SoftmaxChannelAttention(7)(torch.randn(7, 5, 3))
    with pytest.raises(ValueError, match=r"\(batch, 7, height, width\), got"):
        SoftmaxChannelAttention(7)(torch.randn(2, 6, 5, 3))

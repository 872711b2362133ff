import pytest
import torch
from torch.testing import assert_close

from attncourse.attention import EfficientChannelAttention
from attncourse.bugs import channel as wrong
from tests.attention import contracts
from tests.attention.contracts import noise, scrambled


@pytest.mark.parametrize("contract", contracts.CONTRACTS)
def test_it_keeps_the_contract_of_a_channel_gate(contract) -> None:
    contract(EfficientChannelAttention(14))


def test_a_filter_over_the_batch_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contracts.contract_samples_do_not_mix(wrong.FilterOverBatch(14))


@pytest.mark.parametrize("channels", [17, 67, 131])
def test_it_equals_timm(channels: int) -> None:
    timm = pytest.importorskip("timm")
    ours = scrambled(EfficientChannelAttention(channels))
    theirs = timm.layers.EcaModule(channels).double()
    theirs.conv.load_state_dict(ours.filter.state_dict())
    x = noise(3, channels, 11, 13)
    assert_close(ours(x), theirs(x))


def test_the_gates_equal_a_loop_over_neighbours() -> None:
    ours = scrambled(EfficientChannelAttention(7, kernel_size=5))
    x = noise(3, 7, 11, 13)
    output, gates = ours.attend(x)
    taps = ours.filter.weight[0, 0]
    averages = x.mean((2, 3))
    for b in range(3):
        for c in range(7):
            score = sum(
                taps[j + 2] * averages[b, c + j]
                for j in range(-2, 3)
                if 0 <= c + j < 7
            )
            assert_close(gates[b, c], torch.sigmoid(torch.as_tensor(score)))
    assert_close(output, torch.einsum("bc,bchw->bchw", gates, x))


@pytest.mark.parametrize(
    ("channels", "taps"),
    [(1, 1), (7, 1), (8, 3), (64, 3), (128, 5), (1024, 5), (2048, 7)],
)
def test_the_rule_of_the_paper_sets_the_number_of_taps(
    channels: int, taps: int
) -> None:
    module = EfficientChannelAttention(channels)
    assert [p.shape for p in module.parameters()] == [(1, 1, taps)]


def test_a_gate_looks_no_further_than_the_filter() -> None:
    module = scrambled(EfficientChannelAttention(17, kernel_size=3))
    x = noise(2, 17, 11, 13)
    changed = x.clone()
    changed[:, 5] += 1
    _, before = module.attend(x)
    _, after = module.attend(changed)
    moved = (before != after).any(0)
    assert moved.nonzero().flatten().tolist() == [4, 5, 6]


@pytest.mark.usefixtures("as_shipped")
def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kernel_size must be odd .* got 4"):
        EfficientChannelAttention(14, kernel_size=4)
    with pytest.raises(ValueError, match=r"at least 1, got -1"):
        EfficientChannelAttention(14, kernel_size=-1)
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        EfficientChannelAttention(0)
    with pytest.raises(ValueError, match=r"\(batch, 14, height, width\)"):
        EfficientChannelAttention(14)(torch.randn(2, 13, 5, 3))

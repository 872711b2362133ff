import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attncourse.attention import AttentionPooling


def test_it_equals_torch_with_the_query_as_only_token() -> None:
    torch.manual_seed(0)
    ours = AttentionPooling(14, 2).double()
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    theirs = nn.MultiheadAttention(
        14, 2, batch_first=True, dtype=torch.float64
    )
    eye = torch.eye(14, dtype=torch.float64)
    none = torch.zeros(14, dtype=torch.float64)
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat(
                [eye, ours.key.weight, ours.value.weight]
            ),
            "in_proj_bias": torch.cat([none, ours.key.bias, ours.value.bias]),
            "out_proj.weight": ours.output.weight,
            "out_proj.bias": ours.output.bias,
        }
    )
    x = torch.randn(3, 14, 5, 7, dtype=torch.float64)
    tokens = x.flatten(2).mT
    expected, heads = theirs(
        ours.query.expand(3, 1, -1), tokens, tokens, average_attn_weights=False
    )
    pooled, weights = ours.attend(x)
    assert_close(pooled, expected[:, 0])
    assert_close(weights.flatten(2), heads[:, :, 0])
    assert_close(ours(x), pooled)


def test_shuffling_the_positions_changes_nothing() -> None:
    ours = AttentionPooling(14, 2).double()
    x = torch.randn(3, 14, 5, 7, dtype=torch.float64)
    shuffled = x.flatten(2)[..., torch.randperm(35)].unflatten(2, (5, 7))
    assert_close(ours(shuffled), ours(x))


def test_equal_keys_average_the_values() -> None:
    ours = AttentionPooling(14, 2).double()
    nn.init.zeros_(ours.key.weight)
    x = torch.randn(3, 14, 5, 7, dtype=torch.float64)
    expected = ours.output(ours.value(x.mean((2, 3))))
    assert_close(ours(x), expected)


def test_the_query_starts_with_spread_one_over_root_channels() -> None:
    assert 0.8 < AttentionPooling(1024).query.std() * 32 < 1.2


def test_it_has_one_head_by_default() -> None:
    _, weights = AttentionPooling(14).attend(torch.randn(3, 14, 5, 7))
    assert weights.shape == (3, 1, 5, 7)


@pytest.mark.parametrize(("channels", "heads"), [(14, 3), (14, 0), (0, 1)])
def test_heads_must_divide_channels(channels: int, heads: int) -> None:
    message = f"channels={channels} and heads={heads}"
    with pytest.raises(ValueError, match=message):
        AttentionPooling(channels, heads)


@pytest.mark.parametrize(
    "layout", [torch.contiguous_format, torch.channels_last]
)
@pytest.mark.parametrize("heads", [1, 7])
def test_the_fused_kernel_is_really_taken(
    layout: torch.memory_format, heads: int
) -> None:
    x = torch.randn(2, 14, 5, 3).contiguous(memory_format=layout)
    module = AttentionPooling(14, heads)
    with torch.profiler.profile() as recorded:
        module(x)
    used = {event.key for event in recorded.key_averages()}
    assert any("flash" in name for name in used), used
    assert not any("attention_math" in name for name in used), used

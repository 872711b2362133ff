import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import (
    MultiHeadAttention,
    scaled_dot_product_attention,
)
from attncourse.bugs import multihead as wrong


def copy_into_torch(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    dim = ours.query.in_features
    theirs = nn.MultiheadAttention(
        dim, ours.heads, batch_first=True, dtype=torch.float64
    )
    projections = (ours.query, ours.key, ours.value)
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([p.weight for p in projections]),
            "in_proj_bias": torch.cat([p.bias for p in projections]),
            "out_proj.weight": ours.output.weight,
            "out_proj.bias": ours.output.bias,
        }
    )
    return theirs


def contract_equals_torch(kind: type[MultiHeadAttention]) -> None:
    torch.manual_seed(0)
    ours = kind(14, 2).double()
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    theirs = copy_into_torch(ours)
    x = torch.randn(3, 5, 14, dtype=torch.float64)
    assert_close(ours(x), theirs(x, x, x)[0])


def test_it_equals_torch() -> None:
    contract_equals_torch(MultiHeadAttention)


def contract_every_token_is_heard(kind: type) -> None:
    torch.manual_seed(0)
    module = kind(14, 2)
    x = torch.randn(3, 5, 14)
    changed = x.clone()
    changed[:, 1] += 1
    moved = (module(changed) - module(x)).abs().amax(-1)
    assert (moved > 1e-4).all()


def test_every_token_is_heard() -> None:
    contract_every_token_is_heard(MultiHeadAttention)


def test_features_that_attend_to_each_other_are_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_every_token_is_heard(wrong.FeaturesAsTokens)


@pytest.mark.parametrize(
    "exhibit",
    [
        wrong.HeadsByView,
        wrong.BatchAsTokens,
        wrong.ScaledByFullWidth,
        wrong.FeaturesAsTokens,
    ],
)
def test_wrong_versions_are_rejected(exhibit: type) -> None:
    with pytest.raises(AssertionError):
        contract_equals_torch(exhibit)


def test_weights_and_masks_equal_torch_with_the_opposite_mask() -> None:
    ours = MultiHeadAttention(14, 2).double()
    theirs = copy_into_torch(ours)
    query = torch.randn(3, 5, 14, dtype=torch.float64)
    key = torch.randn(3, 11, 14, dtype=torch.float64)
    value = torch.randn(3, 11, 14, dtype=torch.float64)
    real = torch.rand(3, 11) < 0.7
    real[:, 0] = True
    expected, heads = theirs(
        query,
        key,
        value,
        key_padding_mask=~real,
        average_attn_weights=False,
    )
    output, weights = ours.attend(query, key, value, real[:, None, None])
    assert_close(output, expected)
    assert_close(weights, heads)


def test_it_equals_timm() -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.layers.Attention(14, num_heads=2, qkv_bias=True).double()
    ours = MultiHeadAttention(14, 2).double()
    parts = theirs.qkv.weight.chunk(3), theirs.qkv.bias.chunk(3)
    with torch.no_grad():
        for own, weight, bias in zip(
            (ours.query, ours.key, ours.value), *parts, strict=True
        ):
            own.weight.copy_(weight)
            own.bias.copy_(bias)
    ours.output.load_state_dict(theirs.proj.state_dict())
    x = torch.randn(3, 5, 14, dtype=torch.float64)
    assert_close(ours(x), theirs(x))


def test_a_score_bias_is_a_float_mask_of_torch() -> None:
    ours = MultiHeadAttention(14, 2).double()
    theirs = copy_into_torch(ours)
    x = torch.randn(3, 5, 14, dtype=torch.float64)
    bias = torch.randn(3, 2, 5, 5, dtype=torch.float64)
    expected, _ = theirs(x, x, x, attn_mask=bias.flatten(0, 1))
    assert_close(ours(x, score_bias=bias), expected)
    assert_close(ours.attend(x, score_bias=bias).output, expected)


def test_one_head_is_attention_between_projections() -> None:
    ours = MultiHeadAttention(7, 1).double()
    x = torch.randn(3, 5, 7, dtype=torch.float64)
    attended = scaled_dot_product_attention(
        ours.query(x), ours.key(x), ours.value(x)
    )
    assert_close(ours(x), ours.output(attended))


def test_deleting_a_head_from_the_output_removes_it() -> None:
    ours = MultiHeadAttention(14, 2).double()
    x = torch.randn(3, 5, 14, dtype=torch.float64)
    with torch.no_grad():
        ours.output.weight[:, :7] = 0
        before = ours(x)
        nn.init.normal_(ours.value.weight[:7])
    assert_close(ours(x), before)


def test_key_and_value_default_to_the_query() -> None:
    ours = MultiHeadAttention(14, 2)
    x, y = torch.randn(3, 5, 14), torch.randn(3, 11, 14)
    assert torch.equal(ours(x), ours(x, x, x))
    assert torch.equal(ours(x, y), ours(x, y, y))


def test_without_bias_it_has_four_matrices() -> None:
    ours = MultiHeadAttention(14, 2, bias=False)
    assert [p.shape for p in ours.parameters()] == [(14, 14)] * 4
    assert (ours(torch.zeros(3, 5, 14)) == 0).all()


def test_it_starts_xavier_uniform_with_zero_bias() -> None:
    ours = MultiHeadAttention(64, 4)
    bound = (6 / 128) ** 0.5
    for name, parameter in ours.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all()
        else:
            assert 0.98 * bound < parameter.abs().max() <= bound


@pytest.mark.parametrize(("dim", "heads"), [(14, 3), (14, 0), (0, 1), (3, 5)])
def test_heads_must_divide_dim(dim: int, heads: int) -> None:
    with pytest.raises(ValueError, match=f"dim={dim} and heads={heads}"):
        MultiHeadAttention(dim, heads)


@pytest.mark.usefixtures("as_shipped")
def test_a_mask_of_three_axes_is_ambiguous_and_refused() -> None:
    x = torch.randn(3, 5, 14)
    mask = torch.ones(3, 5, 5, dtype=torch.bool)
    ours = MultiHeadAttention(14, 2)
    with pytest.raises(ValueError, match=r"\(3, 5, 5\).*mask\[:, None\]"):
        ours(x, mask=mask)
    full: Tensor = ours(x, mask=mask[:, None])
    assert_close(full, ours(x))


@pytest.mark.usefixtures("as_shipped")
def test_what_torch_would_refuse_later_is_refused_by_name() -> None:
    ours = MultiHeadAttention(14, 2)
    x = torch.randn(3, 5, 14)
    for call in (ours, ours.attend):
        with pytest.raises(ValueError, match=r"^query .* 14\), got \(3, 5, 7"):
            call(x[..., :7])
        with pytest.raises(ValueError, match=r"^key .*, 14\), got \(3, 5, 7"):
            call(x, x[..., :7])
        with pytest.raises(ValueError, match=r"^value .*, 14\), got \(5, 14"):
            call(x, x, x[0])
        with pytest.raises(ValueError, match=r"^query .*ndarray; .*as_tensor"):
            call(x.numpy())
        with pytest.raises(ValueError, match=r"^query .*int64; .*\.float\(\)"):
            call(x.long())


@pytest.mark.usefixtures("as_shipped")
def test_padding_is_masked_in_our_way() -> None:
    ours = MultiHeadAttention(14, 2)
    x = torch.randn(3, 5, 14)
    padding = torch.zeros(3, 5, dtype=torch.bool)
    padding[:, 3:] = True
    for call in (ours, ours.attend):
        with pytest.raises(ValueError, match=r"=~key_padding_mask\[:, None"):
            call(x, key_padding_mask=padding)
        with pytest.raises(ValueError, match=r"`mask\[:, None, None, :\]`$"):
            call(x, mask=~padding)
    assert_close(ours(x, mask=~padding[:, None, None, :]), ours(x, x[:, :3]))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "sliced"])
def test_without_weights_no_pair_is_stored(masked: bool, layout: str) -> None:
    x = {
        "contiguous": torch.randn(2, 11, 14),
        "transposed": torch.randn(2, 14, 11).mT,
        "sliced": torch.randn(2, 11, 29)[..., 1::2],
    }[layout]
    mask = torch.ones(11, 11, dtype=torch.bool).tril() if masked else None
    module = MultiHeadAttention(14, 2)
    with torch.profiler.profile() as recorded:
        module(x, mask=mask)
    used = {event.key for event in recorded.key_averages()}
    assert any("flash" in name for name in used), used
    assert not any("attention_math" in name for name in used), used

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from attncourse.attention import (
    attention_weights,
    scaled_dot_product_attention,
)
from attncourse.bugs import dot_product as wrong


def tokens(
    *shape: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def triple(
    dtype: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        tokens(2, 3, 5, 7, seed=1, dtype=dtype),
        tokens(2, 3, 11, 7, seed=2, dtype=dtype),
        tokens(2, 3, 11, 13, seed=3, dtype=dtype),
    )


def by_loops(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """One number at a time, for a single head."""
    rows = []
    for q in query.tolist():
        scores = [
            sum(a * b for a, b in zip(q, k, strict=True)) / math.sqrt(len(q))
            for k in key.tolist()
        ]
        top = max(scores)
        powers = [math.exp(score - top) for score in scores]
        rows.append(
            [
                sum(p * v for p, v in zip(powers, column, strict=True))
                / sum(powers)
                for column in value.mT.tolist()
            ]
        )
    return torch.tensor(rows, dtype=torch.float64)


def by_weights(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> Tensor:
    return attention_weights(query, key, mask) @ value


PATHS = pytest.mark.parametrize(
    "path", [scaled_dot_product_attention, by_weights]
)


@PATHS
def test_it_equals_a_double_loop(path) -> None:
    query, key, value = triple()
    output = path(query, key, value)
    assert_close(output[1, 2], by_loops(query[1, 2], key[1, 2], value[1, 2]))


@pytest.mark.parametrize("mask_shape", [None, (5, 11), (2, 1, 1, 11)])
def test_it_equals_torch(mask_shape: tuple[int, ...] | None) -> None:
    query, key, value = triple()
    mask = None
    if mask_shape:
        mask = torch.rand(mask_shape) < 0.6
        mask[..., 0] = True
    expected = F.scaled_dot_product_attention(query, key, value, mask)
    for path in (scaled_dot_product_attention, by_weights):
        assert_close(path(query, key, value, mask), expected)


@PATHS
def test_the_scale_can_be_set(path) -> None:
    query, key, value = triple()
    options = {"scale": 1.0}
    if path is by_weights:
        found = attention_weights(query, key, **options) @ value
    else:
        found = path(query, key, value, **options)
    assert_close(found, path(query * 7**0.5, key, value))


def test_torch_reads_the_same_mask_the_same_way_and_mha_the_opposite() -> None:
    query, key, value = triple()
    mask = torch.ones(5, 11, dtype=torch.bool)
    mask[:, 4:] = False
    ours = scaled_dot_product_attention(query, key, value, mask)
    assert_close(ours, F.scaled_dot_product_attention(query, key, value, mask))
    other = torch.nn.MultiheadAttention(7, 1, batch_first=True).double()
    _, weights = other(query[0], key[0], key[0], attn_mask=mask)
    assert (weights[..., :4] == 0).all()


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_any_number_of_leading_axes(rank: int) -> None:
    query, key, value = triple()
    mask = torch.rand(5, 11) < 0.6
    mask[2] = False
    expected = scaled_dot_product_attention(query, key, value, mask)
    for _ in range(rank - 4):
        query, key, value = (t.unsqueeze(2) for t in (query, key, value))
    for _ in range(4 - rank):
        query, key, value, expected = (
            t[1] for t in (query, key, value, expected)
        )
    for path in (scaled_dot_product_attention, by_weights):
        output = path(query, key, value, mask)
        assert_close(output, expected.reshape(output.shape))


def test_no_keys_at_all_gives_zeros() -> None:
    query, key, value = triple()
    output = scaled_dot_product_attention(
        query, key[:, :, :0], value[:, :, :0]
    )
    assert output.shape == (2, 3, 5, 13)
    assert (output == 0).all()


def test_large_half_precision_vectors_do_not_overflow() -> None:
    query, key, value = (t.half() for t in triple())
    query, key = 120 * query, 120 * key
    assert ((query @ key.mT).isinf()).any()
    weights = attention_weights(query, key)
    assert weights.isfinite().all()
    assert scaled_dot_product_attention(query, key, value).isfinite().all()


@given(seed=st.integers(0, 2**16), dim=st.sampled_from([3, 17, 64]))
@settings(deadline=None)
def test_permuting_keys_with_their_values_changes_nothing(
    seed: int, dim: int
) -> None:
    torch.manual_seed(seed)
    query, key = tokens(5, dim, seed=seed), tokens(11, dim, seed=seed + 1)
    value = tokens(11, 2, seed=seed + 2)
    order = torch.randperm(11)
    assert_close(
        scaled_dot_product_attention(query, key[order], value[order]),
        scaled_dot_product_attention(query, key, value),
    )
    permuted = torch.randperm(5)
    assert_close(
        scaled_dot_product_attention(query[permuted], key, value),
        scaled_dot_product_attention(query, key, value)[permuted],
    )


def test_orthogonal_large_keys_make_a_look_up() -> None:
    key = 100 * torch.eye(7, dtype=torch.float64)
    value = tokens(7, 3)
    output = scaled_dot_product_attention(key[[4, 1]], key, value)
    assert_close(output, value[[4, 1]])


def kernels_of(query: Tensor, value: Tensor) -> set[str]:
    with torch.profiler.profile() as profile:
        scaled_dot_product_attention(query, query, value)
    return {event.key for event in profile.key_averages()}


def assert_fused(query: Tensor, value: Tensor) -> None:
    kernels = kernels_of(query, value)
    assert any("flash" in name for name in kernels), kernels
    assert not any("attention_math" in name for name in kernels), kernels


@pytest.mark.parametrize(
    ("value_dim", "rank"), [(7, 4), (13, 4), (3, 3), (7, 5)]
)
def test_the_fused_kernel_is_really_taken(value_dim: int, rank: int) -> None:
    """Also for maps read as tokens, whose last axis is not contiguous."""
    lead = (2, 3, 5)[: rank - 2]
    query = tokens(*lead, 7, 64, dtype=torch.float32).mT
    value = tokens(*lead, value_dim, 64, dtype=torch.float32).mT
    assert_fused(query, value)


def test_the_fused_kernel_is_taken_for_every_second_number() -> None:
    query = tokens(2, 3, 7, 64, dtype=torch.float32)[..., ::2]
    assert_fused(query, query)


def test_heads_that_stand_side_by_side_are_not_copied() -> None:
    heads = tokens(2, 11, 21, dtype=torch.float32).unflatten(2, (3, 7))
    heads = heads.transpose(1, 2)
    assert not heads.is_contiguous()
    assert "aten::copy_" not in kernels_of(heads, heads)


@pytest.mark.parametrize("extra", ["mask", "score_bias", "both", "empty row"])
@pytest.mark.parametrize("value_dim", [7, 13])
@pytest.mark.parametrize("bias_shape", [(1, 3, 5, 5), (3, 5, 5)])
def test_masks_and_biases_keep_the_fused_kernel(
    extra: str, value_dim: int, bias_shape: tuple[int, ...]
) -> None:
    query = tokens(2, 3, 7, 5, dtype=torch.float32).mT
    value = tokens(2, 3, value_dim, 5, dtype=torch.float32).mT
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    if extra == "empty row":
        mask[0] = False
    options = {
        "mask": None if extra == "score_bias" else mask,
        "score_bias": torch.randn(bias_shape)
        if extra in ("score_bias", "both")
        else None,
    }
    with torch.profiler.profile() as profile:
        scaled_dot_product_attention(query, query, value, **options)
    kernels = {event.key for event in profile.key_averages()}
    assert any("flash" in name for name in kernels), kernels
    assert not any("attention_math" in name for name in kernels), kernels


# Each contract takes an implementation that returns (output, weights).


def contract_scores_keep_their_spread(attend) -> None:
    """Entropy of the weights must not collapse as the dimension grows."""
    entropies = []
    for dim in (8, 512):
        query, key = tokens(61, dim, seed=4), tokens(64, dim, seed=5)
        _, weights = attend(query, key, key)
        entropies.append(-(weights * weights.clamp_min(1e-300).log()).sum(-1))
    assert entropies[1].mean() > 0.9 * entropies[0].mean()


def contract_rows_sum_to_one(attend) -> None:
    query, key, value = triple()
    _, weights = attend(query, key, value)
    assert_close(weights.sum(-1), torch.ones(2, 3, 5, dtype=torch.float64))


def contract_masked_keys_get_nothing_and_rows_sum_to_one(attend) -> None:
    query, key, value = triple()
    mask = torch.ones(5, 11, dtype=torch.bool)
    mask[:, 8:] = False
    _, weights = attend(query, key, value, mask)
    assert (weights[..., 8:] == 0).all()
    assert_close(weights.sum(-1), torch.ones(2, 3, 5, dtype=torch.float64))


def contract_an_empty_row_is_zero(attend) -> None:
    query, key, value = triple()
    mask = torch.ones(5, 11, dtype=torch.bool)
    mask[2] = False
    output, _ = attend(query, key, value, mask)
    assert (output[:, :, 2] == 0).all()


REJECTS = [
    (contract_scores_keep_their_spread, wrong.without_scale),
    (contract_rows_sum_to_one, wrong.softmax_over_queries),
    (
        contract_masked_keys_get_nothing_and_rows_sum_to_one,
        wrong.inverted_mask,
    ),
    (
        contract_masked_keys_get_nothing_and_rows_sum_to_one,
        wrong.mask_after_softmax,
    ),
    (contract_an_empty_row_is_zero, wrong.no_guard_for_empty_rows),
]


@pytest.mark.parametrize("contract", {pair[0]: 0 for pair in REJECTS})
def test_ours_keeps_the_contract(contract) -> None:
    def ours(
        query: Tensor, key: Tensor, value: Tensor, *mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        weights = attention_weights(query, key, *mask)
        return weights @ value, weights

    contract(ours)


@pytest.mark.parametrize(("contract", "exhibit"), REJECTS)
def test_the_contract_rejects_the_exhibit(contract, exhibit) -> None:
    with pytest.raises(AssertionError):
        contract(exhibit)


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((5, 7), (11, 6), (11, 13)), "query and key differ in their last"),
        (((5, 7), (11, 7), (10, 13)), "key and value differ in their number"),
        (((2, 5, 7), (11, 7), (11, 13)), "differ in their leading axes"),
        (((7,), (7,), (7,)), "at least the axes"),
        (((7,), (11, 7), (11, 13)), "at least the axes"),
        (((5, 7), (7,), (11, 13)), "at least the axes"),
        (((5, 7), (11, 7), (11,)), "at least the axes"),
    ],
)
def test_shapes_that_do_not_fit_are_named(
    shapes: tuple[tuple[int, ...], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        scaled_dot_product_attention(*(tokens(*shape) for shape in shapes))
    for shape in shapes:
        assert str(shape) in str(error.value)

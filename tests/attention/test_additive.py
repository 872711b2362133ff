import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.attention import AdditiveAttention, AdditivePooling2d
from attncourse.bugs import additive as wrong


def scrambled(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double()


def tokens(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(math.prod(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_scores_equal_a_triple_loop() -> None:
    module = scrambled(AdditiveAttention(3, 5, 7))
    query, key, value = tokens(2, 37, 3), tokens(2, 11, 5), tokens(2, 11, 13)
    _, weights = module.attend(query, key, value)
    hidden_query, hidden_key = module.query(query), module.key(key)
    expected = torch.empty(2, 1, 37, 11, dtype=torch.float64)
    for b in range(2):
        for i in range(37):
            scores = [
                sum(
                    module.score.weight[0, h].item()
                    * math.tanh(
                        hidden_query[b, i, h].item()
                        + hidden_key[b, j, h].item()
                    )
                    for h in range(7)
                )
                for j in range(11)
            ]
            total = sum(math.exp(score) for score in scores)
            for j, score in enumerate(scores):
                expected[b, 0, i, j] = math.exp(score) / total
    assert_close(weights, expected)


def test_the_form_for_compilers_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = scrambled(AdditiveAttention(3, 5, 7))
    query, key, value = tokens(2, 37, 3), tokens(2, 11, 5), tokens(2, 11, 13)
    expected = module(query, key, value)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert_close(module(query, key, value), expected)


def contract_weights_depend_on_the_query(kind: type) -> None:
    module = scrambled(kind(3, 5, 7))
    query, key = tokens(1, 2, 3), tokens(1, 11, 5)
    _, weights = module.attend(query, key, key)
    assert not torch.allclose(weights[..., 0, :], weights[..., 1, :])


def test_weights_depend_on_the_query() -> None:
    contract_weights_depend_on_the_query(AdditiveAttention)


def test_without_tanh_is_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_weights_depend_on_the_query(wrong.WithoutTanh)


def test_with_a_silent_query_layer_all_queries_agree() -> None:
    module = scrambled(AdditiveAttention(3, 5, 7))
    nn.init.zeros_(module.query.weight)
    _, weights = module.attend(
        tokens(1, 2, 3), tokens(1, 11, 5), tokens(1, 11, 5)
    )
    assert_close(weights[..., 0, :], weights[..., 1, :])


# Each contract takes a pooling class; returns (pooled, weights).


def contract_weights_sum_to_one(kind: type) -> None:
    module = scrambled(kind(5, 3))
    _, weights = module.attend(tokens(2, 5, 7, 11))
    total = weights.sum((2, 3))
    assert_close(total, torch.ones_like(total))


def contract_constant_scores_average(kind: type) -> None:
    module = kind(5, 3).double()  # starts with equal scores
    x = tokens(2, 5, 7, 11)
    pooled, _ = module.attend(x)
    assert_close(pooled, x.mean((2, 3)))


def contract_one_position_can_take_all(kind: type) -> None:
    module = kind(1, 1).double()
    nn.init.ones_(module.hidden.weight)
    nn.init.zeros_(module.hidden.bias)
    nn.init.constant_(module.score.weight, 1000)
    x = torch.full((1, 1, 7, 11), -1.0, dtype=torch.float64)
    x[0, 0, 4, 8] = 1
    _, weights = module.attend(x)
    assert weights[0, 0, 4, 8] / weights.sum() > 0.999


def contract_columns_compete(kind: type) -> None:
    """A position that scores higher must draw weight from other columns."""
    module = scrambled(kind(5, 3))
    x = tokens(1, 5, 7, 11)
    _, before = module.attend(x)
    changed = x.clone()
    changed[..., 0] += 3
    _, after = module.attend(changed)
    assert not torch.allclose(before[..., 1:], after[..., 1:])


CONTRACTS = [
    contract_weights_sum_to_one,
    contract_constant_scores_average,
    contract_one_position_can_take_all,
    contract_columns_compete,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_pooling_keeps_the_contract(contract) -> None:
    contract(AdditivePooling2d)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_contract_rejects_a_softmax_over_columns(contract) -> None:
    with pytest.raises(AssertionError):
        contract(wrong.ColumnSoftmaxPooling2d)


def test_the_contract_rejects_a_mean_after_the_softmax() -> None:
    with pytest.raises(AssertionError):
        contract_constant_scores_average(wrong.MeanAfterSoftmaxPooling2d)


def test_pooling_equals_a_loop_over_positions() -> None:
    module = scrambled(AdditivePooling2d(5, 3))
    x = tokens(2, 5, 7, 11)
    pooled, weights = module.attend(x)
    for b in range(2):
        total = torch.zeros(5, dtype=torch.float64)
        powers = 0.0
        for row in range(7):
            for column in range(11):
                position = x[b, :, row, column]
                hidden = torch.tanh(
                    module.hidden.weight[:, :, 0, 0] @ position
                    + module.hidden.bias
                )
                power = (module.score.weight[0, :, 0, 0] @ hidden).exp()
                total += power * position
                powers += power
        assert_close(pooled[b], total / powers)
    assert weights.shape == (2, 1, 7, 11)


@given(seed=st.integers(0, 2**16))
@settings(deadline=None)
def test_shuffling_the_positions_changes_nothing(seed: int) -> None:
    torch.manual_seed(seed)
    module = scrambled(AdditivePooling2d(5, 3))
    x = tokens(2, 5, 7, 11)
    order = torch.randperm(77)
    shuffled = x.flatten(2)[..., order].unflatten(2, (7, 11))
    assert_close(module(shuffled), module(x))


def test_pooling_starts_as_global_average_pooling_with_equal_weights() -> None:
    module = AdditivePooling2d(5)
    assert module.hidden.out_channels == 5
    x = torch.randn(2, 5, 7, 11)
    pooled, weights = module.attend(x)
    assert_close(pooled, x.mean((2, 3)))
    assert_close(weights, torch.full((2, 1, 7, 11), 1 / 77))


def test_only_the_hidden_layer_has_a_bias_and_only_once() -> None:
    pooling, attention = AdditivePooling2d(5), AdditiveAttention(3, 5, 7)
    assert pooling.hidden.bias is not None
    assert attention.key.bias is not None
    idle = (pooling.score, attention.score, attention.query)
    assert all(layer.bias is None for layer in idle)


@pytest.mark.parametrize(
    ("batch", "queries", "hidden"), [(67, 2, 3), (2, 67, 3), (2, 3, 67)]
)
def test_blocks_make_no_difference(
    batch: int, queries: int, hidden: int
) -> None:
    module = scrambled(AdditiveAttention(3, 5, hidden))
    query, key = tokens(batch, queries, 3), tokens(batch, 11, 5)
    _, weights = module.attend(query, key, key)
    pairs = module.query(query)[:, :, None] + module.key(key)[:, None]
    scores = (pairs.tanh() * module.score.weight[0]).sum(-1)
    assert_close(weights[:, 0], scores.softmax(-1))


def test_masked_positions_are_left_out_of_the_pooled_vector() -> None:
    module = scrambled(AdditivePooling2d(5, 3))
    x = tokens(2, 5, 7, 11)
    mask = torch.zeros(2, 1, 7, 11, dtype=torch.bool)
    mask[..., :4] = True
    assert_close(module(x, mask), module(x[..., :4]))
    assert_close(module(x, mask[:1]), module(x, mask))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AdditivePooling2d(0), "channels must be at least 1, got 0"),
        (lambda: AdditivePooling2d(5, 0), "hidden_dim must be at least 1"),
        (lambda: AdditiveAttention(0, 5, 7), "query_dim must be at least 1"),
        (lambda: AdditiveAttention(3, -5, 7), "key_dim .* got -5"),
        (lambda: AdditiveAttention(3, 5, 0), "hidden_dim must be at least 1"),
    ],
)
def test_impossible_widths_are_refused(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.usefixtures("as_shipped")
def test_tokens_that_do_not_fit_are_refused() -> None:
    module = AdditiveAttention(3, 5, 7)
    query, key = torch.randn(2, 2, 3), torch.randn(2, 11, 5)
    with pytest.raises(ValueError, match=r"number of tokens.* 11 and 10"):
        module(query, key, key[:, :10])
    with pytest.raises(ValueError, match="same batch size, got 1, 2 and 2"):
        module(query[:1], key, key)
    with pytest.raises(ValueError, match=r"^query .*, 3\), got \(2, 2, 2\)"):
        module(query[..., :2], key, key)
    with pytest.raises(ValueError, match=r"^key .*, 5\), got \(2, 11, 4\)"):
        module(query, key[..., :4], key)
    per_key = torch.ones(2, 11, dtype=torch.bool)
    short = torch.cat([query, query], 1)
    with pytest.raises(ValueError, match=r"write `mask\[:, None, None, :\]`$"):
        module(short, key, key, per_key)
    two_heads = torch.ones(2, 2, 2, 11, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"broadcast to \(2, 1, 2, 11\)"):
        module(query, key, key, two_heads)

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from attncourse.attention import (
    LearnedPositions2d,
    MultiHeadAttention,
    RelativePositionBias2d,
    RotaryPositions2d,
    attention_weights,
    scaled_dot_product_attention,
    sinusoidal_positions,
    sinusoidal_positions_2d,
)


def test_sinusoidal_equals_the_formula_one_number_at_a_time() -> None:
    codes = sinusoidal_positions(7, 10)
    for p in range(7):
        for i in range(5):
            angle = torch.tensor(p / 10000 ** (2 * i / 10))
            pair = torch.stack([angle.sin(), angle.cos()])
            found = codes[p, 2 * i : 2 * i + 2]
            assert_close(found, pair, atol=1e-6, rtol=0)


def test_products_depend_on_the_distance_and_norms_are_equal() -> None:
    codes = sinusoidal_positions(13, 22)
    products = codes @ codes.T
    for distance in range(13):
        diagonal = products.diagonal(distance)
        assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert_close(products.diagonal(), torch.full((13,), 11.0))


def test_two_dimensions_treat_rows_and_columns_alike() -> None:
    codes = sinusoidal_positions_2d(5, 7, 12).unflatten(0, (5, 7))
    flipped = sinusoidal_positions_2d(7, 5, 12).unflatten(0, (7, 5))
    rows, columns = codes.chunk(2, -1)
    assert_close(torch.cat([columns, rows], -1).transpose(0, 1), flipped)
    below = (codes[0, 0] * codes[1, 0]).sum()
    beside = (codes[0, 0] * codes[0, 1]).sum()
    assert_close(below, beside)


def test_two_dimensions_equal_timm_up_to_the_order_of_channels() -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.layers.build_sincos2d_pos_embed([5, 7], dim=12)
    ours = sinusoidal_positions_2d(5, 7, 12)
    # ours: sine and cosine in turn, row then column; theirs: blocks of
    # [sin row, cos row, sin column, cos column] or a reordering of them.
    blocks = [ours[:, 0:6:2], ours[:, 1:6:2], ours[:, 6::2], ours[:, 7::2]]
    parts = theirs.unflatten(1, (4, 3)).unbind(1)
    for block in blocks:
        assert any(torch.allclose(block, part, atol=1e-6) for part in parts)


def test_all_positions_have_codes_of_their_own() -> None:
    codes = sinusoidal_positions_2d(11, 13, 16)
    assert torch.cdist(codes, codes).fill_diagonal_(9).min() > 0.1


@pytest.mark.parametrize(
    "build",
    [
        lambda: sinusoidal_positions(5, 7),
        lambda: sinusoidal_positions(5, 0),
        lambda: sinusoidal_positions_2d(5, 7, 6),
        lambda: RotaryPositions2d(6),
    ],
)
def test_a_width_that_cannot_be_shared_out_is_refused(build) -> None:
    with pytest.raises(ValueError, match="positive multiple of"):
        build()


@pytest.mark.parametrize(
    ("build", "came"),
    [
        (lambda: sinusoidal_positions(0, 4), "got 0"),
        (lambda: LearnedPositions2d(0, 5, 7), "got 0, 5 and 7"),
        (lambda: LearnedPositions2d(3, 0, 7), "got 3, 0 and 7"),
        (lambda: LearnedPositions2d(3, 5, 0), "got 3, 5 and 0"),
        (lambda: RelativePositionBias2d(0, 5, 7), "got 0, 5 and 7"),
        (lambda: RelativePositionBias2d(3, 0, 7), "got 3, 0 and 7"),
        (lambda: RelativePositionBias2d(3, 5, 0), "got 3, 5 and 0"),
    ],
)
def test_an_empty_size_is_refused(build, came: str) -> None:
    with pytest.raises(ValueError, match=came):
        build()


def test_a_single_position_has_a_position() -> None:
    assert_close(sinusoidal_positions(1, 2), torch.tensor([[0.0, 1.0]]))
    assert LearnedPositions2d(1, 1, 1)(torch.zeros(2, 1, 1, 1)).any()
    assert RelativePositionBias2d(1, 1, 1)().shape == (1, 1, 1)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (LearnedPositions2d(3, 5, 7), (torch.zeros(2, 3, 5, 11),)),
        (RelativePositionBias2d(2, 5, 7), ()),
        (RotaryPositions2d(8), (torch.zeros(2, 3, 35, 8), 5, 7)),
    ],
)
def test_nothing_is_made_on_another_device(module, arguments) -> None:
    moved = [a.to("meta") if isinstance(a, Tensor) else a for a in arguments]
    assert module.to("meta")(*moved).device.type == "meta"


@pytest.mark.parametrize("size", [(11, 13), (5, 11), (8, 7)])
def test_resizing_learned_positions_equals_timm(size: tuple[int, int]) -> None:
    timm = pytest.importorskip("timm")
    module = LearnedPositions2d(3, 5, 7)
    tokens = module.table.flatten(2).mT
    expected = timm.layers.resample_abs_pos_embed(
        tokens, size, (5, 7), num_prefix_tokens=0, antialias=False
    )
    found = module(torch.zeros(1, 3, *size))
    assert_close(found.flatten(2).mT, expected)


def test_learned_positions_are_added_and_resized() -> None:
    module = LearnedPositions2d(3, 5, 7)
    x = torch.randn(2, 3, 5, 7)
    assert_close(module(x), x + module.table)
    larger = module(torch.zeros(2, 3, 11, 13))
    assert larger.shape == (2, 3, 11, 13)
    assert_close(
        larger.mean((0, 2, 3)), module.table.mean((0, 2, 3)), atol=0.01, rtol=0
    )
    with torch.no_grad():
        module.table.fill_(0.5)
    assert_close(
        module(torch.zeros(1, 3, 11, 13)), torch.full((1, 3, 11, 13), 0.5)
    )


@pytest.mark.parametrize("kind", [LearnedPositions2d, RelativePositionBias2d])
def test_tables_start_small(kind: type) -> None:
    assert 0.018 < kind(17, 19, 23).table.std() < 0.022


def test_a_relative_bias_stores_one_number_for_each_offset() -> None:
    stored = RelativePositionBias2d(2, 3, 5).state_dict()
    assert {name: tuple(t.shape) for name, t in stored.items()} == {
        "table": (2, 5 * 9)
    }


def test_relative_bias_depends_on_the_offset_alone() -> None:
    module = RelativePositionBias2d(2, 3, 5)
    bias = module().unflatten(2, (3, 5)).unflatten(1, (3, 5))
    found: dict[tuple[int, int], Tensor] = {}
    for y in range(3):
        for x in range(5):
            for v in range(3):
                for u in range(5):
                    value = bias[:, y, x, v, u]
                    seen = found.setdefault((y - v, x - u), value)
                    assert torch.equal(seen, value)
    assert len(found) == 5 * 9
    assert len({tuple(value.tolist()) for value in found.values()}) == 45


def test_relative_bias_equals_the_table_of_swin() -> None:
    swin = pytest.importorskip("torchvision.models.swin_transformer")
    theirs = swin.ShiftedWindowAttention(8, [5, 5], [0, 0], 2)
    ours = RelativePositionBias2d(2, 5, 5)
    with torch.no_grad():
        ours.table.copy_(theirs.relative_position_bias_table.T)
    assert_close(ours(), theirs.get_relative_position_bias()[0])


def test_score_bias_equals_a_float_mask_of_torch() -> None:
    query, key, value = torch.randn(3, 2, 2, 15, 7).double()
    bias = RelativePositionBias2d(2, 3, 5).double()()
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=bias
    )
    fast = scaled_dot_product_attention(query, key, value, score_bias=bias)
    slow = attention_weights(query, key, score_bias=bias) @ value
    assert_close(fast, expected)
    assert_close(slow, expected)
    mask = torch.rand(15, 15) < 0.5
    mask[4] = False
    fast = scaled_dot_product_attention(
        query, key, value, mask, score_bias=bias
    )
    weights = attention_weights(query, key, mask, score_bias=bias)
    assert_close(fast, weights @ value)
    assert (fast[:, :, 4] == 0).all()
    assert (weights[..., ~mask] == 0).all()


@pytest.mark.parametrize("shape", [(5, 11), (2, 1, 5, 11)])
def test_a_biased_query_with_nothing_to_attend_gets_zeros(
    shape: tuple[int, ...],
) -> None:
    query = torch.randn(2, 3, 5, 7)
    key = torch.randn(2, 3, 11, 7)
    bias = torch.randn(3, 5, 11, requires_grad=True)
    mask = torch.rand(shape) < 0.7
    mask[..., 0] = True
    mask[..., 3, :] = False
    fast = scaled_dot_product_attention(query, key, key, mask, score_bias=bias)
    slow = attention_weights(query, key, mask, score_bias=bias) @ key
    assert_close(fast, slow)
    assert (fast[:, :, 3] == 0).all()
    (gradient,) = torch.autograd.grad(fast.sum(), bias)
    (expected,) = torch.autograd.grad(slow.sum(), bias)
    assert_close(gradient, expected)


def test_a_bias_may_have_another_type_than_the_query() -> None:
    query = torch.randn(2, 5, 7)
    bias = torch.randn(5, 5)
    found = scaled_dot_product_attention(
        query, query, query, score_bias=bias.double()
    )
    expected = scaled_dot_product_attention(
        query, query, query, score_bias=bias
    )
    assert_close(found, expected)


@pytest.mark.usefixtures("as_shipped")
def test_a_score_bias_of_another_shape_is_refused() -> None:
    query = torch.randn(2, 5, 7)
    with pytest.raises(ValueError, match=r"score_bias of shape \(5, 4\)"):
        scaled_dot_product_attention(
            query, query, query, score_bias=torch.zeros(5, 4)
        )


@given(
    down=st.integers(0, 3), right=st.integers(0, 4), seed=st.integers(0, 99)
)
@settings(deadline=None)
def test_rotary_scores_depend_on_the_offset_alone(
    down: int, right: int, seed: int
) -> None:
    torch.manual_seed(seed)
    module = RotaryPositions2d(12)
    height, width = 7, 11
    query, key = torch.randn(2, 1, 1, 1, 12)
    everywhere = torch.ones(height * width, 1)
    queries = module(query * everywhere, height, width)[0, 0]
    keys = module(key * everywhere, height, width)[0, 0]
    scores = (queries @ keys.T).unflatten(1, (height, width))
    scores = scores.unflatten(0, (height, width))
    assert_close(
        scores[down, right, 0, 0],
        scores[down + 3, right + 5, 3, 5],
        atol=1e-4,
        rtol=1e-4,
    )
    assert_close(queries.norm(dim=-1), query.norm() * everywhere[:, 0])


def test_rotary_equals_complex_multiplication() -> None:
    module = RotaryPositions2d(8)
    x = torch.randn(2, 3, 15, 8)
    turned = module(x, 3, 5)
    pairs = torch.view_as_complex(x.unflatten(-1, (4, 2)).contiguous())
    position = torch.arange(15)
    angle = torch.stack(
        [
            position // 5,
            (position // 5) / 100,
            position % 5,
            (position % 5) / 100,
        ],
        -1,
    )
    expected = torch.view_as_real(
        pairs * torch.polar(torch.ones(15, 4), angle)
    )
    assert_close(turned, expected.flatten(-2))


def test_rotary_keeps_the_type_and_leaves_the_first_position_alone() -> None:
    x = torch.randn(2, 3, 15, 8, dtype=torch.bfloat16)
    turned = RotaryPositions2d(8)(x, 3, 5)
    assert turned.dtype == torch.bfloat16
    assert torch.equal(turned[:, :, 0], x[:, :, 0])


@pytest.mark.usefixtures("as_shipped")
def test_rotary_wants_one_token_for_each_position() -> None:
    with pytest.raises(ValueError, match=r"\(15, 8\) .* 3 x 5, got .*14, 8"):
        RotaryPositions2d(8)(torch.randn(2, 3, 14, 8), 3, 5)


def test_attention_with_rotary_positions_ignores_a_common_shift() -> None:
    torch.manual_seed(0)
    attention = MultiHeadAttention(16, 2)
    rotary = RotaryPositions2d(8)
    x = torch.randn(2, 15, 16)
    near = attention(x, rotate=lambda heads: rotary(heads, 3, 5))
    assert not torch.allclose(near, attention(x))
    # Two positions one row apart attend alike wherever the pair stands.
    canvas = torch.zeros(2, 5, 5, 16)
    canvas[:, 1:4] = x.unflatten(1, (3, 5))
    real = torch.zeros(5, 5, dtype=torch.bool)
    real[1:4] = True
    moved = attention(
        canvas.flatten(1, 2),
        mask=real.flatten()[None, None, None],
        rotate=lambda heads: rotary(heads, 5, 5),
    )
    assert_close(moved[:, 5:20], near)


def test_shuffling_positions_is_noticed_only_with_positions() -> None:
    attention = MultiHeadAttention(16, 2).double()
    x = torch.randn(2, 15, 16, dtype=torch.float64)
    order = torch.randperm(15)
    assert_close(attention(x[:, order]), attention(x)[:, order])
    codes = sinusoidal_positions_2d(3, 5, 16).double()
    assert not torch.allclose(
        attention(x[:, order] + codes), attention(x + codes)[:, order]
    )

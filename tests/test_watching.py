import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attncourse import watch
from attncourse.attention import AdditivePooling2d, MultiHeadAttention
from attncourse.models import AttentionCNN


def test_the_innermost_layers_are_watched_and_outputs_stay() -> None:
    net = AttentionCNN().eval()
    images = torch.rand(2, 1, 29, 43)
    expected = net(images)
    with watch(net) as maps:
        assert_close(net(images), expected)
    assert list(maps) == ["pooling"]
    assert_close(maps["pooling"], net.attend(images)[1])
    assert not maps["pooling"].requires_grad


def test_the_model_is_restored_even_after_an_error() -> None:
    net = AttentionCNN()
    with pytest.raises(RuntimeError), watch(net):
        net(torch.rand(2, 3, 29, 43))
    assert "forward" not in vars(net.pooling)


def test_a_caller_who_asks_for_weights_still_gets_them() -> None:
    layer = AdditivePooling2d(5)
    x = torch.randn(2, 5, 7, 11)
    with watch(layer) as maps:
        pooled, weights = layer.attend(x)
    assert_close(pooled, layer(x))
    assert_close(maps[""], weights)


def test_the_last_call_counts() -> None:
    layer = MultiHeadAttention(14, 2)
    first, last = torch.randn(2, 3, 5, 14)
    with watch(layer) as maps:
        layer(first)
        layer(last)
    assert_close(maps[""], layer.attend(last)[1])


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("average", [True, False])
def test_torch_attention_answers_as_it_was_asked(
    need_weights: bool, average: bool
) -> None:
    layer = nn.MultiheadAttention(14, 2, batch_first=True)
    x = torch.randn(3, 5, 14)
    options = {"need_weights": need_weights, "average_attn_weights": average}
    expected = layer(x, x, x, **options)
    with watch(layer) as maps:
        found = layer(x, x, x, **options)
    assert_close(found[0], expected[0])
    if need_weights:
        assert_close(found[1], expected[1])
    else:
        assert found[1] is None
    heads = layer(x, x, x, average_attn_weights=False)[1]
    assert_close(maps[""], heads)


def test_torch_attention_on_one_sample_gets_a_batch_axis() -> None:
    layer = nn.MultiheadAttention(14, 2)
    x = torch.randn(5, 14)
    with watch(layer) as maps:
        layer(x, x, x)
    assert maps[""].shape == (1, 2, 5, 5)


def test_an_encoder_in_eval_mode_takes_no_short_cut() -> None:
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(14, 2, batch_first=True), 2
    ).eval()
    x = torch.randn(3, 5, 14)
    expected = encoder(x)
    with watch(encoder) as maps:
        assert_close(encoder(x), expected)
    assert list(maps) == ["layers.0.self_attn", "layers.1.self_attn"]
    assert torch.backends.mha.get_fastpath_enabled()


def test_timm_attention_is_watched() -> None:
    timm = pytest.importorskip("timm")
    layer = timm.layers.Attention(14, num_heads=2).eval()
    x = torch.randn(3, 5, 14)
    expected = layer(x)
    fused = layer.fused_attn
    with watch(layer) as maps:
        assert_close(layer(x), expected)
    assert maps[""].shape == (3, 2, 5, 5)
    assert_close(maps[""].sum(-1), torch.ones(3, 2, 5))
    assert layer.fused_attn is fused


def test_a_model_without_attention_is_refused() -> None:
    refused = pytest.raises(ValueError, match="Linear has no attention")
    with refused, watch(nn.Linear(3, 5)):
        pass

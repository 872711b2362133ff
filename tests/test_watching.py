import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attncourse import attention, watch
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


class Backwards(nn.Module):
    """`attend` calls `forward`, as in the pooling of a maximum."""

    def forward(self, x):
        return x.amax(-1)

    def attend(self, x):
        pooled = self.forward(x)
        return pooled, (x == pooled[..., None]).float()


def test_attend_may_call_forward_or_the_other_way_round() -> None:
    for layer in (Backwards(), attention.SqueezeExcitation(14, 2)):
        x = torch.randn(2, 14, 3, 5)
        expected = layer(x)
        with watch(layer) as maps:
            assert_close(layer(x), expected)
            assert_close(layer.attend(x)[0], expected)
        assert torch.equal(maps[""], layer.attend(x)[1])
        assert not {"forward", "attend"} & set(vars(layer))


def test_weights_of_another_forward_are_not_taken() -> None:
    class Doubled(attention.SqueezeExcitation):
        def forward(self, x):
            return 2 * x

    refused = pytest.raises(ValueError, match="no attention layer to watch")
    with refused, watch(Doubled(14, 2)):
        pass


def test_an_argument_of_forward_will_do() -> None:
    class Old(nn.Module):
        def forward(self, x, *, return_weights=False):
            weights = x.softmax(-1)
            return (weights * x, weights) if return_weights else weights * x

    layer, x = Old(), torch.randn(2, 5)
    with watch(layer) as maps:
        assert_close(layer(x), x.softmax(-1) * x)
        assert len(layer(x, return_weights=True)) == 2
    assert torch.equal(maps[""], x.softmax(-1))


@pytest.mark.slow
def test_a_typed_script_may_use_it(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import torch\n"
        "from attncourse import insert, standalone, watch\n"
        "from attncourse.attention import SqueezeExcitation\n\n"
        "gate = SqueezeExcitation(16, 4)\n"
        "with watch(gate) as maps:\n"
        "    gate(torch.randn(2, 16, 5, 5))\n"
        "shape: torch.Size = maps[''].shape\n"
        "text: str = standalone('CBAM')\n"
        "names = [added.where for added in insert(gate, 'se', 'x')]\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", script],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout

"""False alarms and wrong diagnoses of earlier versions, right beside wrong."""

import json
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from attncourse.__main__ import main
from attncourse.checkup import assert_healthy, checkup, watch
from attncourse.checkup.kinds import KINDS
from tests.checkup.wrong import Attention

pytestmark = pytest.mark.usefixtures("as_shipped")
TOKENS = (3, 10, 64)


def seen(module: nn.Module, *shape: int, **options) -> str:
    torch.manual_seed(0)
    report = checkup(module, torch.randn(*shape), **options)
    return repr(report)


class Reshaped(nn.Module):
    """Makes a map of tokens; the size stands in the code or on self."""

    def __init__(self, side: int | None) -> None:
        super().__init__()
        self.mix = Attention(16)
        if side:
            self.side = side

    def forward(self, x: Tensor) -> Tensor:
        side = getattr(self, "side", 6)
        mixed = self.mix(x.flatten(2).mT).mT
        return mixed.reshape(len(x), 16, side, side)


def test_a_size_of_the_constructor_is_a_note() -> None:
    assert "error   sizes" not in seen(Reshaped(6), 2, 16, 6, 6)
    assert "error   sizes" in seen(Reshaped(None), 2, 16, 6, 6)


def test_an_attention_mask_that_hides_is_a_warning_at_most() -> None:
    class Hiding(Attention):
        def forward(self, x, attention_mask=None):
            query, key, value = self.qkv(x).chunk(3, -1)
            scores = query @ key.mT / 8
            if attention_mask is not None:
                scores = scores.masked_fill(attention_mask, -torch.inf)
            return scores.softmax(-1) @ value

    text = seen(Hiding(), *TOKENS)
    assert "warning mask: where attention_mask is True" in text
    assert "error   mask" not in text


def test_a_softmax_in_two_parts_loses_nothing() -> None:
    class Halves(Attention):
        lost = False

        def mix(self, weights, value):
            left, right = weights.chunk(2, -1)
            one, two = value.chunk(2, 1)
            return left @ one + (0 if self.lost else right @ two)

    class Lost(Halves):
        lost = True

    assert "error   norm" not in seen(Halves(), *TOKENS)
    assert "warning norm" not in seen(Halves(), *TOKENS)
    assert "in total" in seen(Lost(), *TOKENS)


def test_a_mask_must_keep_the_shape_of_the_output() -> None:
    class Causal(Attention):
        def forward(self, x, mask=None):
            query, key, value = self.qkv(x).chunk(3, -1)
            count = x.shape[1]
            hidden = torch.ones(count, count, dtype=torch.bool).triu(1)
            if mask is not None:
                hidden = hidden | ~mask
            scores = (query @ key.mT / 8).masked_fill(hidden, -1e4)
            return scores.softmax(-1) @ value

    assert "error" not in seen(Causal(), *TOKENS).replace("0 errors", "")


def test_the_examination_ends_at_the_first_nan() -> None:
    class Broken(Attention):
        def weights(self, scores):
            return scores.log().softmax(-1)

    torch.manual_seed(0)
    report = checkup(Broken(), torch.randn(*TOKENS))
    assert [finding.probe for finding in report.errors] == ["precision"]


def test_cross_attention_with_tokens_first() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(10, 3, 64), torch.randn(7, 3, 64)
    report = checkup(nn.MultiheadAttention(64, 4), (query, key, key))
    assert not report.errors + report.warnings, report
    assert "could not be finished" not in repr(report)


def test_a_kernel_of_the_modules_choice_is_seen_through() -> None:
    class Chosen(Attention):
        scale = 8**-1.0

        def forward(self, x):
            query, key, value = self.qkv(x)[:, None].chunk(3, -1)
            with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
                mixed = F.scaled_dot_product_attention(
                    query, key, value, scale=self.scale
                )
            return mixed[:, 0]

    class Hard(Chosen):
        scale = 5.0

    assert "passed  scale: dot products of 64" in seen(Chosen(), *TOKENS)
    assert "error   scale" in seen(Hard(), *TOKENS)


def test_hidden_scores_do_not_hide_the_spread() -> None:
    class Band(Attention):
        def weights(self, scores):
            far = torch.ones_like(scores).triu(3).bool()
            return (8 * scores).masked_fill(far, -torch.inf).softmax(-1)

    assert "spread by 0.00" not in seen(Band(), *TOKENS)


@pytest.mark.parametrize("name", ["list", "dict", "registered"])
def test_layers_in_plain_containers(name: str) -> None:
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [Attention(16), Attention(16)]
            self.layers = {
                "list": layers,
                "dict": {"a": layers[0], "b": layers[1]},
                "registered": nn.ModuleList(layers),
            }[name]

        def forward(self, x):
            layers = self.layers
            for layer in layers.values() if name == "dict" else layers:
                x = layer(x)
            return x

    text = seen(Layers(), 2, 9, 16)
    assert ("parameters() does not name" in text) is (name != "registered")


def test_a_backward_that_is_impossible_is_an_error() -> None:
    class Overwritten(Attention):
        def weights(self, scores):
            weights = (scores / 8).softmax(-1)
            return weights.mul_(1.0)

    assert "error   gradients: the backward pass fails" in seen(
        Overwritten(), *TOKENS
    )


@pytest.mark.parametrize("each", [True, False])
def test_parameters_made_in_forward(each: bool) -> None:
    class Late(nn.Module):
        def forward(self, x):
            if each or not hasattr(self, "layer"):
                self.layer = nn.Linear(16, 16)
            return x + self.layer(x)

    text = seen(Late(), 2, 9, 16)
    assert "parameters: " + ("each" if each else "the first") in text
    assert "random masks" not in text


@pytest.mark.parametrize("kind", ["plain", "buffer", "parameter"])
def test_a_tensor_that_nobody_registered(kind: str) -> None:
    class Shifted(Attention):
        def __init__(self):
            super().__init__()
            shift = torch.randn(64)
            if kind == "buffer":
                self.register_buffer("shift", shift)
            else:
                self.shift = (
                    nn.Parameter(shift) if kind == "parameter" else shift
                )

        def forward(self, x):
            return super().forward(x + self.shift)

    text = seen(Shifted(), *TOKENS)
    assert ("neither a buffer nor a parameter" in text) is (kind == "plain")


@pytest.mark.parametrize("side", ["height", "both"])
def test_a_pooling_kernel_of_one_side(side: str) -> None:
    class Pool(nn.Module):
        def forward(self, x):
            kernel = (x.shape[2], x.shape[2 if side == "height" else 3])
            gate = F.avg_pool2d(x, kernel).sigmoid()
            return F.avg_pool2d(x, kernel) * gate

    text = seen(Pool(), 2, 8, 6, 6)
    assert ("error   sizes: a map twice" in text) is (side == "height")


def test_masks_integers_and_batch_axes_from_the_command_line(capsys) -> None:
    path = "tests.checkup.wrong:Masked"
    arguments = [path, "--input", "x=3,10,64", "--input", "mask=bool:10,10"]
    assert main(["checkup", *arguments]) == 0
    assert "what is hidden is ignored" in capsys.readouterr().out
    arguments = ["torch.nn:Embedding", "--arg", "num_embeddings=9"]
    arguments += ["--arg", "embedding_dim=4", "--input", "int:2,9"]
    assert main(["checkup", *arguments]) == 0
    arguments = ["torch.nn:MultiheadAttention", "--arg", "embed_dim=16"]
    arguments += ["--arg", "num_heads=2", *["--input", "9,2,16"] * 3]
    arguments += ["--batch-axis", "0=1", "--as", "self-attention"]
    assert main(["checkup", *arguments]) == 0
    arguments[-3] = "2"
    assert main(["checkup", *arguments[:-2]]) == 2
    assert capsys.readouterr().err.startswith("error: --batch-axis")


def test_it_does_without_the_compiler() -> None:
    code = (
        "import sys, torch; from attncourse.checkup import checkup; "
        "checkup(torch.nn.Linear(4, 4), torch.ones(2, 3, 4)); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_loop_is_stopped_at_a_limit_that_is_named() -> None:
    class Looping(Attention):
        def forward(self, x):
            while True:
                x = x + 1

    start = time.monotonic()
    report = checkup(Looping(), torch.randn(*TOKENS), seconds=0.3)
    assert time.monotonic() - start < 20
    (error,) = report.errors
    assert "limit of 0.3 s" in error.seen


def test_lists_dicts_and_names_are_inputs() -> None:
    class Summing(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = Attention(16)

        def forward(self, maps, *, more):
            return {"out": [self.mix(maps[0]) + maps[1] + more["x"]]}

    one, two, three = torch.randn(3, 2, 5, 16)
    report = checkup(Summing(), {0: [one, two], "more": {"x": three}})
    assert not report.errors, report


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_types(dtype: torch.dtype) -> None:
    x = torch.randn(*TOKENS, dtype=dtype)
    assert not checkup(Attention().to(dtype), x).errors


def test_meta_inputs_get_a_report() -> None:
    module = Attention().to("meta")
    assert checkup(module, torch.randn(*TOKENS, device="meta")).findings


def test_what_a_module_prints_does_not_spoil_the_json(capsys) -> None:
    class Loud(Attention):
        def forward(self, x):
            print("hello")
            return super().forward(x)

    text = checkup(Loud(), torch.randn(*TOKENS)).to_json()
    assert capsys.readouterr().out == ""
    content = json.loads(text)
    assert content["schema"] == 1
    assert {"module", "kind", "ok", "findings", "passed"} < set(content)


def test_a_call_that_seeds_everybody() -> None:
    class Seeding(Attention):
        def forward(self, x):
            torch.manual_seed(0)
            return super().forward(x)

    assert "seeds torch's random numbers" in seen(Seeding(), *TOKENS)
    assert "seeds torch's" not in seen(Attention(), *TOKENS)


def test_a_module_is_healthy_or_the_test_fails() -> None:
    x = torch.randn(*TOKENS)
    assert_healthy(Attention(), x, kind="self-attention")

    class Hard(Attention):
        def weights(self, scores):
            return scores.softmax(-1)

    with pytest.raises(AssertionError, match="scale: dot products of 64"):
        assert_healthy(Hard(), x)
    assert_healthy(Hard(), x, allow={"scale"})


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind is 'sa'; one of se, eca"):
        checkup(Attention(), torch.randn(*TOKENS), kind="sa")
    assert len(KINDS) == 12


def test_a_network_is_examined_by_layers() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    network = nn.Sequential(
        nn.Linear(8, 16),
        nn.TransformerEncoder(layer, 3, enable_nested_tensor=False),
    )
    report = checkup(network, torch.randn(2, 5, 8), layers=True)
    assert not report.errors + report.warnings, report
    paths = {finding.path for finding in report.all_findings}
    assert any(path.startswith("1.layers.0") for path in paths)


class Gated(nn.Module):
    def __init__(self, cut: bool, factor: float = 0.3) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.gamma = nn.Parameter(torch.full((), 0.5))
        self.cut, self.factor = cut, factor

    def forward(self, x):
        query, key, value = self.qkv(x).chunk(3, -1)
        gamma = self.gamma.detach() if self.cut else self.gamma
        scores = self.factor * query @ key.mT
        return x + gamma * scores.softmax(-1) @ value


@pytest.mark.parametrize("cut", [True, False])
def test_watching_sees_a_gamma_that_never_moves(cut: bool) -> None:
    torch.manual_seed(0)
    module = Gated(cut)
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    with watch(module) as seen_layers:
        for _ in range(3):
            optimiser.zero_grad()
            module(torch.randn(2, 9, 8)).square().mean().backward()
            optimiser.step()
    text = repr(seen_layers.report)
    assert ("gamma stayed at 0.5" in text) is cut
    assert "3 calls" in text


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1e3, "each row looks at one"), (1e6, "in float16 they are inf")],
)
def test_watching_sees_collapsed_maps(factor: float, words: str) -> None:
    torch.manual_seed(0)
    module = Gated(cut=False, factor=factor)
    with watch(module) as seen_layers:
        module(torch.randn(2, 9, 8))
    assert words in repr(seen_layers.report)


def test_watching_sees_closed_gates_and_empty_rows() -> None:
    class Closed(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Linear(8, 8)

        def forward(self, x):
            hidden = x * torch.sigmoid(self.score(x) - 20)
            empty = torch.full((2, 3), -torch.inf)
            return hidden, empty.softmax(-1)

    with watch(Closed()) as seen_layers:
        _ = Closed  # the module that is watched must be the one that runs
    assert not seen_layers.report.findings
    module = Closed()
    with watch(module) as seen_layers:
        module(torch.randn(2, 9, 8))
    text = repr(seen_layers.report)
    assert "100% of 144 gates are below 0.01" in text
    assert "2 rows had nothing to attend" in text

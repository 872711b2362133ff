"""Every mechanism compiles whole, exports, and gives the same in ONNX."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tests.attention.cases import BATCH, Case

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("as_shipped")]


def dynamic_batch(inputs: list[Tensor]) -> tuple[dict[int, object], ...]:
    batch = torch.export.Dim("batch", min=2, max=64)
    return tuple({0: batch} for _ in inputs)


@pytest.fixture(autouse=True)
def fresh_compiler() -> None:
    """The compiler counts recompilations over all modules, and gives up."""
    torch.compiler.reset()


def test_it_compiles_without_a_graph_break(case: Case) -> None:
    module, inputs = case.module(), case.inputs()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert_close(compiled(*inputs), module(*inputs))
    found = compiled.attend(*inputs)
    for new, old in zip(found, module.attend(*inputs), strict=True):
        assert_close(new, old)


def test_it_exports_with_a_dynamic_batch(case: Case) -> None:
    module, inputs = case.module(), case.inputs()
    program = torch.export.export(
        module, tuple(inputs), dynamic_shapes=dynamic_batch(inputs)
    )
    larger = case.inputs(batch=2 * BATCH + 1)
    assert_close(program.module()(*larger), module(*larger))


def test_onnx_gives_the_same(case: Case, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    module, inputs = case.module(), case.inputs()
    masks: list[Tensor] = []
    if case.has_mask:
        mask = torch.rand(BATCH, 1, *case.weights[1:]) < 0.7
        mask[1] = False  # one sample has nothing to attend
        masks = [mask]
    path = tmp_path / "module.onnx"
    torch.onnx.export(
        module,
        (*inputs, *masks),
        path,
        dynamo=True,
        opset_version=23,
        dynamic_shapes=dynamic_batch([*inputs, *masks]),
        verbose=False,
    )
    session = onnxruntime.InferenceSession(path)
    feed = {
        slot.name: tensor.numpy()
        for slot, tensor in zip(
            session.get_inputs(), [*inputs, *masks], strict=True
        )
    }
    (found,) = session.run(None, feed)
    assert_close(
        torch.from_numpy(found), module(*inputs, *masks), atol=1e-5, rtol=1e-5
    )

"""ONNX networks whose inner values can be read, and replaced."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from attncourse.models.pretrained.files import needed

if TYPE_CHECKING:
    import onnx
    import onnxruntime


class ExposedNetwork:
    """A network with one image as input, one output, and inner values.

    Parameters
    ----------
    content
        An ONNX file.
    kinds
        The inner values that are read are the results of the nodes of these
        kinds; the output of the network is not one of them.
    """

    def __init__(self, content: bytes, kinds: Sequence[str]) -> None:
        self.model: onnx.ModelProto = needed("onnx").load_from_string(content)
        self.image = self.model.graph.input[0].name
        self.output = self.model.graph.output[0].name
        self.nodes = [
            node
            for node in self.model.graph.node
            if node.op_type in kinds and node.output[0] != self.output
        ]
        self.inner = [node.output[0] for node in self.nodes]

    def run(
        self, image: Float[Tensor, "1 3 height width"]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output and all inner values."""
        arrays = self._reading.run(None, {self.image: image.numpy()})
        output, *inner = map(torch.from_numpy, arrays)
        return output, inner

    def run_with(
        self,
        image: Float[Tensor, "1 3 height width"],
        inner: Sequence[Tensor],
    ) -> Tensor:
        """Return the output with inner values replaced by those given."""
        given = dict(zip(self.inner, inner, strict=True))
        feed = {self.image: image, **given}
        arrays = self._replacing.run(
            None, {name: value.numpy() for name, value in feed.items()}
        )
        return torch.from_numpy(arrays[0])

    @cached_property
    def _reading(self) -> "onnxruntime.InferenceSession":
        return self._session(as_outputs=True)

    @cached_property
    def _replacing(self) -> "onnxruntime.InferenceSession":
        return self._session(as_outputs=False)

    def _session(self, as_outputs: bool) -> "onnxruntime.InferenceSession":
        onnx, runtime = needed("onnx"), needed("onnxruntime")
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        float32 = onnx.TensorProto.FLOAT
        values = [
            onnx.helper.make_tensor_value_info(name, float32, None)
            for name in self.inner
        ]
        if as_outputs:
            model.graph.output.extend(values)
        else:
            for node in self.nodes:
                model.graph.node.remove(node)
            model.graph.input.extend(values)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # the removal leaves unused nodes
        return runtime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )

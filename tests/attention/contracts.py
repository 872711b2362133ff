"""What every channel gate must do; the exhibits break it.

Each contract takes a module on maps with ``CHANNELS`` channels.
"""

import math

import torch
from torch import Tensor, nn
from torch.testing import assert_close

CHANNELS = 14


def scrambled(module: nn.Module) -> nn.Module:
    """The module in float64, every parameter drawn anew."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double().eval()


def noise(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(math.prod(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def shuffled_positions(x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(x.shape[2] * x.shape[3], generator=generator)
    return x.flatten(2)[..., order].unflatten(2, x.shape[2:])


def contract_gate_is_the_same_at_every_position(module: nn.Module) -> None:
    """As wide as it has channels, so that no broadcast can fail."""
    x = noise(2, CHANNELS, 11, CHANNELS)
    ratio = scrambled(module)(x) / x
    assert_close(ratio, ratio[..., :1, :1].expand_as(ratio))


def contract_gates_ignore_where(module: nn.Module) -> None:
    x = noise(2, CHANNELS, 11, CHANNELS)
    module = scrambled(module)
    _, gates = module.attend(x)
    _, again = module.attend(shuffled_positions(x))
    assert_close(gates, again)


def contract_gates_depend_on_the_map(module: nn.Module) -> None:
    x = noise(2, CHANNELS, 11, CHANNELS)
    x[1] += 1
    _, gates = scrambled(module).attend(x)
    assert not torch.allclose(gates[0], gates[1])


def contract_samples_do_not_mix(module: nn.Module) -> None:
    x = noise(2, CHANNELS, 11, CHANNELS)
    module = scrambled(module)
    assert_close(module(x)[:1], module(x[:1]))


CONTRACTS = [
    contract_gate_is_the_same_at_every_position,
    contract_gates_ignore_where,
    contract_gates_depend_on_the_map,
    contract_samples_do_not_mix,
]

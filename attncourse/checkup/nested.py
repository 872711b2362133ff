"""Inputs that hold tensors in lists or dicts, one by one."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

Key = int | str


class Rebuilt(nn.Module):
    """A module that gets its lists and dicts back before it is called."""

    def __init__(
        self, module: nn.Module, specs: dict[Key, tuple[TreeSpec, int]]
    ) -> None:
        super().__init__()
        self.module = module
        self.specs = specs

    def forward(self, *parts: Any) -> Any:
        """Put the parts together again and call."""
        rest = list(parts)
        made: dict[Key, Any] = {}
        for key, (spec, count) in self.specs.items():
            made[key] = tree_unflatten(rest[:count], spec)
            rest = rest[count:]
        places = sorted(key for key in made if isinstance(key, int))
        names = {k: v for k, v in made.items() if isinstance(k, str)}
        return self.module(*(made[place] for place in places), **names)


def unnested(
    module: nn.Module, inputs: Mapping[Key, Any]
) -> tuple[nn.Module, dict[Key, Any]]:
    """The module and its inputs with every tensor an input of its own."""
    inner = any(
        isinstance(value, list | tuple | dict)
        and any(isinstance(leaf, Tensor) for leaf in tree_flatten(value)[0])
        for value in inputs.values()
    )
    if not inner:
        return module, dict(inputs)
    specs: dict[Key, tuple[TreeSpec, int]] = {}
    parts: list[Any] = []
    for key, value in inputs.items():
        leaves, spec = tree_flatten(value)
        specs[key] = spec, len(leaves)
        parts += leaves
    return Rebuilt(module, specs), dict(enumerate(parts))

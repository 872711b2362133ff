"""The attention layers of a whole network, each on what it really receives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.checkup.finding import Finding, Report
from attncourse.checkup.subject import Inputs, split
from attncourse.checkup.trace import Watching, flat, unfused, words_of

WEIGHING = words_of("""
    _softmax _safe_softmax sigmoid hardsigmoid softmax sigmoid_ hardsigmoid_
""")
TINY = 0.05  # spread of numbers that no longer count
SMALL = "torch.nn.modules.activation"


@dataclass
class Layer:
    """A layer that weighs, and the inputs of its first call."""

    path: str
    module: nn.Module
    inputs: Inputs
    like: int = 1  # layers of the same shapes that it stands for

    @property
    def look(self) -> tuple[Any, ...]:
        """What layers have in common that need one examination."""
        shapes = [tuple(v.shape) for v in flat(list(self.inputs.values()))]
        weights = [tuple(p.shape) for p in self.module.parameters()]
        return type(self.module), repr(shapes), repr(weights)


class Stack(Watching):
    """Which module runs each operation that makes weights."""

    def __init__(
        self,
        model: nn.Module,
        told: Callable[[str, str, tuple[Any, ...], Any], None],
    ) -> None:
        super().__init__()
        self.told = told
        self.model = model
        self.running: list[str] = []
        self.hooks: list[Any] = []

    def __enter__(self) -> "Stack":
        for path, module in self.model.named_modules():
            small = type(module).__module__ == SMALL
            if small and not list(module.parameters()):
                continue  # a softmax belongs to the layer around it
            self.hooks.append(
                module.register_forward_pre_hook(
                    lambda *_, path=path: self.running.append(path)
                )
            )
            self.hooks.append(
                module.register_forward_hook(self._left, always_call=True)
            )
        super().__enter__()
        return self

    def _left(self, *_: Any) -> None:
        self.running.pop()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self.hooks:
            hook.remove()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        fused = name.startswith("_scaled_dot_product")
        if (name in WEIGHING or fused) and "backward" not in name:
            here = self.running[-1] if self.running else ""
            self.told(here, name, args, out)
        return out


def attention_layers(model: nn.Module, inputs: Inputs) -> list[Layer]:
    """Run once; the innermost layers that make weights, and their inputs."""
    seen: dict[str, None] = {}

    def told(path: str, name: str, args: Any, out: Any) -> None:
        module = model.get_submodule(path)
        if list(module.parameters()):
            seen.setdefault(path)

    args, names = split(inputs)
    with torch.no_grad(), unfused(), Stack(model, told):
        model(*args, **names)
    found: dict[str, Layer] = {}
    hooks = []
    for path in seen:
        module = model.get_submodule(path)

        def keep(
            module: nn.Module, args: Any, names: Any, path: str = path
        ) -> None:
            given: Inputs = {
                k: v.detach().clone() if isinstance(v, Tensor) else v
                for k, v in [*enumerate(args), *names.items()]
            }
            found.setdefault(path, Layer(path, module, given))

        hooks.append(module.register_forward_pre_hook(keep, with_kwargs=True))
    with torch.no_grad(), unfused():
        model(*args, **names)
    for hook in hooks:
        hook.remove()
    kinds: dict[Any, Layer] = {}
    for layer in found.values():
        if layer.look in kinds:
            kinds[layer.look].like += 1
        else:
            kinds[layer.look] = layer
    return list(kinds.values())


def checkup_layers(
    model: nn.Module,
    layers: list[Layer],
    examine: Callable[[nn.Module, Inputs], Report],
) -> Report:
    """One report of all layers, with the path of each in its findings."""
    return Report(
        type(model).__name__, tuple(_all(layers, examine)), "network"
    )


def _all(
    layers: list[Layer], examine: Callable[[nn.Module, Inputs], Report]
) -> Iterator[Finding]:
    for layer in layers:
        more = f" and {layer.like - 1} like it" if layer.like > 1 else ""
        name = type(layer.module).__name__
        yield Finding(
            "passed",
            "network",
            f"{name}{more} was examined",
            path=layer.path,
        )
        if not flat(list(layer.inputs.values())):
            continue
        given = {key: _sized(value) for key, value in layer.inputs.items()}
        for finding in examine(layer.module, given).all_findings:
            yield replace(finding, path=layer.path)


def _sized(value: Any) -> Any:
    """What an untrained network has made vanish gets a size of one again."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    spread = float(value.double().std()) if value.numel() > 1 else 1.0
    return value / spread if 0 < spread < TINY else value

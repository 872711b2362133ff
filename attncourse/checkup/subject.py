"""The module under examination, kept apart from the caller's own."""

import contextlib
import copy
import inspect
import io
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from attncourse.checkup.trace import Trace, flat, trace, unfused

SEED = 20240229
MASKS = (
    "key_padding_mask",
    "src_key_padding_mask",
    "padding_mask",
    "attention_mask",
    "attn_mask",
    "src_mask",
    "mask",
)
LARGE = 2**21  # numbers in an input that is not made larger
Key = int | str
Inputs = dict[Key, Any]


def named_inputs(inputs: Any) -> Inputs:
    """Inputs by position or by name, from what the caller gave.

    Raises
    ------
    ValueError
        If there is no tensor among them.
    """
    if isinstance(inputs, Mapping):
        named: Inputs = dict(inputs)
    elif isinstance(inputs, list | tuple):
        named = dict(enumerate(inputs))
    else:
        named = {0: inputs}
    if not flat(list(named.values())):
        raise ValueError(
            f"inputs is {type(inputs).__name__} without a tensor; a tensor, "
            f"a tuple of tensors or a dict of them by name is needed"
        )
    return named


def split(inputs: Inputs) -> tuple[list[Any], dict[str, Any]]:
    """Positional inputs in order, and the others by name."""
    places = sorted(key for key in inputs if isinstance(key, int))
    names = {key: v for key, v in inputs.items() if isinstance(key, str)}
    return [inputs[place] for place in places], names


@contextmanager
def no_exit() -> Iterator[None]:
    """A module that calls sys.exit has failed."""
    try:
        yield
    except SystemExit as stop:
        raise RuntimeError(f"sys.exit({stop.code}) was called") from stop


@contextmanager
def untouched(module: nn.Module, inputs: Inputs) -> Iterator[None]:
    """Put random numbers and the caller's module back as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    dtype = torch.get_default_dtype()
    state = {
        name: value.detach().clone()
        for name, value in [
            *module.named_parameters(),
            *module.named_buffers(),
        ]
        if not nn.parameter.is_lazy(value)
    }
    training = {name: m.training for name, m in module.named_modules()}
    devices = {
        value.device.index
        for value in inputs.values()
        if isinstance(value, Tensor) and value.is_cuda
    }
    with (
        torch.random.fork_rng(devices=devices),
        torch.inference_mode(False),
        torch.enable_grad(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        random.seed(SEED)
        np.random.seed(SEED)
        torch.manual_seed(SEED)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            random.setstate(python)
            np.random.set_state(numpy)
            for name, child in module.named_modules():
                child.training = training.get(name, child.training)
            with torch.no_grad():
                for name, value in [
                    *module.named_parameters(),
                    *module.named_buffers(),
                ]:
                    if name in state and not same(value, state[name]):
                        value.copy_(state[name])


def same(one: Tensor, two: Tensor) -> bool:
    """Equal in shape and in every number, NaN equal to NaN."""
    return one.shape == two.shape and bool(
        torch.equal(torch.nan_to_num(one), torch.nan_to_num(two))
        and torch.equal(one.isnan(), two.isnan())
    )


@dataclass
class Subject:
    """A copy of the module in eval mode, and inputs to vary.

    ``opened`` has small random numbers in place of all-zero parameters:
    behind a gate that starts at zero nothing could be seen.
    """

    module: nn.Module
    inputs: Inputs
    batch_axis: int = 0
    mask: str | None = None
    mask_true: Literal["keep", "block"] | None = None
    whole: bool = True  # False: the module could not be copied
    kind: str | None = None  # what the module claims to be
    batch_axes: Mapping[Key, int | None] = field(default_factory=dict)

    @cached_property
    def opened(self) -> nn.Module:
        """The module with its zero parameters moved."""
        module = self.copied()
        generator = torch.Generator().manual_seed(SEED)
        with torch.no_grad():
            for name, value in module.named_parameters():
                if value.numel() and not value.any():
                    noise = torch.randn(value.shape, generator=generator)
                    width = max(math.prod(value.shape[1:]), 1)
                    size = 0.1 if name.endswith("bias") else width**-0.5
                    value.copy_(size * noise)
        return module

    def redrawn(self, seed: int) -> "Subject":
        """The module with other parameters, on other numbers."""
        module = self.copied()
        inputs = {
            key: like(value, value.shape, seed=SEED + seed)
            if is_float(value)
            else value
            for key, value in self.inputs.items()
        }
        if module is not self.module:
            with torch.no_grad():
                for number, value in enumerate(module.parameters()):
                    if value.numel() and not nn.parameter.is_lazy(value):
                        noise = like(value, value.shape, seed=seed + number)
                        value.copy_((value + noise) / 2**0.5)
        twins = dict[tuple[int, ...], Tensor]()
        for key, value in self.inputs.items():  # equal inputs stay equal
            if is_float(value):
                twins.setdefault(value.shape, inputs[key])
                if torch.equal(value, self._first_of(value.shape)):
                    inputs[key] = twins[value.shape]
        return replace(self, module=module, inputs=inputs)

    def with_inputs(self, inputs: Inputs) -> "Subject":
        """The same module on other inputs."""
        other = replace(self, inputs=inputs)
        if "opened" in self.__dict__:
            other.__dict__["opened"] = self.opened
        return other

    def _first_of(self, shape: Sequence[int]) -> Tensor:
        found: Tensor = next(
            value
            for value in self.inputs.values()
            if is_float(value) and value.shape == shape
        )
        return found

    def copied(self) -> nn.Module:
        """A copy, or the module itself where it cannot be copied."""
        try:
            return copy.deepcopy(self.module)
        except Exception:
            return self.module

    @cached_property
    def exact(self) -> "Subject":
        """The opened module in float64, or in its own type if it refuses."""
        inputs = {
            key: value.double() if is_float(value) else value
            for key, value in self.inputs.items()
        }
        module = copy.deepcopy(self.opened) if self.whole else None
        if module is not None:
            try:
                twin = replace(self, module=module.double(), inputs=inputs)
                twin.__dict__["opened"] = twin.module
                found, wanted = flat(twin.run()), flat(self.run_opened())
                if all(
                    torch.allclose(a.to(b.dtype), b, rtol=1e-2, atol=1e-3)
                    for a, b in zip(found, wanted, strict=True)
                ):
                    return twin
            except Exception:
                pass
        plain = replace(self, module=self.opened)
        plain.__dict__["opened"] = self.opened
        return plain

    @property
    def tolerance(self) -> float:
        """How far two equal computations may be apart."""
        rounding = max(
            (
                torch.finfo(value.dtype).eps
                for value in self.inputs.values()
                if is_float(value)
            ),
            default=0.0,
        )
        return 1e-7 if rounding < 1e-12 else max(2e-3, 12 * rounding)

    def run(
        self,
        inputs: Inputs | None = None,
        *,
        module: nn.Module | None = None,
        grad: bool = False,
        unfuse: bool = False,
    ) -> Any:
        """Call the module on fresh copies of its inputs, seeded."""
        torch.manual_seed(SEED)
        given = self.inputs if inputs is None else inputs
        if not grad:
            given = clones(given)
        args, names = split(given)
        call = self.module if module is None else module
        with torch.set_grad_enabled(grad), no_exit():
            if unfuse:
                with unfused():
                    return call(*args, **names)
            return call(*args, **names)

    def run_opened(self) -> Any:
        """Call the opened module."""
        return self.run(module=self.opened)

    @cached_property
    def batch(self) -> int:
        """Samples in the first input."""
        return self.first.shape[self.batch_axis]

    @property
    def first(self) -> Tensor:
        """The first input of floating point."""
        for value in self.inputs.values():
            if is_float(value):
                found: Tensor = value
                return found
        return next(v for v in self.inputs.values() if isinstance(v, Tensor))

    def is_batched(self, value: Any) -> bool:
        """Whether a tensor has the batch on its batch axis."""
        return (
            isinstance(value, Tensor)
            and value.ndim > self.batch_axis
            and value.shape[self.batch_axis] == self.batch
        )

    def axis_of(self, key: Key) -> int | None:
        """Axis of the batch of one input, or None if it has none."""
        if key in self.batch_axes:
            return self.batch_axes[key]
        return self.batch_axis if self.is_batched(self.inputs[key]) else None

    def with_batch(self, count: int) -> Inputs:
        """New inputs of the same kind with another number of samples."""
        changed = dict(self.inputs)
        for key, value in self.inputs.items():
            axis = self.axis_of(key)
            if axis is not None:
                shape = list(value.shape)
                shape[axis] = count
                changed[key] = like(value, shape, seed=SEED + count)
        return changed

    @cached_property
    def channels_last(self) -> bool:
        """Whether maps come as (batch, height, width, channels)."""
        return (
            self.first.ndim == 4
            and self.batch_axis == 0
            and not self._takes_other(3)
            and self._takes_other(1)
        )

    def _takes_other(self, axis: int) -> bool:
        """Whether the first inputs run with another size of an axis."""
        size = self.first.shape[axis]
        for other in (2 * size, size + 1):
            try:
                self.run(self.with_sizes({(axis, size): other}))
            except Exception:
                continue
            return True
        return False

    @cached_property
    def axes(self) -> dict[tuple[int, int], str]:
        """Axes with a size that may vary: (axis, size) and its name."""
        found: dict[tuple[int, int], str] = {}
        for value in self.inputs.values():
            if not is_float(value) or not self.is_batched(value):
                continue
            axes: dict[int, str] = {}
            if value.ndim == 4 and self.batch_axis == 0:
                axes = {2: "height", 3: "width"}
                if self.channels_last:
                    axes = {1: "height", 2: "width"}
            elif value.ndim == 3:
                axes = {1 - self.batch_axis: "tokens"}
            elif value.ndim == 5 and self.batch_axis == 0:
                axes = {2: "depth", 3: "height", 4: "width"}
            for axis, name in axes.items():
                found.setdefault((axis, value.shape[axis]), name)
        names = list(found.values())
        for count, key in enumerate(list(found)):
            if names.count(found[key]) > 1:
                found[key] = f"{found[key]} of input {count + 1}"
        return found

    def with_sizes(self, sizes: Mapping[tuple[int, int], int]) -> Inputs:
        """New inputs whose axes have other sizes."""
        changed = dict(self.inputs)
        for key, value in self.inputs.items():
            if not isinstance(value, Tensor):
                continue
            shape = list(value.shape)
            for (axis, size), other in sizes.items():
                for place in range(value.ndim):
                    if place == self.batch_axis and self.is_batched(value):
                        continue
                    if shape[place] == size and (
                        place == axis or not is_float(value)
                    ):
                        shape[place] = other
            if shape != list(value.shape):
                changed[key] = like(value, shape, seed=SEED + sum(shape))
        return changed

    def other_sizes(self, key: tuple[int, int]) -> Iterator[int]:
        """Sizes to try for an axis, the most telling first."""
        size = key[1]
        if self.first.numel() * 2 <= LARGE:
            yield 2 * size
        if size >= 4:
            yield size // 2
        yield size + 1

    def traced(self, inputs: Inputs | None = None) -> Trace:
        """Trace the opened module."""
        given = clones(self.inputs if inputs is None else inputs)
        tensors = [v for v in given.values() if isinstance(v, Tensor)]
        return trace(lambda: self._call(given), tensors)

    def _call(self, given: Inputs) -> Any:
        torch.manual_seed(SEED)
        args, names = split(given)
        return self.opened(*args, **names)

    @cached_property
    def base_trace(self) -> Trace:
        """The trace of the inputs as given."""
        return self.traced()

    @cached_property
    def varied_traces(self) -> dict[str, Trace]:
        """Traces with one size changed, by the name of what changed."""
        found: dict[str, Trace] = {}
        for count in (self.batch + 1, 2 * self.batch):
            try:
                found["batch"] = self.traced(self.with_batch(count))
                break
            except Exception:
                continue
        for key, name in self.axes.items():
            for size in self.other_sizes(key):
                try:
                    found[name] = self.traced(self.with_sizes({key: size}))
                    break
                except Exception:
                    continue
        return found

    @cached_property
    def mask_name(self) -> str | None:
        """The parameter of ``forward`` that takes a mask, if there is one."""
        if self.mask is not None:
            return self.mask
        try:
            parameters = inspect.signature(self.module.forward).parameters
        except (TypeError, ValueError):
            return None
        taken = (  # one that may only be None is there to be refused
            name
            for name in MASKS
            if name in parameters and parameters[name].annotation is not None
        )
        return next(taken, None)


def is_float(value: Any) -> bool:
    """Whether a value is a tensor of floating-point numbers."""
    return isinstance(value, Tensor) and value.is_floating_point()


def clones(inputs: Inputs) -> Inputs:
    """Copies of all tensors."""
    return {
        key: value.detach().clone() if isinstance(value, Tensor) else value
        for key, value in inputs.items()
    }


def like(value: Tensor, shape: Sequence[int], *, seed: int = SEED) -> Tensor:
    """New numbers of the same kind, mean and spread in another shape."""
    if not value.is_floating_point():
        flat_value = value.flatten()
        if not value.numel():
            return torch.zeros(list(shape), dtype=value.dtype)
        places = torch.arange(math.prod(shape)) % value.numel()
        return flat_value[places.to(value.device)].reshape(list(shape))
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(list(shape), generator=generator, dtype=torch.float64)
    mean, spread = 0.0, 1.0
    if value.numel() > 1 and value.isfinite().all():
        double = value.double()
        mean, spread = float(double.mean()), float(double.std())
    return (mean + (spread or 1.0) * noise).to(value)


def loss_of(output: object) -> Tensor:
    """The first output in a random direction."""
    first = next(o for o in flat(output) if is_float(o))
    generator = torch.Generator().manual_seed(SEED)
    way = torch.randn(first.shape, generator=generator, dtype=torch.float64)
    return (first * way.to(first)).sum()


def difference(one: Tensor, two: Tensor) -> float:
    """Largest difference relative to the size of the numbers."""
    if one.shape != two.shape:
        return math.inf
    if not one.numel():
        return 0.0
    one, two = one.double(), two.double()
    size = torch.maximum(one.abs(), two.abs()).max().clamp_min(1e-12)
    return float(((one - two).abs() / size).nan_to_num(math.inf).max())

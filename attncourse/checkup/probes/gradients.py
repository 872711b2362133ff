"""Does training reach every parameter and every input?"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import (
    Inputs,
    Subject,
    clones,
    difference,
    is_float,
    like,
    loss_of,
)
from attncourse.checkup.trace import flat

NAME = "gradients"
DRAWS = 3


class _NoBackwardError(Exception):
    """The loss has a graph, and there is no way back through it."""


def probe(subject: Subject) -> Iterator[Finding]:
    """Compare what moves the output with what gets a gradient."""
    subject = subject.exact
    module = subject.module
    if isinstance(module, torch.jit.ScriptModule):
        return  # its compiled copies keep their gradients to themselves
    reached: dict[str, float] = {}
    for draw in range(DRAWS):
        try:
            with redrawn_parameters(module, draw):
                sizes = _gradients(subject, draw)
        except _NoBackwardError as error:
            yield Finding(
                "error",
                NAME,
                f"the backward pass fails: {error}",
                "a tensor that a gradient needs was changed in place, a "
                "graph of an earlier call is kept, or an operation has no "
                "gradient",
                "use the form that makes a new tensor, and keep no tensor "
                "with a graph on self",
            )
            return
        largest = max(sizes.values(), default=0.0)
        for name, size in sizes.items():
            share = size / largest if 0 < largest < torch.inf else 0.0
            reached[name] = max(reached.get(name, 0.0), share)
    if not reached:
        return
    if not any(reached.values()):
        yield Finding(
            "error",
            NAME,
            "neither a parameter nor an input gets a gradient",
            "the graph is cut: .item(), .detach(), .data, no_grad or a "
            "rounding between the input and the output",
            "keep tensors as they are until the optimiser has stepped",
        )
        return
    silent = [name for name, share in reached.items() if share <= 1e-12]
    for name in silent:
        yield _judge(subject, name)
    if not silent:
        yield Finding(
            "passed", NAME, f"all {len(reached)} parameters and inputs learn"
        )


def _gradients(subject: Subject, draw: int) -> dict[str, float]:
    """Size of the gradient of each parameter and float input."""
    module = subject.module
    inputs = subject.inputs if not draw else redrawn(subject.inputs, draw)
    inputs = clones(inputs)
    watched: dict[str, Tensor] = {
        name: value
        for name, value in module.named_parameters()
        if value.numel() and value.requires_grad
    }
    for key, value in inputs.items():
        if is_float(value):
            watched[f"input {key}"] = value.requires_grad_()
            inputs[key] = value.clone()  # which may be changed in place
    module.zero_grad(set_to_none=True)
    loss = loss_of(subject.run(inputs, grad=True))
    if not loss.requires_grad:
        return dict.fromkeys(watched, 0.0)
    try:
        loss.backward()
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        raise _NoBackwardError(f"{type(error).__name__}: {text}") from error
    return {
        name: 0.0 if value.grad is None else float(value.grad.norm())
        for name, value in watched.items()
    }


@contextmanager
def redrawn_parameters(module: nn.Module, draw: int) -> Iterator[None]:
    """Other parameters for a while: a ReLU at zero may wake up."""
    kept = {k: v.detach().clone() for k, v in module.named_parameters()}
    with torch.no_grad():
        for number, value in enumerate(module.parameters()):
            if draw and value.numel():
                value += like(value, value.shape, seed=97 * draw + number)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in module.named_parameters():
                value.copy_(kept[name])


def redrawn(inputs: Inputs, seed: int) -> Inputs:
    """Other numbers of the same kind."""
    return {
        key: like(value, value.shape, seed=seed) if is_float(value) else value
        for key, value in inputs.items()
    }


def _moves(subject: Subject, name: str, step: float) -> float:
    """How much the output changes if a parameter or input takes a step."""
    before = flat(subject.run())[0]
    inputs = dict(subject.inputs)
    if name.startswith("input "):
        key = next(key for key in inputs if name == f"input {key}")
        inputs[key] = inputs[key] + step * like(inputs[key], inputs[key].shape)
        return difference(before, flat(subject.run(inputs))[0])
    parameter = dict(subject.module.named_parameters())[name]
    kept = parameter.detach().clone()
    with torch.no_grad():
        parameter.add_(step * like(parameter, parameter.shape))
    after = flat(subject.run())[0]
    with torch.no_grad():
        parameter.copy_(kept)
    return difference(before, after)


def _judge(subject: Subject, name: str) -> Finding:
    small, large = _moves(subject, name, 1e-3), _moves(subject, name, 1.0)
    if small > subject.tolerance and small < 10 * large:
        return Finding(
            "error",
            NAME,
            f"{name} changes the output, by {large:.2g} of its size, but "
            "gets no gradient",
            "it was detached on the way: .item(), .detach(), .data or no_grad",
            "leave it in the graph; use .detach() for printing alone",
        )
    if large > subject.tolerance:
        return Finding(
            "note",
            NAME,
            f"{name} gets no gradient from these inputs, though a large "
            "change of it counts",
            "a ReLU is at zero, or a hard choice stands behind it",
            "nothing, if other inputs reach it",
        )
    if name.endswith("bias"):
        return Finding(
            "note",
            NAME,
            f"{name} has no effect on the output and gets no gradient",
            "a softmax does not notice what is added to all its scores, nor "
            "a normalisation what is added to all its inputs",
            "leave the bias out (bias=False)",
        )
    return Finding(
        "warning",
        NAME,
        f"{name} has no effect on the output and gets no gradient",
        "what it computes is thrown away, or cancels",
        "use it or remove it",
    )

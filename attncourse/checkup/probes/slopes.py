"""Is the gradient that training uses the slope of the output?"""

from collections.abc import Iterator

import torch
from torch import Tensor

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject, like, loss_of
from attncourse.checkup.trace import flat

NAME = "gradients"
STEP = 1e-6
MOST = 40  # parameters whose slopes are compared


def probe(subject: Subject) -> Iterator[Finding]:
    """Compare the slope that was computed with the slope there is."""
    plain, subject = subject, subject.exact
    module = subject.module
    if subject.tolerance > 1e-5:
        return  # differences of float32 numbers are too coarse
    floor = _floor(subject)
    for name, value in list(module.named_parameters())[:MOST]:
        if not value.requires_grad or not value.numel():
            continue
        way = like(value, value.shape, seed=3)
        module.zero_grad(set_to_none=True)
        loss = loss_of(subject.run(grad=True))
        if loss.requires_grad:
            loss.backward()
        if value.grad is None:
            continue  # the probe of gradients tells
        slope = float((value.grad * way).sum())
        # A module may round to float32 inside, where a small step is lost.
        for step in (STEP, 1e3 * STEP, 1e4 * STEP):
            real = _rise(subject, value, way, step)
            size = max(abs(real), abs(slope))
            near = 0.01 if step == STEP else 0.05
            if abs(real - slope) <= max(near * size, floor):
                break
        else:
            if abs(_in_own_type(plain, name, way) - real) <= 0.05 * size:
                continue  # torch itself is wrong in float64
            yield Finding(
                "warning",
                NAME,
                f"the gradient of {name} is wrong: along a random direction "
                f"the output rises by {real:.3g}, the gradient says "
                f"{slope:.3g}",
                "one of the ways from the parameter to the output is cut "
                "(.detach(), .data, no_grad, a rounding)",
                "leave it in the graph, unless an estimator such as a "
                "straight-through one is meant",
            )


def _rise(subject: Subject, value: Tensor, way: Tensor, step: float) -> float:
    """How fast the output rises along a direction, by two steps."""
    kept = value.detach().clone()
    losses = []
    for signed in (step, -step):
        with torch.no_grad():
            value.copy_(kept + signed * way)
            losses.append(float(loss_of(subject.run())))
            value.copy_(kept)
    return (losses[0] - losses[1]) / (2 * step)


def _in_own_type(subject: Subject, name: str, way: Tensor) -> float:
    """The slope by the gradient in the type that the module came in."""
    module = subject.opened
    module.zero_grad(set_to_none=True)
    loss_of(subject.run(module=module, grad=True)).backward()
    value = dict(module.named_parameters())[name]
    slope = 0.0 if value.grad is None else (value.grad * way.to(value)).sum()
    module.zero_grad(set_to_none=True)
    return float(slope)


def _floor(subject: Subject) -> float:
    """Slopes below this are rounding: of the output, over the step."""
    subject.module.zero_grad(set_to_none=True)
    outputs = flat(subject.run())
    terms = float(outputs[0].double().abs().sum()) if outputs else 0.0
    grown = 64 * torch.finfo(torch.float64).eps * max(terms, 1.0) / STEP
    loss = loss_of(subject.run(grad=True))
    if not loss.requires_grad:
        return grown
    loss.backward()
    largest = max(
        (
            float(value.grad.norm())
            for value in subject.module.parameters()
            if value.grad is not None
        ),
        default=0.0,
    )
    return max(grown, 1e-6 * largest)

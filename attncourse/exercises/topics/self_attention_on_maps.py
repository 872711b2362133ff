"""Exercises of lesson 8, self-attention on maps."""

from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse.attention import SelfAttention2d
from attncourse.exercises.exercise import Mistake, exercise
from attncourse.exercises.probes import (
    close,
    expect_close,
    expect_number,
    expect_tensor,
)


def gather_solution(
    x: Tensor, query: Tensor, key: Tensor, value: Tensor, gamma: Tensor
) -> Tensor:
    """Add to each place what it attends to, times gamma."""
    scores = query.flatten(2).mT @ key.flatten(2)  # (b, n, n)
    weights = scores.softmax(-1)  # row i: what place i reads
    gathered = value.flatten(2) @ weights.mT  # (b, c, n)
    return x + gamma * gathered.view_as(x)


@exercise(
    "self_attention_on_maps.gather",
    kind="write",
    solution=gather_solution,
    praise="Row i of the weights belongs to place i, and the map itself "
    "stays.",
    hints=(
        "Flatten the places: (b, r, h, w) becomes (b, r, n). Which product "
        "of query and key has the shape (b, n, n), with queries in the rows?",
        "The softmax runs over the keys: the last axis, if the queries are "
        "in the rows.",
        "The value is (b, c, n). To gather with row i for place i, multiply "
        "by the transposed weights from the right, then add gamma times "
        "that to x.",
    ),
    forbidden=(F.scaled_dot_product_attention,),
)
def gather(answer: Any) -> None:
    """Judge `answer(x, query, key, value, gamma)`."""
    x, value = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    query, key = torch.randn(2, 2, 3, 4), torch.randn(2, 2, 3, 4)
    gamma = torch.tensor(0.5) + torch.rand(())
    yours = expect_tensor(
        answer(x, query, key, value, gamma), "The output", (2, 5, 3, 4)
    )
    target = gather_solution(x, query, key, value, gamma)
    scores = query.flatten(2).mT @ key.flatten(2)
    flat = value.flatten(2)

    def made(mixed: Tensor) -> Tensor:
        return x + gamma * mixed.view_as(x)

    if close(yours, target - x):
        raise Mistake(
            "The map itself is missing: with gamma at zero nothing would be "
            "left."
        )
    if close(yours, gamma * x + (target - x) / gamma):
        raise Mistake("Gamma belongs on what is gathered, not on the map.")
    if close(yours, x + (target - x) / gamma):
        raise Mistake("Gamma is not used.")
    if close(yours, made(flat @ scores.softmax(-2).mT)):
        raise Mistake(
            "The softmax runs over the queries: here each column sums to "
            "one, and each row should."
        )
    if close(yours, made(flat @ scores.softmax(-1))):
        raise Mistake(
            "The weights are not transposed: place i gathers with the "
            "weights that the others give to it."
        )
    scaled = (scores / query.shape[1] ** 0.5).softmax(-1)
    if close(yours, made(flat @ scaled.mT)):
        raise Mistake(
            "The scores are divided by the root of the width; the SAGAN "
            "block of this task leaves them as they are."
        )
    if close(yours, made(flat @ scores.mT)):
        raise Mistake(
            "The softmax is missing: these are scores, which neither are "
            "positive nor sum to one."
        )
    expect_close(
        yours,
        target,
        "The shape is right, but the numbers are not those of the equation.",
    )


FIRST_STEP = {"gamma": 1, "value": 2, "query": 2, "key": 2}


@exercise(
    "self_attention_on_maps.first_step",
    kind="predict",
    solution=FIRST_STEP,
    praise="Gamma opens the door first; from the second step on everything "
    "behind it learns.",
    hints=(
        "y = x + gamma * g, where g is what is gathered. The derivative by "
        "gamma is g. Is g zero at the start?",
        "The derivative by anything inside g carries the factor gamma. When "
        "is gamma no longer zero?",
    ),
)
def first_step(answer: Any) -> None:
    """Judge a dictionary: the first step with a gradient, for each part."""
    if not isinstance(answer, dict) or set(answer) != set(FIRST_STEP):
        asked = ", ".join(repr(name) for name in FIRST_STEP)
        raise Mistake(f"Answer with a dictionary that has the keys {asked}.")
    steps = {
        name: expect_number(answer[name], f"The step of {name!r}")
        for name in FIRST_STEP
    }
    if steps["gamma"] != 1:
        raise Mistake(
            "Gamma learns at once: its derivative is what is gathered, and "
            "that is not zero."
        )
    if steps["value"] == 1:
        raise Mistake(
            "The value's gradient carries the factor gamma, and gamma is "
            "zero in the first step."
        )
    if 1 in (steps["query"], steps["key"]):
        raise Mistake(
            "Query and key act through the weights, and what the weights "
            "gather is multiplied by gamma, which is zero in the first step."
        )
    if steps["query"] != steps["key"]:
        raise Mistake("Query and key enter the scores alike.")
    if steps != FIRST_STEP:
        raise Mistake(
            "One step is enough to move gamma away from zero, and then "
            "nothing holds the others back."
        )


def shortcut_solution(x: Tensor, gathered: Tensor, gamma: Tensor) -> Tensor:
    """Start as the identity and keep the map whole."""
    return x + gamma * gathered


@exercise(
    "self_attention_on_maps.shortcut",
    kind="find",
    solution=shortcut_solution,
    praise="At gamma = 0 the layer is the identity, and the map always "
    "arrives whole.",
    hints=(
        "What comes out when gamma is zero?",
        "Gamma should weigh what is new, not what was there before.",
    ),
)
def shortcut(answer: Any) -> None:
    """Judge `answer(x, gathered, gamma)`."""
    x, gathered = torch.randn(2, 3, 2, 5), torch.randn(2, 3, 2, 5)
    gamma = torch.rand(()) + 0.25
    shape = (2, 3, 2, 5)
    yours = expect_tensor(answer(x, gathered, gamma), "The output", shape)
    if close(yours, gamma * (x + gathered)):
        raise Mistake(
            "This is still the code as printed: at gamma = 0 the whole map "
            "is deleted."
        )
    if close(yours, (1 - gamma) * x + gamma * gathered):
        raise Mistake(
            "This fades the map out as gamma grows; the shortcut should "
            "always carry it whole."
        )
    if close(yours, gamma * x + gathered):
        raise Mistake(
            "Gamma stands on the wrong term: at gamma = 0 the map is gone "
            "and the untrained attention is all there is."
        )
    if close(yours, x + gathered):
        raise Mistake(
            "Without gamma the layer does not start as the identity."
        )
    expect_close(
        yours,
        shortcut_solution(x, gathered, gamma),
        "At gamma = 0 it should be the map, at gamma = 1 map plus gathered, "
        "and a straight line between.",
    )


MIB = 112**4 * 4 / 2**20


@exercise(
    "self_attention_on_maps.memory",
    kind="predict",
    solution=600.25,
    praise="More than half a GiB, for one image and one layer, and before "
    "any gradient is kept.",
    hints=(
        "How many places has the map? Each asks each.",
        "A float32 has four bytes, a MiB has 2 ** 20 of them.",
    ),
)
def memory(answer: Any) -> None:
    """Judge a number of MiB; one percent off is close enough."""
    given = expect_number(answer, "The memory")
    told = {
        MIB / 4: "That counts numbers; each of them has four bytes.",
        112**4
        * 4
        / 1e6: "These are MB of a million bytes; a MiB has 2 ** 20.",
        MIB / 1024: "These are GiB; the answer is asked for in MiB.",
        112**4 * 4: "These are bytes; a MiB has 2 ** 20 of them.",
        112**2 * 4 / 2**20: "That is one number for each place; the weights "
        "have one for each pair of places.",
        MIB * 8: "That counts eight bits for a byte; the answer is in MiB.",
        112**3 * 4 / 2**20: "Both sides of the pair are places of the whole "
        "map: 112 x 112 queries and as many keys.",
    }
    for wrong, message in told.items():
        if abs(given - wrong) <= 0.01 * wrong:
            raise Mistake(message)
    if not abs(given - MIB) <= 0.01 * MIB:
        raise Mistake(
            "The number of places, squared, times four bytes, over 2 ** 20, "
            "is another number."
        )


def fold_solution(layer: SelfAttention2d) -> SelfAttention2d:
    """Copy the layer with gamma moved into the value."""
    folded = deepcopy(layer)
    value = slice(-layer.widths[-1], None)
    with torch.no_grad():
        for parameter in folded.project.parameters():
            parameter[value] *= layer.gamma
        folded.gamma.fill_(1)
    return folded


@exercise(
    "self_attention_on_maps.fold",
    kind="change",
    solution=fold_solution,
    praise="After the training gamma is just a factor of the value.",
    hints=(
        "gamma times the mixed values is the mixture of gamma times each "
        "value.",
        "`layer.project` makes query, key and value in one convolution; "
        "`layer.widths` says how many channels each of them has.",
        "Copy the layer, multiply weight and bias of the last "
        "`layer.widths[-1]` channels, and set gamma to one under "
        "`torch.no_grad()`.",
    ),
)
def fold(answer: Any) -> None:
    """Judge `answer(layer)`."""
    layer = SelfAttention2d(16)
    nn.init.constant_(layer.gamma, 0.3 + torch.rand(()).item() / 2)
    x = torch.randn(2, 16, 3, 5)
    with torch.no_grad():
        before = layer(x)
        folded = answer(layer)
        if not close(layer(x), before) or layer.gamma == 1:
            raise Mistake(
                "The layer that was handed in has changed; work on a copy."
            )
        if not hasattr(folded, "gamma") or not callable(folded):
            raise Mistake("Return a layer of the same kind.")
        gamma = expect_number(folded.gamma.data, "Its gamma")
        if abs(gamma - 1) > 1e-6:
            raise Mistake(f"Its gamma should be 1, but is {gamma:.3f}.")
        after = expect_tensor(folded(x), "Its output", (2, 16, 3, 5))
        wrong = deepcopy(layer)
        wrong.gamma.fill_(1)
        if close(after, wrong(x)):
            raise Mistake(
                "Gamma is one now, but its old value is lost; it should go "
                "into the value."
            )
        wrong.project.weight[-16:] *= layer.gamma
        if close(after, wrong(x)):
            raise Mistake(
                "The bias of the value has to be multiplied as well as its "
                "weight."
            )
        for name, parameter in wrong.project.named_parameters():
            parameter.copy_(layer.gamma * layer.project.get_parameter(name))
        if close(after, wrong(x)):
            raise Mistake(
                "Query and key were multiplied too, which changes the "
                "weights; only the value may be."
            )
        expect_close(
            after, before, "The output should be that of the layer before."
        )

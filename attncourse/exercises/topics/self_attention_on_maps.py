"""Exercises of lesson 8, self-attention on maps."""

from copy import deepcopy
from typing import Any

import torch
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
    """Add to each position what it attends to, times gamma."""
    scores = query.flatten(2).mT @ key.flatten(2)  # (b, n, n)
    weights = scores.softmax(-1)  # row i: what position i reads
    gathered = value.flatten(2) @ weights.mT  # (b, c, n)
    return x + gamma * gathered.view_as(x)


@exercise(
    "self_attention_on_maps.gather",
    kind="write",
    solution=gather_solution,
    praise="Row i of the weights belongs to position i, and the map itself "
    "stays.",
    hints=(
        "Flatten the positions: (b, r, h, w) becomes (b, r, n). Which product "
        "of query and key has the shape (b, n, n), with queries in the rows?",
        "The softmax runs over the keys: the last axis, if the queries are "
        "in the rows.",
        "The value is (b, c, n). To gather with row i for position i, "
        "multiply by the transposed weights from the right, then add gamma "
        "times that to x.",
    ),
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
            "The weights are not transposed: position i gathers with the "
            "weights that the others give to it."
        )
    if close(yours, made(flat @ scores.mT.softmax(-1).mT)):
        raise Mistake(
            "Query and key have changed roles: row i should hold the scores "
            "of query i against every key."
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


OTHER_END = {"gamma": 2, "value": 1, "query": 2, "key": 2}


@exercise(
    "self_attention_on_maps.other_end",
    kind="predict",
    solution=OTHER_END,
    praise="One factor of the product may start at zero, and that factor "
    "learns first.",
    hints=(
        "y = x + gamma * o, where o is what is gathered. What is o at the "
        "start, if every value is zero?",
        "The gradient of a value has the factor gamma. Is that zero here?",
        "Query and key only choose among the values. What does it change to "
        "choose among equal values?",
    ),
)
def other_end(answer: Any) -> None:
    """Judge a dictionary: the first step with a gradient, for each part."""
    if not isinstance(answer, dict) or set(answer) != set(OTHER_END):
        asked = ", ".join(repr(name) for name in OTHER_END)
        raise Mistake(f"Answer with a dictionary that has the keys {asked}.")
    steps = {
        name: expect_number(answer[name], f"The step of {name!r}")
        for name in OTHER_END
    }
    if steps["gamma"] == 1:
        raise Mistake(
            "The derivative by gamma is what is gathered, and at the start "
            "every value is zero."
        )
    if steps["value"] != 1:
        raise Mistake(
            "The gradient of the value has the factor gamma, which is one "
            "here: nothing holds it back."
        )
    if 1 in (steps["query"], steps["key"]):
        raise Mistake(
            "Query and key choose among the values; as long as all values "
            "are zero, another choice changes nothing."
        )
    if steps["query"] != steps["key"]:
        raise Mistake("Query and key enter the scores alike.")
    if steps != OTHER_END:
        raise Mistake(
            "One step is enough to move the values away from zero, and then "
            "nothing holds the others back."
        )


def to_map_solution(tokens: Tensor, height: int, width: int) -> Tensor:
    """Move the channels first, then bring the sides back."""
    return tokens.mT.unflatten(2, (height, width))


@exercise(
    "self_attention_on_maps.to_map",
    kind="find",
    solution=to_map_solution,
    praise="Channel c of the token of each position stands at that position.",
    hints=(
        "Try two tokens with two channels each, (1, 1) and (2, 2). Which "
        "numbers stand in channel 0 afterwards?",
        "The reshape cuts a token into pieces: its channels lie side by side "
        "in memory. Which axis has to come first?",
        "`tokens.mT` is (b, c, n), and its last axis becomes two.",
    ),
)
def to_map(answer: Any) -> None:
    """Judge `answer(tokens, height, width)`."""
    tokens, height, width = torch.randn(2, 12, 5), 3, 4
    shape = (2, 5, height, width)
    right = to_map_solution(tokens, height, width)
    given = answer(tokens, height, width)
    if tuple(getattr(given, "shape", ())) == (2, 5, width, height):
        raise Mistake(
            f"The map should be {height} x {width}, but is {width} x "
            f"{height}: height comes before width."
        )
    yours = expect_tensor(given, "The map", shape)
    if close(yours, tokens.reshape(shape)):
        raise Mistake(
            "This is still the code as printed: the channels of one token "
            "become neighbours in the image."
        )
    turned = tokens.mT.unflatten(2, (width, height)).mT
    if close(yours, turned):
        raise Mistake(
            "The positions run down the columns here; they are numbered row "
            "by row."
        )
    if close(yours, right.flip(2)) or close(yours, right.flip(3)):
        raise Mistake("The map is mirrored.")
    if close(yours.sum(1), right.sum(1)) and not close(yours, right):
        raise Mistake("The channels of a position have changed their order.")
    expect_close(
        yours,
        right,
        "The shape is right, but position (r, s) should hold token "
        "r * width + s.",
    )


MIB = 16 * 112**2 * 56**2 * 2 / 2**20


@exercise(
    "self_attention_on_maps.memory",
    kind="predict",
    solution=MIB,
    praise="More than a GiB for one layer, though three quarters of the "
    "pairs are gone and each number has half the bytes.",
    hints=(
        "How many queries has the map of one image? The pooling takes "
        "maxima of key and value alone.",
        "A square of 2 x 2 positions leaves one key.",
        "Queries times keys times images times two bytes, over 2 ** 20.",
    ),
)
def memory(answer: Any) -> None:
    """Judge a number of MiB; one percent off is close enough."""
    given = expect_number(answer, "The memory")
    mistakes = {
        MIB / 4: "Key and value are pooled, the queries are not: each of the "
        "112 x 112 positions still asks.",
        MIB * 4: "That counts all positions as keys; pooling leaves a "
        "quarter of them.",
        MIB * 2: "That counts four bytes, or half of the pooling; float16 "
        "has two bytes, and 2 x 2 positions leave one key.",
        MIB / 2: "That counts numbers; a float16 has two bytes.",
        MIB / 16: "That is one image; the batch has 16.",
        MIB * 2**20: "These are bytes; a MiB has 2 ** 20 of them.",
        MIB / 1024: "These are GiB; the answer is asked for in MiB.",
        MIB * 2**20 / 1e6: "These are MB of a million bytes; a MiB has "
        "2 ** 20.",
        MIB * 8: "That counts eight bits for a byte; the answer is in MiB.",
    }
    for wrong, message in mistakes.items():
        if abs(given - wrong) <= 0.01 * wrong:
            raise Mistake(message)
    if not abs(given - MIB) <= 0.01 * MIB:
        raise Mistake(
            "Queries times keys times images times bytes, over 2 ** 20, is "
            "another number."
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
    """Judge `answer(layer)`, for a gate below zero and one above."""
    size = 0.3 + torch.rand(()).item() / 2
    _fold_at(answer, size)
    _fold_at(answer, -size)


def _fold_at(answer: Any, size: float) -> None:
    layer = SelfAttention2d(16)
    nn.init.constant_(layer.gamma, size)
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
        if size < 0 and close(after + before, 2 * x):
            raise Mistake(
                "The sign of gamma is lost: a gate may well end below zero."
            )
        expect_close(
            after, before, "The output should be that of the layer before."
        )


@exercise(
    "self_attention_on_maps.query_dependence",
    kind="write",
    answer="function",
    hand_in=True,
    praise="Zero means that one map for all queries would do the same.",
    hints=(
        "What is the map of an image that forgets the query? The mean of its "
        "rows: which axis do you average?",
        "To make one row of another, weight is taken away at some positions "
        "and added at others. Both amounts are equal, because rows sum to "
        "one.",
        "The share that is moved is half of the sum of all absolute "
        "differences.",
    ),
)
def query_dependence(answer: Any) -> None:
    """Judge `answer(weights)` by cases with known results."""
    one_row = torch.rand(1, 1, 6).softmax(-1).expand(1, 6, 6)
    own = torch.eye(6)[None]  # each query reads itself: 1 - 1/6
    halves = torch.zeros(1, 6, 6)
    halves[:, :3, :3] = halves[:, 3:, 3:] = 1 / 3  # two kinds of rows: 1/2
    weights = torch.cat([one_row, own, halves, torch.eye(6).flip(0)[None]])
    yours = expect_tensor(answer(weights), "The result", (4,)).double()
    right = torch.tensor([0.0, 5 / 6, 0.5, 5 / 6]).double()
    if close(yours, 2 * right):
        raise Mistake(
            "That is twice the share: what is taken away at one position and "
            "added at another was counted on both sides."
        )
    if close(yours, 6 * right):
        raise Mistake("That is summed over the rows; average them.")
    if not close(yours[0], right[0]):
        raise Mistake(
            "For an image whose rows are all equal the result should be 0, "
            f"not {yours[0]:.3f}: compare each row with the mean of the rows."
        )
    if not close(yours[2], right[2]):
        raise Mistake(
            "Where half of the queries read some positions and half the "
            "others, half of each row differs from the mean row: the result "
            f"should be 0.5, not {yours[2]:.3f}."
        )
    expect_close(
        yours,
        right,
        "Where each of 6 queries reads a position of its own, 5/6 of each "
        "row would have to be moved.",
    )
    mixed = torch.randn(3, 5, 5).softmax(-1)
    alone = torch.cat([answer(image[None]) for image in mixed])
    expect_close(
        expect_tensor(answer(mixed), "The result", (3,)),
        alone,
        "The result of an image depends on the others in the batch.",
    )
    halfway = (mixed + mixed.mean(1, keepdim=True)) / 2
    expect_close(
        2 * answer(halfway),
        alone,
        "If each row moves half the way to the mean row, the result should "
        "be half as large.",
    )

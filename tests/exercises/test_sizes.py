"""What an answer holds in memory is seen, in whatever layout."""

import pytest
import torch
from torch import Tensor

from attncourse.exercises.sizes import watch_sizes
from attncourse.exercises.topics.dot_product import in_blocks_solution

QUERY, KEY, VALUE = torch.randn(3, 3), torch.randn(401, 3), torch.randn(401, 2)
SIZE = 5


def seen(answer: object) -> watch_sizes:
    with watch_sizes(QUERY, KEY) as sizes:
        found = answer(QUERY, KEY, VALUE, SIZE)  # type: ignore[operator]
    target = (QUERY @ KEY.T / 3**0.5).softmax(-1) @ VALUE
    torch.testing.assert_close(found, target)
    return sizes


def test_blocks_of_keys_are_small() -> None:
    sizes = seen(in_blocks_solution)
    assert sizes.longest == SIZE
    assert sizes.largest == 3 * SIZE
    assert sizes.held < 200


def blocks_of_queries(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    return torch.cat([(b @ k.T / 3**0.5).softmax(-1) @ v for b in q.split(1)])


def one_query(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    return torch.stack([(k @ x / 3**0.5).softmax(-1) @ v for x in q])


def other_size(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    return in_blocks_solution(q, k, v, 4 * size)


def filled(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    scores = torch.empty(len(q), len(k))
    for start in range(0, len(k), size):
        scores[:, start : start + size] = q @ k[start : start + size].T
    return (scores / 3**0.5).softmax(-1) @ v


def added_in_place(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    scores = torch.zeros(len(k))
    rows = []
    for x in q:
        scores.zero_().add_(k @ x)
        rows.append((scores / 3**0.5).softmax(-1) @ v)
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("answer", "longest"),
    [
        (blocks_of_queries, 401),
        (one_query, 401),
        (other_size, 20),
        (filled, 401),
        (added_in_place, 401),
    ],
)
def test_larger_blocks_are_seen(answer: object, longest: int) -> None:
    assert seen(answer).longest == longest


def test_a_list_of_all_blocks_is_seen() -> None:
    def listed(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
        blocks = [q @ b.T / 3**0.5 for b in k.split(size)]
        top = blocks[0].amax(-1, keepdim=True)
        for block in blocks:
            top = torch.maximum(top, block.amax(-1, keepdim=True))
        total, mixed = torch.zeros(len(q), 1), torch.zeros(len(q), 2)
        for block, values in zip(blocks, v.split(size), strict=True):
            weights = (block - top).exp()
            total = total + weights.sum(-1, keepdim=True)
            mixed = mixed + weights @ values
        return mixed / total

    assert seen(listed).held >= 3 * 401


def test_what_is_made_of_one_source_does_not_count() -> None:
    with watch_sizes(QUERY, KEY) as sizes:
        _ = (KEY * 2).T, torch.zeros(99), QUERY.repeat(9, 9)
    assert sizes.longest == sizes.largest == sizes.held == 0

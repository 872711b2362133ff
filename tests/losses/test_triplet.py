import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from attncourse.losses import semi_hard_triplet_loss, semi_hard_triplets

LABELS = torch.tensor([0, 1, 1, 2, 0, 1, 2, 0, 3, 1, 0])  # 3 stands alone


def points(count: int = 11, dim: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, dim, generator=generator, dtype=torch.float64)


def by_loops(
    embeddings: Tensor, labels: Tensor, margin: float
) -> tuple[list[tuple[int, int, int]], float]:
    unit = [e / e.norm() for e in embeddings]

    def apart(i: int, j: int) -> float:
        return float(((unit[i] - unit[j]) ** 2).sum())

    triplets, losses = [], []
    for a in range(len(unit)):
        others = [n for n in range(len(unit)) if labels[n] != labels[a]]
        for p in range(len(unit)):
            if p == a or labels[p] != labels[a]:
                continue
            farther = [n for n in others if apart(a, n) > apart(a, p)]
            if farther:
                negative = min(farther, key=lambda n: apart(a, n))
            else:
                negative = max(others, key=lambda n: apart(a, n))
            triplets.append((a, p, negative))
            losses.append(max(0, apart(a, p) - apart(a, negative) + margin))
    return triplets, sum(losses) / len(losses)


@pytest.mark.parametrize("margin", [0.2, 1.3])
def test_it_equals_loops_over_all_triplets(margin: float) -> None:
    triplets, expected = by_loops(points(), LABELS, margin)
    found = semi_hard_triplets(points(), LABELS)
    assert [tuple(row) for row in found.tolist()] == triplets
    loss = semi_hard_triplet_loss(points(), LABELS, margin=margin)
    assert_close(loss.item(), expected)


def test_semi_hard_means_farther_but_no_more_than_needed() -> None:
    anchor, positive, negative = semi_hard_triplets(points(), LABELS).T
    assert (LABELS[anchor] == LABELS[positive]).all()
    assert (LABELS[anchor] != LABELS[negative]).all()
    assert (anchor != positive).all()
    assert len(anchor) == 4 * 3 + 4 * 3 + 2 * 1


def test_where_no_negative_is_farther_the_farthest_stands_in() -> None:
    angles = torch.tensor([0.0, 3.0, 0.5, 1.0], dtype=torch.float64)
    on_circle = torch.stack([angles.cos(), angles.sin()], 1)
    found = semi_hard_triplets(on_circle, torch.tensor([0, 0, 1, 2]))
    assert found.tolist() == [[0, 1, 3], [1, 0, 2]]


def test_length_does_not_count() -> None:
    lengths = torch.linspace(0.1, 30, 11)[:, None]
    scaled = semi_hard_triplet_loss(points() * lengths, LABELS)
    assert_close(scaled, semi_hard_triplet_loss(points(), LABELS))


def test_one_point_costs_the_margin_and_can_be_left() -> None:
    collapsed = torch.ones(11, 3).requires_grad_()
    loss = semi_hard_triplet_loss(collapsed, LABELS)
    assert_close(loss, torch.tensor(0.2))
    loss.backward()
    assert collapsed.grad is not None
    assert collapsed.grad.isfinite().all()


def test_classes_apart_cost_nothing() -> None:
    corners = torch.eye(5)[LABELS]
    assert semi_hard_triplet_loss(corners, LABELS) == 0


def test_training_sorts_the_points() -> None:
    embeddings = points().float().requires_grad_()
    optimiser = torch.optim.Adam([embeddings], lr=0.1)
    before = semi_hard_triplet_loss(embeddings, LABELS).item()
    for _ in range(60):
        optimiser.zero_grad()
        loss = semi_hard_triplet_loss(embeddings, LABELS)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1 * before


def test_gradients_are_those_of_the_function() -> None:
    embeddings = points().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda e: semi_hard_triplet_loss(e, LABELS), embeddings
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "got 3 labels of 3 kinds"),
        ([7, 7, 7], "got 3 labels of 1 kinds"),
        ([], "got 0 labels of 0 kinds"),
    ],
)
def test_labels_without_a_triplet_are_refused(
    labels: list[int], message: str
) -> None:
    embeddings = torch.randn(len(labels), 5)
    with pytest.raises(ValueError, match=message):
        semi_hard_triplet_loss(
            embeddings, torch.tensor(labels, dtype=torch.int64)
        )


def test_no_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin must be positive, got 0"):
        semi_hard_triplet_loss(points(), LABELS, margin=0.0)

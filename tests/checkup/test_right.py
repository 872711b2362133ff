"""Designs that look unusual and are right: the checkup reports no error."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attncourse.checkup import checkup
from tests.checkup.wrong import Attention

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]
DIM, HEADS = 32, 4


class Projected(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(DIM, 3 * DIM)
        self.before = nn.Linear(HEADS, HEADS)
        self.after = nn.Linear(HEADS, HEADS)

    def qkv(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.project(x).chunk(3, -1)

    def heads(self, x: Tensor) -> list[Tensor]:
        return [
            part.unflatten(-1, (HEADS, DIM // HEADS)).transpose(1, 2)
            for part in self.qkv(x)
        ]


class Linear(Projected):
    """Kernel features instead of a softmax."""

    def forward(self, x):
        query, key, value = self.qkv(x)
        query, key = F.elu(query) + 1, F.elu(key) + 1
        return (query @ (key.mT @ value)) / (query @ key.sum(1)[..., None])


class Efficient(Projected):
    """A softmax for queries and another one for keys."""

    def forward(self, x):
        query, key, value = self.qkv(x)
        return query.softmax(-1) @ (key.softmax(1).mT @ value)


class Slots(Projected):
    """Slots compete for a token; then each takes a mean."""

    def forward(self, x):
        query, key, value = self.qkv(x)
        weights = (query[:, :3] @ key.mT / DIM**0.5).softmax(1) + 1e-8
        return weights / weights.sum(-1, keepdim=True) @ value


class Causal(Projected):
    def forward(self, x):
        heads = F.scaled_dot_product_attention(*self.heads(x), is_causal=True)
        return heads.transpose(1, 2).flatten(2)


class TalkingHeads(Projected):
    """Scores and weights are mixed between heads."""

    def forward(self, x):
        query, key, value = self.heads(x)
        scores = (query @ key.mT / (DIM // HEADS) ** 0.5).permute(0, 2, 3, 1)
        weights = self.after(self.before(scores).softmax(2))
        mixed = weights.permute(0, 3, 1, 2) @ value
        return mixed.transpose(1, 2).flatten(2)


class Axial(Projected):
    """Each column of a map attends to itself."""

    def forward(self, x):
        batch, channels, height, width = x.shape
        columns = x.permute(0, 3, 2, 1).reshape(-1, height, channels)
        query, key, value = self.qkv(columns)
        mixed = (query @ key.mT / DIM**0.5).softmax(-1) @ value
        mixed = mixed.view(batch, width, height, channels)
        return mixed.permute(0, 3, 2, 1)


class Coordinates(nn.Module):
    """A gate for each row times a gate for each column."""

    def forward(self, x):
        rows = x.mean(3, keepdim=True).sigmoid()
        return x * rows * x.mean(2, keepdim=True).sigmoid()


class Classifier(Projected):
    """A softmax over classes is no attention."""

    def forward(self, x):
        return self.project(x.mean(1)).softmax(-1)


TOKENS, MAP = (3, 11, DIM), (2, DIM, 13, 13)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (Linear, TOKENS),
        (Efficient, TOKENS),
        (Slots, TOKENS),
        (Causal, TOKENS),
        (TalkingHeads, TOKENS),
        (Axial, MAP),
        (Coordinates, MAP),
        (Classifier, TOKENS),
    ],
)
def test_an_unusual_design_is_no_error(
    kind: type[nn.Module], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    used = kind()
    if kind is not TalkingHeads and isinstance(used, Projected):
        del used.before, used.after
    report = checkup(used, torch.randn(*shape))
    assert report.ok, report
    assert not report.warnings, report


def test_a_stack_with_a_dead_end_is_named() -> None:
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = Attention(), Attention()

        def forward(self, x):
            self.two(x)
            return x + self.one(x)

    report = checkup(Stack(), torch.randn(3, 10, 64))
    assert report.ok
    assert "two.qkv.weight has no effect" in repr(report.warnings)

"""Shared by the tests of trials."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from attncourse.trials import Variant, claim


@pytest.fixture(scope="session")
def seeded() -> Callable[..., dict[str, nn.Module]]:
    """Build the variants of claims, each from one seed, ready to evaluate."""

    def one(variant: Variant) -> nn.Module:
        torch.manual_seed(3)
        return variant.build().eval()

    def built(*names: str) -> dict[str, nn.Module]:
        return {
            key: one(variant)
            for name in names
            for key, variant in claim(name).variants.items()
        }

    return built

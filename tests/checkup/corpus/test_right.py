"""The layers that must raise no alarm can be built and run."""

import pytest
import torch

from attncourse.checkup.kinds import KINDS
from tests.checkup.corpus.right import RIGHT, Layer

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]


def test_there_are_enough_of_them() -> None:
    assert len(RIGHT) >= 60
    assert len({layer.name for layer in RIGHT}) == len(RIGHT)
    assert {layer.kind for layer in RIGHT} <= {*KINDS}
    assert sum(len(layer.sizes) for layer in RIGHT) >= 150


@pytest.mark.parametrize("layer", RIGHT, ids=lambda layer: layer.name)
def test_it_runs_on_every_size(layer: Layer) -> None:
    module = layer.built()
    for size in range(len(layer.sizes)):
        with torch.no_grad():
            output = module(*layer.inputs(size))
        if not isinstance(output, torch.Tensor):
            output = output[0]
        assert output.isfinite().all()

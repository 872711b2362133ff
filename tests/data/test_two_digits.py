import pytest
import torch

from attncourse.data import TwoDigits
from attncourse.trials.setups.same_different import digit_cells


@pytest.fixture(scope="module")
def scenes():
    return TwoDigits(211, seed=5).draw(3)


def test_two_different_images_in_two_cells(scenes):
    cells = scenes.images.unfold(2, 8, 8).unfold(3, 8, 8).flatten(2, 3)[:, 0]
    inked = cells.flatten(2).sum(2) > 0
    assert torch.equal(inked.sum(1), torch.full((211,), 2))
    pairs = digit_cells(scenes)
    first, second = (cells[torch.arange(211), cell] for cell in pairs.T)
    assert (first != second).flatten(1).any(1).all()
    assert inked.gather(1, pairs).all()


def test_the_label_says_whether_the_classes_agree():
    source = TwoDigits(211, seed=5)
    of_class = torch.arange(10).repeat_interleave(
        torch.from_numpy(source._sizes)
    )
    shade = (1 + of_class) / 10  # every pixel of a digit tells its class
    source._digits = shade[:, None, None].expand(-1, 8, 8).numpy()
    scenes = source.draw(3)
    shades = scenes.images[:, 0, ::8, ::8].flatten(1)
    first, second = shades.gather(1, digit_cells(scenes)).T
    assert torch.equal((first == second).long(), scenes.labels)
    assert 0.4 < scenes.labels.float().mean() < 0.6


def test_scenes_depend_on_seed_and_epoch_alone():
    first = TwoDigits(7, seed=2).draw(1)
    assert all(map(torch.equal, first, TwoDigits(7, seed=2).draw(1)))
    for other in TwoDigits(7, seed=3).draw(1), TwoDigits(7, seed=2).draw(2):
        assert not torch.equal(first.images, other.images)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="split"):
        TwoDigits(3, split="al")
    with pytest.raises(ValueError, match="count"):
        TwoDigits(0)

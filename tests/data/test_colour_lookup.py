import pytest
import torch

from attncourse.data import ColourLookup
from attncourse.data.colour_lookup import CUE, PALETTE
from attncourse.models.digit_lookup import split_cells


@pytest.fixture(scope="module")
def scenes():
    return ColourLookup(211, seed=5).draw(3)


def test_the_label_is_the_colour_inside_the_mask(scenes):
    palette = torch.tensor(PALETTE).float()
    ink = scenes.images * scenes.masks
    colour = ink.amax((2, 3)) > 0
    assert torch.equal(colour.float(), palette[scenes.labels])


def test_exactly_one_neighbour_is_of_the_class_of_the_cue(monkeypatch):
    source = ColourLookup(211, seed=5)
    of_class = torch.arange(10).repeat_interleave(
        torch.from_numpy(source._sizes)
    )
    shade = (1 + of_class) / 10  # every pixel of a digit tells its class
    source._digits = shade[:, None, None].expand(-1, 8, 8).numpy()
    scenes = source.draw(3)
    cells = scenes.images.unfold(2, 8, 8).unfold(3, 8, 8)
    classes = cells[..., 0, 0].amax(1).flatten(1)  # (count, 9)
    same = classes == classes[:, [CUE]]
    keys = scenes.masks[:, 0, ::8, ::8].flatten(1)
    same[:, CUE] = False
    assert torch.equal(same, keys)


def test_the_match_is_another_image_than_the_cue(scenes):
    tokens, _ = split_cells(scenes.images)
    match = scenes.masks[:, 0, ::8, ::8].flatten(1)
    assert not torch.isclose(tokens[match], tokens[:, CUE]).all(1).any()


def test_scenes_depend_on_seed_and_epoch_alone():
    first = ColourLookup(7, seed=2).draw(1)
    assert all(map(torch.equal, first, ColourLookup(7, seed=2).draw(1)))
    for other in ColourLookup(7, seed=3).draw(1), ColourLookup(7).draw(1):
        assert not torch.equal(first.images, other.images)


def test_splits_share_no_digit():
    pools = {
        split: {tuple(d.ravel()) for d in ColourLookup(1, split=split)._digits}
        for split in ("train", "validation", "test")
    }
    assert pools["train"].isdisjoint(pools["validation"])
    assert (pools["train"] | pools["validation"]).isdisjoint(pools["test"])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="split"):
        ColourLookup(3, split="al")
    with pytest.raises(ValueError, match="count"):
        ColourLookup(0)

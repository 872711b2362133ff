"""What TITLE says in its text."""

from torch.nn import functional as F

from attncourse.data import photo


def test_the_patch_that_was_asked_for_is_the_most_alike() -> None:
    patches = F.avg_pool2d(photo("astronaut"), 32).flatten(1).T
    keys = F.normalize(patches - patches.mean(0), dim=1)
    assert int((keys @ keys[9 * 16 + 3]).argmax()) == 9 * 16 + 3

import torch

from attncourse.attention.sampling import affine_sample
from attncourse.data import PosedDigits
from attncourse.data.posed import inverted


def test_a_pose_leads_from_the_canvas_to_the_digit():
    scenes, pose = PosedDigits(13, seed=5).draw_posed()
    upright = affine_sample(scenes.images, inverted(pose), (8, 8))
    again, _ = PosedDigits(
        13, turn=0.0, sides=(40.0, 40.0), seed=5
    ).draw_posed()
    straight = again.images[:, :, 2::5, 2::5]
    assert torch.equal(scenes.labels, again.labels)
    for ours, theirs in zip(upright, straight, strict=True):
        pair = torch.stack([ours.flatten(), theirs.flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.8


def test_the_box_lies_on_the_canvas_and_holds_all_ink():
    scenes, pose = PosedDigits(29, seed=5).draw_posed()
    corners = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    back = inverted(pose)
    reach = corners @ back[:, :, :2].mT + back[:, None, :, 2]
    assert reach.abs().max() <= 1 + 1e-5
    ink = scenes.images.sum((1, 2, 3))
    inside = (scenes.images * scenes.masks).sum((1, 2, 3))
    assert (inside / ink).min() > 0.85
    sides = scenes.masks.sum((1, 2, 3)).float().sqrt()
    assert sides.min() > 12
    assert sides.max() < 25


def test_train_and_test_scenes_differ_and_repeat():
    train = PosedDigits(17, seed=5)
    test = PosedDigits(17, split="test", seed=5)
    assert torch.equal(train.draw(1).images, train.draw(1).images)
    assert not torch.equal(train.draw(0).images, train.draw(1).images)
    assert not torch.equal(train.draw(0).images, test.draw(0).images)

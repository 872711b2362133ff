import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attncourse.data import Scenes
from attncourse.trials import classification, evaluate, fit, training_on
from tests.trials.standins import Drawn, bright_half, linear, with_dropout


def labels_seen(model: nn.Module, seed: int) -> list[int]:
    seen: list[int] = []

    def remember(model, images, labels, masks):
        seen.extend(images[:, 0, 0, 0].tolist())
        return classification(model, images, labels, masks)

    fit(
        model, bright_half(), epochs=2, batch_size=11, seed=seed, loss=remember
    )
    return seen


def test_the_network_learns_and_is_left_ready_to_use():
    model = linear()
    history = fit(model, bright_half(), epochs=7, batch_size=11, lr=0.05)
    assert history.loss[-1] < history.loss[0]
    assert history.accuracy[-1] == 1.0
    assert len(history.loss) == len(history.accuracy) == 7
    assert not model.training
    assert evaluate(model, bright_half(53, seed=1))["accuracy"] == 1.0


def test_first_step_is_the_one_that_is_promised():
    scenes = bright_half(22)
    ours, theirs = linear(), linear()
    states = []

    def remember(model, images, labels, masks):
        states.append([p.detach().clone() for p in model.parameters()])
        return classification(model, images, labels, masks)

    fit(ours, scenes, epochs=5, batch_size=11, lr=0.05, loss=remember)
    order = torch.randperm(22, generator=torch.Generator().manual_seed(0))
    first = order[:11]
    loss = F.cross_entropy(theirs(scenes.images[first]), scenes.labels[first])
    loss.backward()
    # The schedule starts at lr / 25, with the larger of its two momenta.
    torch.optim.AdamW(
        theirs.parameters(),
        lr=0.05 / 25,
        weight_decay=1e-4,
        betas=(0.95, 0.999),
    ).step()
    torch.testing.assert_close(states[1], [*theirs.parameters()])


@pytest.mark.parametrize("epochs", range(2, 8))
def test_very_short_runs_move_the_weights(epochs):
    model = linear()
    before = model[1].weight.clone()
    fit(model, bright_half(11), epochs=epochs, batch_size=11)
    assert (model[1].weight - before).abs().max() > 1e-4


def test_gradients_are_clipped():
    def steep(model, images, labels, masks):
        loss, logits = classification(model, images, labels, masks)
        return 1e6 * loss, logits

    norms = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(24, 2))
            self.weight.register_post_accumulate_grad_hook(
                lambda p: norms.append(p.grad)
            )

        def forward(self, x):
            return x.flatten(1) @ self.weight

    fit(Spy(), bright_half(11), epochs=2, batch_size=11, loss=steep)
    torch.testing.assert_close(norms[0].norm(), torch.tensor(5.0))


def test_a_seed_repeats_the_history_and_another_does_not():
    runs = [
        fit(with_dropout(), bright_half(), epochs=3, batch_size=11, seed=seed)
        for seed in (5, 5, 6)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert runs[0].seconds > 0


def test_the_order_of_the_data_does_not_depend_on_the_model():
    seen = labels_seen(linear(), seed=3)
    assert seen == labels_seen(with_dropout(7), seed=3)
    assert seen != labels_seen(linear(), seed=4)
    assert sorted(seen[:67]) == sorted(seen[67:])
    assert seen[:67] != seen[67:]


def test_the_global_random_state_is_put_back():
    model = with_dropout()
    torch.manual_seed(17)
    expected = torch.rand(5)
    torch.manual_seed(17)
    fit(model, bright_half(), epochs=1)
    assert torch.equal(torch.rand(5), expected)


def test_every_epoch_is_drawn_once():
    scenes = Drawn(67, 67, 67)
    fit(linear(), scenes, epochs=3)
    assert scenes.epochs == [0, 1, 2]


def test_a_short_run_shows_no_bar(capsys):
    fit(linear(), bright_half(), epochs=2)
    assert capsys.readouterr().err == ""


def test_another_loss_is_used():
    seen = []

    def masked(model, images, labels, masks):
        seen.append(masks.sum().item())
        logits = model(images * masks)
        return F.cross_entropy(logits, labels) + 100, logits

    history = fit(linear(), bright_half(), epochs=1, loss=masked)
    assert history.loss[0] > 100
    assert sum(seen) == 67 * 12


def test_a_loss_that_is_not_finite_is_an_error():
    steps = []

    def broken(model, images, labels, masks):
        steps.append(len(labels))
        loss, logits = classification(model, images, labels, masks)
        return loss * (math.nan if len(steps) == 11 else 1), logits

    with pytest.raises(FloatingPointError, match="nan in step 3 of epoch 1"):
        fit(
            linear(),
            bright_half(),
            epochs=2,
            batch_size=11,
            progress=False,
            loss=broken,
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, got 0"),
        ({"batch_size": -1}, "batch_size must be positive, got -1"),
        ({"lr": math.nan}, "lr must be positive, got nan"),
    ],
)
def test_bad_sizes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        fit(linear(), bright_half(), **{"epochs": 1, **change})


def test_scenes_must_be_there_and_stay_as_many():
    with pytest.raises(ValueError, match="67 in the first, 61 in epoch 1"):
        fit(linear(), Drawn(67, 61), epochs=2)
    with pytest.raises(ValueError, match="at least one image"):
        fit(linear(), bright_half(0), epochs=1)
    with pytest.raises(ValueError, match="leave one step"):
        fit(linear(), bright_half(11), epochs=1, batch_size=11)
    with pytest.raises(ValueError, match="at least one image"):
        evaluate(linear(), bright_half(0))
    with pytest.raises(ValueError, match="batch_size must be positive"):
        evaluate(linear(), bright_half(), batch_size=0)


class Pointer(nn.Module):
    """Says class 0 and looks at the first place of a 2 x 3 map."""

    def forward(self, images):
        return self.attend(images)[0]

    def attend(self, images):
        logits = torch.tensor([[1.0, 0.0]]).expand(len(images), 2)
        weights = torch.zeros(len(images), 1, 2, 3)
        weights[:, :, 0, 0] = 0.75
        weights[:, :, 1, 2] = 0.25
        return logits, weights


def test_maps_are_scored_against_the_answer_key():
    scenes = bright_half()
    upper = (scenes.labels == 0).float().mean().item()
    metrics = evaluate(Pointer(), scenes, batch_size=13)
    assert metrics == pytest.approx(
        {
            "accuracy": upper,
            "mass": 0.75 * upper + 0.25 * (1 - upper),
            "pointing": upper,
            "pointing_chance": 0.5,
            "pointing_centre": 0.5,
            "area": 0.5,
        },
        abs=1e-6,
    )


def test_without_masks_or_maps_there_is_accuracy_alone():
    scenes = bright_half()
    blind = Scenes(scenes.images, scenes.labels, None)
    assert set(evaluate(Pointer(), blind)) == {"accuracy"}
    assert set(evaluate(linear(), scenes)) == {"accuracy"}


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_does_not_change_the_model(training):
    model = nn.Sequential(nn.BatchNorm2d(1), linear()).train(training)
    model[0].train(not training)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    evaluate(model, bright_half())
    assert model.training is model[1].training is training
    assert model[0].training is not training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_wrong_device_is_not_kept_for_later():
    with (
        pytest.raises(RuntimeError, match="abacus"),
        training_on("abacus"),
    ):
        fit(linear(), bright_half(), epochs=2, batch_size=11)
    fit(linear(), bright_half(), epochs=2, batch_size=11)


def test_training_on_the_same_device_changes_nothing():
    models = linear(), linear()
    one = fit(models[0], bright_half(), epochs=2, batch_size=11)
    with training_on("cpu"):
        two = fit(models[1], bright_half(), epochs=2, batch_size=11)
    assert one == two
    for ours, theirs in zip(*(m.parameters() for m in models), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.gpu
def test_a_model_trained_on_the_gpu_comes_home():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    seen = set()

    def remember(model, images, labels, masks):
        seen.add(images.device.type)
        return classification(model, images, labels, masks)

    model = linear()
    with training_on("cuda"):
        fit(model, bright_half(), epochs=2, batch_size=11, loss=remember)
    assert seen == {"cuda"}
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def small_convolution(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(40, 2)
    )


def test_a_fast_training_differs_by_rounding_alone():
    slow, fast = small_convolution(), small_convolution()
    one = fit(slow, bright_half(), epochs=3, batch_size=11, lr=0.02)
    two = fit(fast, bright_half(), epochs=3, batch_size=11, lr=0.02, fast=True)
    assert two.loss == pytest.approx(one.loss, rel=1e-4)
    for ours, theirs in zip(slow.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)
        assert theirs.is_contiguous()


def test_a_training_that_is_not_fast_keeps_the_layout_of_the_model():
    model = small_convolution().to(memory_format=torch.channels_last)
    fit(model, bright_half(), epochs=2)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)

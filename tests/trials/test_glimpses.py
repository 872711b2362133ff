import pytest
import torch

from attncourse.attention.recurrent_attention import GaussianReader
from attncourse.models.glimpses import RandomGlimpses, centre_of_mass
from attncourse.trials import Budget
from attncourse.trials.setups.glimpses import (
    VARIANTS,
    glimpser,
    inside,
    reinforced,
    replay,
    run,
    scenes,
)

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("glimpse-policy")


@pytest.fixture(scope="module")
def shown():
    return scenes(31, split="test").draw()


def test_variants_with_the_same_reader_start_alike(models):
    first = models["centre"].state_dict()
    for name in "random", "reinforce", "differentiable", "ink":
        for key, value in models[name].state_dict().items():
            assert torch.equal(value, first[key]), (name, key)


def test_locations_of_the_controls(models, shown):
    def locations(variant):
        return models[variant].play(shown.images).locations

    assert locations("centre").abs().max() == 0
    drawn = locations("random")
    assert drawn.abs().max() <= RandomGlimpses.REACH
    assert drawn[:, 1:].std() > 0.2
    assert not torch.equal(drawn, locations("random"))
    ink = locations("ink")
    assert torch.equal(ink[:, 1], centre_of_mass(shown.images))
    assert inside(ink[:, 1:], shown.masks).all()


def test_only_the_differentiable_locations_have_a_gradient(models, shown):
    for name, moves in ("reinforce", False), ("differentiable", True):
        model = models[name].train()
        episode = model.play(shown.images)
        episode.logits.square().sum().backward()
        found = model.next.weight.grad
        assert (found is not None and found.abs().sum() > 0) == moves
        model.zero_grad(set_to_none=True)
        model.eval()


def test_the_centre_of_mass_of_a_dot():
    images = torch.zeros(2, 1, 7, 5)
    images[0, 0, 6, 0] = 0.3
    where = centre_of_mass(images)
    assert where[0].tolist() == pytest.approx([-0.8, 6 / 7])
    assert torch.isfinite(where).all()


def test_inside_reads_x_along_the_columns():
    masks = torch.zeros(1, 1, 7, 5, dtype=torch.bool)
    masks[0, 0, 6, 0] = True
    where = torch.tensor([[[-0.9, 0.9], [0.9, -0.9], [-0.9, 1.1], [0, 0]]])
    assert inside(where, masks).tolist() == [[True, False, False, False]]


def test_replay_gives_the_network_its_own_answer(models, shown):
    windows = glimpser(reader=GaussianReader(patch=11)).eval()
    for model in models["centre"], models["reinforce"], windows:
        episode, glimpses = model._run(shown.images)
        again = replay(model, shown.images, torch.stack(glimpses, 1))
        assert torch.allclose(again, episode.logits, atol=1e-5)


def test_reinforce_reaches_policy_and_baseline(shown):
    model = VARIANTS["reinforce"].build().train()
    loss, logits = reinforced(model, shown.images, shown.labels, None)
    loss.backward()
    assert logits.shape == (31, 10)
    for part in model.next, model.baseline:
        assert part.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_short_run_gives_all_metrics(variant):
    budget = Budget(scenes=67, epochs=1, test_scenes=37)
    metrics = run(variant, seed=2, budget=budget)
    assert {"accuracy", "hit", "mass", "hit_1", "hit_5"} < set(metrics)
    assert metrics["hit"] == metrics["hit_5"]
    drops = {name for name in metrics if name.startswith("drop")}
    assert bool(drops) == (variant in ("reinforce", "differentiable"))
    assert metrics == run(variant, seed=2, budget=budget)

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attncourse.attention import SqueezeExcitation
from attncourse.metrics import mass_inside
from attncourse.trials import Budget, claim, evaluate
from attncourse.trials.maps import ClassActivation
from attncourse.trials.setups.channel_regions import (
    CANVAS,
    VARIANTS,
    EnergyMap,
    around_the_gates,
    best_channel,
    energy,
    run,
    scenes,
)
from tests.trials.standins import size

pytestmark = pytest.mark.lengthy


@pytest.fixture(scope="module")
def models(seeded):
    return seeded("channel-regions")


@pytest.fixture(scope="module")
def shown():
    return scenes(41, split="test").draw()


def test_the_wider_network_is_about_as_large_as_the_gated_ones(models):
    wider = size(models["wider"])
    for name in models.keys() - {"wider", "max", "additive"}:
        assert abs(size(models[name]) - wider) < 0.05 * wider, name
    assert abs(size(models["se"]) - wider) < 0.005 * wider
    assert abs(size(models["channel"]) - wider) < 0.01 * wider


def test_all_variants_of_one_width_start_from_the_same_convolutions(models):
    def filters(model):
        return [m.weight for m in model.features if isinstance(m, nn.Conv2d)]

    first = filters(models["max"])
    for name, model in models.items():
        if name != "wider":
            assert all(map(torch.equal, filters(model), first)), name
            assert len(filters(model)) == 4


def test_gates_everywhere_stand_behind_each_relu(models):
    kinds = [type(layer) for layer in models["se-everywhere"].features]
    one = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, SqueezeExcitation]
    assert kinds == one * 4


def test_the_normalised_average_is_free_of_the_size_of_the_map(models):
    pooling = models["se+norm"].pooling.train()
    maps = 20 * torch.rand(50, 32, 3, 5)
    assert_close(pooling(maps), pooling(7 * maps), rtol=1e-3, atol=1e-3)
    assert_close(pooling(maps).mean(0), torch.zeros(32), atol=1e-5, rtol=0)
    pooling.eval()


def test_the_energy_is_that_behind_the_gates(models, shown):
    model = models["se"]
    logits, found = EnergyMap(model).attend(shown.images)
    assert_close(logits, model(shown.images))
    maps = model.features[:-1](shown.images)
    gates = model.features[-1].attend(maps)[1]
    assert_close(
        found[:, 0],
        torch.einsum("bc,bchw->bhw", gates.square(), maps.square()),
    )


def test_each_variant_is_judged_by_its_own_map(models):
    assert VARIANTS["additive"].judge(models["additive"]) is models["additive"]
    assert isinstance(VARIANTS["max"].judge(models["max"]), ClassActivation)
    assert isinstance(VARIANTS["wider"].judge(models["wider"]), EnergyMap)


def test_gates_that_close_the_clutter_gain_mass_and_blind_ones_do_not(
    models, shown
):
    """A gate that passes only the best channel of a map made for it."""

    class Made(nn.Module):
        def forward(self, x):
            inside = shown.masks.float()
            return torch.cat([inside, 1 - inside], 1)

    class Fixed(nn.Module):
        def __init__(self, *gates):
            super().__init__()
            self.gates = torch.tensor(gates)

        def forward(self, x):
            return self.attend(x)[0]

        def attend(self, x):
            gates = self.gates.expand(len(x), 2)
            return x * gates[..., None, None], gates

    area = shown.masks.double().mean().item()
    for gates, after in ((1.0, 0.0), 1.0), ((0.5, 0.5), area):
        model = models["max"].__class__()
        model.features = nn.Sequential(Made(), Fixed(*gates))
        found = around_the_gates(model, shown)
        assert found["mass_before"] == pytest.approx(area)
        assert found["mass_fixed"] == pytest.approx(after)
        assert found["mass_best"] == pytest.approx(1.0)
        assert found["gate_mean"] == pytest.approx(0.5)
        assert found["gate_spread"] == pytest.approx(0.0, abs=1e-6)


def test_no_gates_beat_the_best_channel(shown):
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(41, 7, 12, 12, generator=generator) ** 9
    maps[:, 2] = 0
    best = best_channel(maps, shown.masks)
    assert 0 < best < 1
    for _ in range(20):
        gates = torch.rand(41, 7, 1, 1, generator=generator)
        mass = mass_inside(energy(maps * gates), shown.masks).mean()
        assert mass < best
    alone = torch.stack(
        [mass_inside(energy(maps[:, [c]]), shown.masks) for c in (0, 1, 3)]
    )
    assert alone.amax(0).mean() <= best + 1e-6


SHARED = {
    "accuracy",
    "area",
    "mass",
    "pointing",
    "pointing_chance",
    "pointing_centre",
}
CAM = {"cam_mass", "cam_pointing"}
BEFORE = {"mass_before", "mass_best", "gained_mass"}
CHANNELS = {"mass_fixed", "gate_mean", "gate_spread"}


@pytest.mark.parametrize(
    ("variant", "extra"),
    [
        ("wider", CAM),
        ("se", CAM | BEFORE | CHANNELS),
        ("se+norm", BEFORE | CHANNELS),
        ("cbam", CAM | BEFORE | {"mass_gate"}),
        ("additive", set()),
    ],
)
def test_a_short_run_gives_all_metrics(variant, extra):
    budget = Budget(scenes=83, epochs=1, test_scenes=37)
    metrics = run(variant, seed=2, budget=budget)
    assert set(metrics) == SHARED | extra
    assert metrics["area"] == pytest.approx(16**2 / CANVAS**2)
    if "gained_mass" in metrics:
        gained = metrics["mass"] - metrics["mass_before"]
        assert metrics["gained_mass"] == gained
        assert metrics["mass_best"] > metrics["mass_before"]
    case = claim("channel-regions")
    mine = [
        e.metric for e in case.predictions if variant in (e.variant, e.against)
    ]
    assert set(mine) <= set(metrics)
    assert metrics == run(variant, seed=2, budget=budget)


def test_the_mass_in_front_is_that_of_open_gates(models, shown):
    """Gates pushed wide open leave the energy where it was."""
    model = models["se"]
    closed = model.features[-1].expand.bias.data.clone()
    model.features[-1].expand.bias.data.fill_(40)
    behind = evaluate(EnergyMap(model), shown)["mass"]
    found = around_the_gates(model, shown)
    model.features[-1].expand.bias.data.copy_(closed)
    assert behind == pytest.approx(found["mass_before"], abs=1e-6)

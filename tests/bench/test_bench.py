"""The bench runs, tells the truth about its goals, and keeps its record."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from attncourse.__main__ import main
from attncourse.attention import AdditiveAttention
from attncourse.bench import Bench, Race, load_bench, run_bench
from attncourse.bench.command import table
from attncourse.bench.growth import Growth, curves, measure_growth
from attncourse.bench.peers import (
    BroadcastAdditive,
    Glimpse,
    SlicedGlimpse,
    WithWeights,
    matches,
)
from attncourse.bench.race import save_bench

RACE = Race(
    mechanism="Ours",
    peer="theirs",
    size="2 x 3",
    layout="channels last",
    compiled=True,
    backward=False,
    median=0.9,
    fastest=0.5,
    milliseconds=1.0,
    peak_mib=14.0,
    peer_milliseconds=2.0,
    peer_peak_mib=30.0,
    goal=0.6,
    memory_goal=15.0,
)
GROWTH = Growth(
    "ours", 2, 1, (64, 128, 512), (1.0, 3.0, 48.0), (1.0, 2.0, 8.0)
)
BENCH = Bench(
    device="cpu",
    threads=2,
    races=(RACE,),
    growth=(GROWTH,),
    versions={"torch": "2"},
    hardware={"cpu": "some"},
    command="python -m attncourse bench --device cpu",
    date="2026-01-01",
)


def test_goals_are_met_by_time_and_memory_both() -> None:
    assert RACE.reached is True
    assert replace(RACE, fastest=0.61).reached is False
    assert replace(RACE, peak_mib=16.0).reached is False
    assert replace(RACE, memory_goal=None, peak_mib=99.0).reached is True
    assert replace(RACE, goal=None).reached is None


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = save_bench(BENCH, tmp_path)
    assert path == tmp_path / "bench" / "cpu.json"
    assert load_bench("cpu", tmp_path) == BENCH


def test_a_missing_record_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="bench --device cuda"):
        load_bench("cuda", tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"races": [{"mechanism": "x"}]}']
)
def test_a_damaged_record_is_refused_by_name(
    content: str, tmp_path: Path
) -> None:
    path = save_bench(BENCH, tmp_path)
    path.write_text(content)
    with pytest.raises(ValueError, match=r"cpu\.json is no bench record"):
        load_bench("cpu", tmp_path)


def test_the_table_shows_ratio_goal_and_verdict() -> None:
    line = table([RACE]).splitlines()[-1]
    assert line.startswith("Ours compiled NHWC")
    assert line.split()[-6:] == ["0.90", "0.50", "0.60", "14.0", "30.0", "yes"]


def test_every_mechanism_of_the_goals_is_raced() -> None:
    raced = {match.mechanism.split(",")[0] for match in matches()}
    assert raced == {
        "scaled_dot_product_attention",
        "MultiHeadAttention",
        "AdditiveAttention",
        "SqueezeExcitation",
        "EfficientChannelAttention",
        "CBAM",
        "SelectiveKernel",
        "NonLocal2d",
        "SelfAttention2d",
        "SpatialTransformer",
        "GlimpseReader",
        "DynamicCapacity",
    }


@pytest.mark.parametrize("match", matches(), ids=lambda m: m.mechanism)
def test_both_sides_do_the_same_kind_of_work(match) -> None:
    if match.compiled:
        pytest.skip("the same modules as without the compiler")
    torch.manual_seed(0)
    inputs = [tensor[:1] for tensor in match.inputs()]
    ours, theirs = match.ours().eval(), match.theirs().eval()
    with torch.no_grad():
        assert ours(*inputs).shape == theirs(*inputs).shape


def test_the_broadcast_peer_computes_the_same() -> None:
    ours = AdditiveAttention(128, 128, 128)
    theirs = BroadcastAdditive(128, 128, 128)
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(3, 2, 37, 128)
    assert_close(ours(*inputs), theirs(*inputs))


def test_the_sliced_glimpse_computes_the_same_on_whole_pixels() -> None:
    x = torch.randn(2, 1, 64, 64)
    centre = torch.tensor([[0.0, 0.25], [-0.25, 0.5]])
    assert_close(SlicedGlimpse(8, 3)(x, centre), Glimpse(8, 3)(x, centre))


@pytest.mark.slow
def test_the_command_races_and_writes_nothing_for_a_part(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["bench", "--only", "Glimpse", "--repeats", "1"]
    assert main([*arguments, "--device", "cpu"]) == 0
    assert "GlimpseReader" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_every_mechanism_runs_in_two_sizes_or_layouts() -> None:
    kinds: dict[str, set[tuple[str, bool]]] = {}
    for match in matches():
        kind = (match.size, match.channels_last)
        kinds.setdefault(match.mechanism, set()).add(kind)
    assert all(len(found) > 1 for found in kinds.values()), kinds


def test_the_peer_leaves_the_fast_path_unless_asked() -> None:
    x = torch.randn(2, 5, 8)
    for fast_path in (False, True):
        peer = WithWeights(8, 2, fast_path=fast_path).eval()
        with torch.no_grad(), torch.profiler.profile() as profile:
            peer(x)
        used = {event.key for event in profile.key_averages()}
        assert ("aten::_native_multi_head_attention" in used) is fast_path


def test_slopes_are_powers_of_the_number_of_tokens() -> None:
    assert GROWTH.time_slope == pytest.approx(2)
    assert GROWTH.memory_slope == pytest.approx(1)


def test_growth_is_measured_for_every_curve() -> None:
    """With weights every pair costs four bytes, without them nothing."""
    found = measure_growth(repeats=1, counts=(256, 512))
    assert [each.mechanism for each in found] == [
        curve.mechanism for curve in curves()
    ]
    for each in found:
        assert each.counts == (256, 512)
        pairs = 512**2 * 4 / 2**20
        if each.memory_theory == 2:
            assert each.peak_mib[1] >= pairs
        else:
            assert each.memory_slope < 1.2


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"only .*'CBAM'.* got 'Attn9'"):
        run_bench(only="Attn9")


def test_the_record_in_the_checkout_is_whole() -> None:
    try:
        bench = load_bench("cpu")
    except FileNotFoundError:
        pytest.skip("no bench recorded on this device")
    raced = {race.mechanism for race in bench.races}
    assert raced == {match.mechanism for match in matches()}
    assert [each.mechanism for each in bench.growth] == [
        curve.mechanism for curve in curves()
    ]
    assert json.dumps(bench.versions)

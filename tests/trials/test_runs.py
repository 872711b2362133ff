import importlib.util
import json
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
import torch

from attncourse.trials import Scores, Trial, load, run_trials, runs
from attncourse.trials.loop import _TRAINING_DEVICE
from attncourse.trials.networks import packed
from tests.trials.standins import VARIANTS, count_up

# A run that leaves a line in a log, and can be told to hang or to fail.
SCRIPT = """
import time
from pathlib import Path

HERE = Path(__file__).parent


def run(variant, seed):
    with open(HERE / "log", "a") as log:
        print(variant, seed, file=log)
    if (HERE / "hang").exists() and (variant, seed) == ("wide", 1):
        time.sleep(60)
    if (HERE / "fail").exists() and (variant, seed) == ("wide", 1):
        raise KeyError("no such luck")
    return {"accuracy": len(variant) + seed / 8}
"""
KILLED = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
import scripted
from tests.trials.test_runs import go
go(scripted.run, Path({here!r}))
"""
JOBS = [(variant, seed) for seed in range(3) for variant in ("plain", "wide")]


def planned(run, name="wider", variants=VARIANTS, **changes):
    arguments = {
        "control": "plain",
        "seeds": range(3),
        "example": (1, 1, 4, 6),
        "command": "python scripted.py",
        "settings": {"epochs": 3},
        **changes,
    }
    return Trial(name, run, variants, **arguments)


def go(run, folder, *, workers=1, **changes):
    (record,) = run_trials(
        [planned(run, **changes)],
        results=folder,
        workers=workers,
        progress=False,
    )
    return record


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    path = tmp_path / "scripted.py"
    path.write_text(SCRIPT)
    return read(path, monkeypatch)


def read(path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("scripted", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "scripted", module)
    spec.loader.exec_module(module)
    return module


def log(folder):
    lines = (folder / "log").read_text().splitlines()
    (folder / "log").unlink()
    return [(variant, int(seed)) for variant, seed in map(str.split, lines)]


def test_the_record_holds_every_variant_and_seed(tmp_path):
    record = go(count_up, tmp_path)
    assert load("wider", tmp_path) == record
    assert record.variants["plain"].metrics["accuracy"] == (5.0, 5.125, 5.25)
    assert record.variants["wide"].metrics["accuracy"] == (4.0, 4.125, 4.25)
    assert record.difference("wide", "accuracy") == (-1.0, -1.0, -1.0)
    assert record.variants["plain"].parameters == 24 * 2 + 2
    assert record.variants["plain"].multiply_adds == 24 * 2
    assert record.settings == {"epochs": 3}
    assert record.hardware["workers"] == record.hardware["threads"] == 1
    assert record.hardware["backend"] == "local"
    assert record.time.wall > 0
    assert record.time.runs_reused == 0
    assert record.time.runs == pytest.approx(
        sum(s for variant in record.variants.values() for s in variant.seconds)
    )


def test_runs_have_one_thread_and_leave_the_random_state_alone(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(19)
    expected = torch.rand(3)
    torch.manual_seed(19)
    try:
        record = go(count_up, tmp_path)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert record.variants["wide"].metrics["threads"] == (1.0, 1.0, 1.0)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_two_workers_give_what_one_gives(tmp_path):
    one = go(count_up, tmp_path / "one")
    two = go(count_up, tmp_path / "two", workers=2)
    assert two.hardware["workers"] == 2
    for variant in VARIANTS:
        assert one.variants[variant].metrics == two.variants[variant].metrics


@pytest.mark.slow
def test_a_killed_trial_goes_on_where_it_was(tmp_path, scripted):
    (tmp_path / "hang").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(here=str(tmp_path))]
    )
    deadline = time.monotonic() + 120
    written = tmp_path / "log"
    while not (written.exists() and "wide 1" in written.read_text()):
        assert process.poll() is None, "the trial ended before it was killed"
        assert time.monotonic() < deadline, "the trial did not start"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert log(tmp_path) == JOBS[:4]
    assert not (tmp_path / "wider.json").exists()

    (tmp_path / "hang").unlink()
    record = go(scripted.run, tmp_path)
    assert log(tmp_path) == JOBS[3:]
    assert record.time.runs_reused == 3
    assert record.variants["wide"].metrics["accuracy"] == (4.0, 4.125, 4.25)


def test_more_seeds_add_only_their_own_runs(tmp_path, scripted):
    go(scripted.run, tmp_path, seeds=range(2))
    assert log(tmp_path) == JOBS[:4]
    record = go(scripted.run, tmp_path)
    assert log(tmp_path) == JOBS[4:]
    assert record.time.runs_reused == 4


def test_a_failing_run_is_named_and_the_others_are_kept(tmp_path, scripted):
    (tmp_path / "fail").touch()
    with pytest.raises(
        RuntimeError, match="variant 'wide', seed 1 failed: 'no"
    ):
        go(scripted.run, tmp_path)
    assert log(tmp_path) == JOBS[:4]
    (tmp_path / "fail").unlink()
    go(scripted.run, tmp_path)
    assert log(tmp_path) == JOBS[3:]


def test_nothing_stale_is_reused(tmp_path, scripted, monkeypatch):
    go(scripted.run, tmp_path)
    log(tmp_path)

    go(scripted.run, tmp_path, settings={"epochs": 4})
    assert log(tmp_path) == JOBS, "other settings"

    monkeypatch.setattr(runs, "versions", lambda: {"torch": "0.1"})
    go(scripted.run, tmp_path)
    assert log(tmp_path) == JOBS, "another version of torch"
    monkeypatch.undo()

    path = tmp_path / "scripted.py"
    path.write_text(SCRIPT.replace("seed / 8", "seed / 4"))
    changed = go(read(path, monkeypatch).run, tmp_path)
    assert log(tmp_path) == JOBS, "other code"
    assert changed.variants["wide"].metrics["accuracy"] == (4.0, 4.25, 4.5)

    path.write_text(SCRIPT + "\n# explained\n")
    go(read(path, monkeypatch).run, tmp_path)
    assert not (tmp_path / "log").exists(), "only a comment"


def bound(variant, seed, *, scale):
    return {"accuracy": scale * seed}


def test_bound_arguments_belong_to_the_run(tmp_path):
    go(partial(bound, scale=2.0), tmp_path)
    other = go(partial(bound, scale=3.0), tmp_path)
    assert other.variants["plain"].metrics["accuracy"] == (0.0, 3.0, 6.0)
    assert other.time.runs_reused == 0


def test_a_damaged_part_is_not_believed(tmp_path):
    go(count_up, tmp_path)
    part = next((tmp_path / ".partial").rglob("wide-1.json"))
    kept = json.loads(part.read_text())
    assert kept["metrics"]["accuracy"] == 4.125
    part.write_text(part.read_text()[:20])
    record = go(count_up, tmp_path)
    assert record.time.runs_reused == 5
    assert record.variants["wide"].metrics["accuracy"] == (4.0, 4.125, 4.25)


def endless(variant, seed):
    return {"accuracy": float("inf")}


def test_a_metric_that_is_not_finite_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="seed 0 failed: metric 'accura"):
        go(endless, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"control": "nix"}, r"one of the variants \['plain', 'wide'\], got"),
        ({"seeds": [3]}, r"two or more, all different, got \[3\]"),
        ({"seeds": [3, 3]}, r"two or more, all different, got \[3, 3\]"),
        ({"workers": -1}, "workers must be positive, got -1"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        go(count_up, tmp_path, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../up"}, r"the name '\.\./up' must be"),
        (
            {"variants": {"Plain": VARIANTS["plain"]}, "control": "Plain"},
            "the name 'Plain' of a variant must be lower-case",
        ),
    ],
)
def test_names_must_be_able_to_name_files(change, message):
    with pytest.raises(ValueError, match=message):
        planned(count_up, **change)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "slurm"}, "local or ray, got 'slurm'"),
        ({"address": "auto"}, "address and gpus need the backend ray"),
        ({"gpus": 0.5}, "address and gpus need the backend ray"),
        ({"backend": "ray", "workers": 2}, "workers are those of the clus"),
        ({"backend": "ray", "gpus": 2.0}, "between 0 and 1, got 2.0"),
        ({"backend": "ray", "device": "cuda"}, "device is for this machine"),
    ],
)
def test_backends_and_their_options(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run_trials([planned(count_up)], results=tmp_path, **options)


def test_two_trials_share_the_runs_they_have_in_common(tmp_path, scripted):
    one = planned(scripted.run)
    other = planned(
        scripted.run,
        name="other",
        variants={**VARIANTS, "third": VARIANTS["wide"]},
        control="wide",
    )
    first, second = run_trials(
        [one, other], results=tmp_path, workers=1, progress=False
    )
    third = [("third", seed) for seed in range(3)]
    assert sorted(log(tmp_path)) == sorted(JOBS + third)
    assert first.variants["wide"] == second.variants["wide"]
    assert load("wider", tmp_path) == first
    assert load("other", tmp_path) == second
    assert second.difference("third", "accuracy").mean == 1.0


def test_a_record_is_written_with_its_last_run(tmp_path, scripted):
    (tmp_path / "fail").touch()
    quick = planned(scripted.run, name="quick", seeds=(3, 4))
    with pytest.raises(RuntimeError, match="seed 1 failed"):
        run_trials(
            [quick, planned(scripted.run)],
            results=tmp_path,
            workers=1,
            progress=False,
        )
    assert load("quick", tmp_path).seeds == (3, 4)
    assert not (tmp_path / "wider.json").exists()


def hands_over(variant, seed):
    network = VARIANTS[variant].build(seed)
    return Scores({"accuracy": seed / 8}, network=network)


def test_the_networks_of_the_first_seed_are_kept(tmp_path):
    record = go(hands_over, tmp_path, seeds=(3, 4))
    assert load("wider", tmp_path) == record
    folder = tmp_path / "networks" / "wider"
    assert (folder / "plain.safetensors").read_bytes() == packed(
        VARIANTS["plain"].build(3)
    )
    assert sorted(each.name for each in folder.iterdir()) == [
        "plain.safetensors",
        "wide.safetensors",
    ]
    other = go(hands_over, tmp_path, seeds=(4, 3))
    assert other.time.runs_reused == 2, "those of seed 4 had no network"
    assert other.variants["wide"].network != record.variants["wide"].network


def half_of_them(variant, seed):
    network = VARIANTS[variant].build(seed) if variant == "wide" else None
    return Scores({"accuracy": seed / 8}, network=network)


def test_all_variants_hand_over_networks_or_none(tmp_path):
    with pytest.raises(ValueError, match="must have a network, or none"):
        go(half_of_them, tmp_path)
    assert not (tmp_path / "wider.json").exists()


def on_a_device(variant, seed):
    return {"cuda": float(_TRAINING_DEVICE.get() == "cuda")}


def test_networks_are_trained_where_the_command_says(tmp_path):
    (record,) = run_trials(
        [planned(on_a_device)],
        results=tmp_path,
        workers=1,
        progress=False,
        device="cuda",
    )
    assert record.variants["wide"].metrics["cuda"] == (1.0, 1.0, 1.0)

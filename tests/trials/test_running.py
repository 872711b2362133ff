import json
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from attncourse.__main__ import main
from attncourse.trials import (
    evaluate,
    load,
    network,
    run_claims,
    run_pilots,
    running,
    verdict,
)
from attncourse.trials.claim import folder
from attncourse.trials.networks import sha256
from attncourse.trials.running import stale
from tests.trials.standins import bright_half

CLAIM = Path(__file__).with_name("piloted_claim.py")
NAME = "piloted-example"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of records, and a claim of the new form."""
    more = tmp_path / "more"
    more.mkdir()
    shutil.copy(CLAIM, more / "piloted_example.py")
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(more)])
    yield tmp_path / "results"
    sys.modules.pop(f"{folder.__name__}.piloted_example", None)


def piloted(results):
    (found,) = run_pilots([NAME], results=results, workers=1, progress=False)
    return found


def go(results, **options):
    return run_claims(
        [NAME], results=results, workers=1, progress=False, **options
    )


def test_a_pilot_is_run_on_validation_scenes_and_kept(results):
    pilot = piloted(results)
    assert pilot.seeds == (900, 901)
    assert pilot.rates.keys() == {"plain", "double", "hidden"}
    assert [*pilot.rates["plain"]] == ["0.05", "0.025", "0.1"]
    assert [*pilot.lengths["hidden"]][:2] == ["2", "4"]
    assert pilot.compared == (("hidden", "plain"),)
    assert pilot.margin >= 0.01
    assert pilot.level == 1 - 0.05 / 25
    parts = [*results.glob(".partial/*/*.json")]
    shifts = {json.loads(p.read_text())["metrics"]["shift"] for p in parts}
    assert shifts == {1.0}
    before = {path.stat().st_mtime_ns for path in parts}
    assert piloted(results).rates == pilot.rates
    assert {path.stat().st_mtime_ns for path in parts} == before


def test_a_trial_follows_its_pilot_and_keeps_its_networks(results):
    pilot = piloted(results)
    (record,) = go(results)
    assert record == load(NAME, results)
    assert record.schema == 5
    assert record.seeds == tuple(pilot.trial_seeds)
    assert len(record.seeds) >= 10
    assert record.pilot == pilot.table()
    assert record.command.endswith(f"trials run {NAME} --profile full")
    for name, variant in record.variants.items():
        assert variant.settings == {
            "lr": pilot.lr[name],
            "epochs": pilot.epochs,
        }
        assert variant.metrics["shift"] == (2.0,) * len(record.seeds)
        assert [len(row) for row in variant.blocks["accuracy"]] == [20] * len(
            record.seeds
        )
        assert variant.blocks.keys() == {"accuracy"}
        assert len(variant.curves) == len(record.seeds)
        assert len(variant.curves[0].loss) == pilot.epochs
    assert verdict(NAME, results).word

    model = network(NAME, "hidden", results)
    torch.manual_seed(0)
    assert not model.training
    scenes = bright_half(60, seed=record.seeds[0] + 2)
    recorded = record.variants["hidden"].metrics["accuracy"][0]
    assert evaluate(model, scenes)["accuracy"] == pytest.approx(
        recorded, abs=0.02
    )


def test_nothing_new_style_runs_without_its_own_pilot(results):
    with pytest.raises(FileNotFoundError, match=f"trials pilot {NAME}"):
        go(results)
    piloted(results)
    with pytest.raises(ValueError, match="are those of its pilot, got 3"):
        go(results, seeds=3)
    path = results / "pilots" / f"{NAME}.json"
    text = path.read_text()
    code = json.loads(text)["code"]
    path.write_text(text.replace(code, "0" * 64))
    with pytest.raises(ValueError, match="was run with other code"):
        go(results)
    path.write_text(text.replace('"double"', '"triple"'))
    with pytest.raises(ValueError, match=r"variants .*'triple'.*, the claim"):
        go(results)


def test_a_quick_look_needs_no_pilot(results):
    (record,) = go(results, profile="quick")
    assert record.seeds == (1000, 1001)
    assert record.pilot is None
    assert load(NAME, results).schema == 5


def test_networks_that_are_not_those_of_the_record_are_refused(results):
    go(results, profile="quick")
    kept = results / "networks" / NAME
    path, other = kept / "plain.safetensors", kept / "hidden.safetensors"
    data = path.read_bytes()
    path.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=f"{NAME}/plain.* of another record"):
        load(NAME, results)
    path.unlink()
    with pytest.raises(ValueError, match=f"{NAME}/plain.* is missing"):
        network(NAME, "hidden", results)
    path.write_bytes(data)
    with pytest.raises(LookupError, match=r"'hidden', 'plain'\], got 'nix'"):
        network(NAME, "nix", results)

    record = results / f"{NAME}.json"
    swapped = record.read_text().replace(
        sha256(data), sha256(other.read_bytes())
    )
    record.write_text(swapped)
    path.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=r"plain\.safetensors cannot be used"):
        network(NAME, "plain", results)


def test_a_record_of_the_old_form_kept_no_networks():
    with pytest.raises(LookupError, match="'close-looks' kept no networks"):
        network("close-looks", "fine")


def test_too_large_a_network_is_refused_before_anything_is_run(
    results, monkeypatch
):
    monkeypatch.setattr("attncourse.trials.networks.MOST_BYTES", 100)
    for run in (partial(go, profile="quick"), piloted):
        with pytest.raises(ValueError, match="variant 'plain': its network"):
            run(results)
    assert not (results / ".partial").exists()


def test_only_what_changed_is_run(results, monkeypatch):
    piloted(results)
    assert stale(NAME, results) == "no record"
    (record,) = go(results, only_stale=True)
    assert stale(NAME, results) == ""
    assert go(results, only_stale=True) == []

    with monkeypatch.context() as context:
        context.setattr(running, "versions", dict)
        assert stale(NAME, results) == "other versions"

    path = results / f"{NAME}.json"
    text = path.read_text()
    path.write_text(text.replace(record.code, "0" * 64))
    assert stale(NAME, results) == "other code"
    assert go(results, only_stale=True)[0].time.runs_reused == sum(
        len(variant.seconds) for variant in record.variants.values()
    )


def test_a_changed_pilot_makes_its_trial_stale(results):
    piloted(results)
    go(results)
    path = results / "pilots" / f"{NAME}.json"
    data = json.loads(path.read_text())
    data["seconds"] += 1
    path.write_text(json.dumps(data))
    assert stale(NAME, results) == "other pilot"


def test_the_command_runs_a_pilot_and_then_only_what_is_stale(results, capsys):
    options = ["--workers", "1", "--results", str(results)]
    assert main(["trials", "run", NAME, *options]) == 1
    assert f"trials pilot {NAME}" in capsys.readouterr().err
    assert main(["trials", "pilot", NAME, *options]) == 0
    out = capsys.readouterr().out
    assert f"{NAME}, accuracy on validation scenes:" in out
    assert "plain: learning rates 0.05: " in out
    assert "plateau; " in out
    assert main(["trials", "run", NAME, "--only-stale", *options]) == 0
    assert "| four hidden units | 110 |" in capsys.readouterr().out
    assert main(["trials", "run", NAME, "--only-stale", *options]) == 0
    assert capsys.readouterr().out == "Nothing is stale.\n"

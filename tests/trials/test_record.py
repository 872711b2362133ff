import json
import shutil

import pytest

from attncourse.metrics import paired_bootstrap
from attncourse.trials import Series, load, record
from tests.trials.standins import NETWORKS, kept_record, small_record


@pytest.fixture
def folder(tmp_path):
    record.save(small_record(), tmp_path)
    return tmp_path


def change(folder, edit):
    path = folder / "small.json"
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


def test_a_record_comes_back_as_it_was(folder):
    assert load("small", folder) == small_record()
    assert [path.name for path in folder.iterdir()] == ["small.json"]


def test_the_file_itself_tells_the_numbers(folder):
    data = json.loads((folder / "small.json").read_text())
    assert data["schema"] == 4
    assert data["variants"]["better"]["metrics"]["accuracy"] == {
        "per_seed": [0.625, 0.875, 0.75],
        "mean": 0.75,
        "std": 0.125,
    }
    assert data["differences"]["better"]["accuracy"]["mean"] == 0.125


def test_saving_replaces_the_old_record_in_one_step(folder, monkeypatch):
    path = folder / "small.json"
    before = path.read_text()

    def fail(*_):
        raise OSError("disc full")

    monkeypatch.setattr(record.Path, "replace", fail)
    with pytest.raises(OSError, match="disc full"):
        record.save(small_record(), folder)
    assert path.read_text() == before


def test_a_series_is_a_list_with_mean_and_spread():
    series = Series([1.0, 2.0, 6.0])
    assert series[2] == 6.0
    assert series.mean == 3.0
    assert series.std == pytest.approx(7**0.5)
    assert Series([4.0]).std == 0.0


def test_differences_against_the_control_and_any_other_variant():
    small = small_record()
    kept = small.differences["better"]["accuracy"]
    assert small.difference("better", "accuracy") is kept
    assert small.difference("better", "accuracy", "plain") is kept
    back = small.difference("plain", "accuracy", "better")
    assert back == pytest.approx((-0.125, -0.125, -0.125))


def test_the_table_shows_cost_and_spread_of_each_variant():
    rows = small_record().table(["accuracy", "mass"]).splitlines()
    assert rows[0] == (
        "| variant | parameters | multiply-adds | seconds | accuracy | mass |"
    )
    assert len(rows) == 4
    assert rows[3] == ("| better | 1,234 | 5,678 | 2.5 | 0.750 ± 0.125 |  |")


def test_the_installed_package_brings_its_records(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "attncourse"
    record.save(small_record(), package / "results")
    monkeypatch.setattr(record, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    assert load("small") == small_record()


def test_a_record_of_ones_own_goes_before_the_installed_one(
    tmp_path, monkeypatch
):
    package = tmp_path / "attncourse"
    record.save(small_record(), package / "results")
    own = tmp_path / "book" / "results"
    record.save(small_record(), own)
    change(own, lambda data: data.update(command="mine"))
    monkeypatch.setattr(record, "_PACKAGE", package)
    assert load("small").command == "mine"


def test_a_missing_record_is_named_with_those_there_are(folder):
    with pytest.raises(FileNotFoundError, match=r"'nix'; there are: small"):
        load("nix", folder)


def test_a_record_under_another_name_is_refused(folder):
    shutil.copy(folder / "small.json", folder / "other.json")
    with pytest.raises(ValueError, match=r"other\.json .* record of 'small'"):
        load("other", folder)


def accuracy(data):
    return data["variants"]["better"]["metrics"]["accuracy"]


def interval(data):
    return data["differences"]["better"]["accuracy"]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda d: d.pop("seeds"), r"record\.seeds: .*required"),
        (lambda d: d.update(extra=1), r"record\.extra: .*not permitted"),
        (lambda d: d.update(schema=1), r"schema: .* be 4 or 5, got '1'"),
        (lambda d: d.update(family=21), "level is .* one of 21 claims"),
        (lambda d: d.update(family=0), "level is .* one of 0 claims"),
        (lambda d: d.update(level="high"), r"level: .* number, got 'high'"),
        (lambda d: d.update(schema=True), r"schema: .* be 4 or 5, got 'True'"),
        (lambda d: d.update(name=3), r"name: .* string, got '3'"),
        (lambda d: d.update(variants=[]), "variants: .* an object"),
        (lambda d: d.update(seeds={}), "seeds: .* array"),
        (lambda d: d.update(seeds=[0, 1.5, 2]), r"seeds\.1: .* integer"),
        (lambda d: d.update(seeds=[0, 1, 1]), "seeds must be two or more"),
        (lambda d: d.update(control="nix"), "control 'nix' is not one"),
        (lambda d: d["variants"].pop("better"), "differences must be those"),
        (lambda d: d.update(differences={}), "differences must be those"),
        (lambda d: d["hardware"].pop("cpu"), r"hardware\.cpu: .*required"),
        (
            lambda d: d["time"].update(wall="9 s"),
            r"time\.wall: .* number, got '9 s'",
        ),
        (lambda d: d["profile"].update(settings=3), "settings: .* an object"),
        (
            lambda d: d["versions"].update(torch=2),
            r"versions\.torch: .* string",
        ),
        (lambda d: accuracy(d).update(mean=0.76), r"mean is 0\.76, but its"),
        (lambda d: accuracy(d).update(std=0.2), r"std is 0\.2, but its"),
        (lambda d: accuracy(d)["per_seed"].pop(), "but its seeds give"),
        (
            lambda d: accuracy(d).update(per_seed=[0.75] * 2, std=0.0),
            "2 values for 3 seeds",
        ),
        (lambda d: accuracy(d).update(mean=None), "mean: .* number, got"),
        (lambda d: accuracy(d).update(mean=float("nan")), "a finite number"),
        (lambda d: accuracy(d).update(mean=True), "mean: .* number, got"),
        (
            lambda d: d["variants"]["plain"]["seconds"].append(1.0),
            r"variants\.plain\.seconds has 4 values for 3 seeds",
        ),
        (lambda d: interval(d).update(low=0.2), "not lie in its interval"),
        (lambda d: interval(d).update(high=0.1), "not lie in its interval"),
    ],
)
def test_a_damaged_record_is_refused_with_the_reason(folder, edit, reason):
    change(folder, edit)
    with pytest.raises(ValueError, match=rf"small\.json .*{reason}"):
        load("small", folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Invalid JSON"),
        ("[1, 2]", "record: .* an object"),
        ('{"a": 1}', r"record\.schema: .*required"),
    ],
)
def test_a_foreign_file_is_refused(folder, text, reason):
    (folder / "small.json").write_text(text)
    with pytest.raises(ValueError, match=rf"small\.json .*{reason}"):
        load("small", folder)


def test_half_a_file_and_bytes_are_refused(folder):
    path = folder / "small.json"
    text = path.read_bytes()
    for damaged in text[: len(text) // 2], b"\xff\xfe" + text:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"small\.json cannot be used"):
            load("small", folder)


def test_a_record_with_networks_comes_back_as_it_was(tmp_path):
    path = record.save(kept_record(), tmp_path, NETWORKS)
    kept = load("small", tmp_path)
    assert kept == kept_record()
    assert (kept.schema, small_record().schema) == (5, 4)
    assert path.read_text() == kept.to_json()
    text = path.read_text()
    assert '"loss": [ 0.7, 0.5, 0.25 ]' in text
    assert json.loads(text)["variants"]["better"]["blocks"] == {
        "accuracy": [[0.375, 0.875], [0.625, 1.125], [0.5, 1.0]]
    }


def better(data):
    return data["variants"]["better"]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda d: d.update(schema=4), "schema is 4, but .* those of 5"),
        (lambda d: better(d).update(network=""), "network, or none"),
        (
            lambda d: better(d).update(network="1" * 64),
            "small/better.*altered",
        ),
        (lambda d: better(d)["curves"].pop(), "curves has 2 values for 3"),
        (lambda d: better(d)["curves"][0].pop("loss"), r"curves\.0\.loss: "),
        (
            lambda d: better(d)["blocks"]["accuracy"].pop(),
            r"blocks\.accuracy has 2 values for 3 seeds",
        ),
        (
            lambda d: better(d)["blocks"]["accuracy"][0].pop(),
            r"equally many everywhere, got \[1, 2\]",
        ),
        (lambda d: d["pilot"].pop("plateau"), r"pilot\.plateau: .*required"),
    ],
)
def test_what_the_new_form_has_is_checked(tmp_path, edit, reason):
    record.save(kept_record(), tmp_path, NETWORKS)
    change(tmp_path, edit)
    with pytest.raises(ValueError, match=rf"small\.json .*{reason}"):
        load("small", tmp_path)


def test_the_old_form_with_the_new_number_is_refused(folder):
    change(folder, lambda data: data.update(schema=5))
    with pytest.raises(ValueError, match=r"schema is 5, but .* those of 4"):
        load("small", folder)


def test_every_record_of_the_course_is_whole():
    files = record.recorded()
    assert files
    for name, file in files.items():
        kept = load(name)
        assert kept.to_json() == file.read_text("utf-8")
        control = kept.variants[kept.control].metrics
        for variant, metrics in kept.differences.items():
            for metric, value in metrics.items():
                again = paired_bootstrap(
                    kept.variants[variant].metrics[metric], control[metric]
                )
                assert again == pytest.approx(value, abs=1e-9)
        assert kept.command.startswith(
            f"python -m attncourse trials run {name} "
        )
        assert "/" not in kept.hardware["cpu"]
        assert len(kept.seeds) >= 5

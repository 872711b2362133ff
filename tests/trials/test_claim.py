import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import t as student

from attncourse.metrics import t_interval
from attncourse.trials import (
    Prediction,
    Series,
    claim,
    claims,
    load,
    run_claims,
    verdict,
)
from attncourse.trials.claim import claim_file, folder, of_november
from attncourse.trials.record import PilotTable, recorded
from attncourse.trials.statements import Above, All
from tests.trials.standins import small_record

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "trials" / "example_claim.py"
TINY = '''
"""Is two more than one?"""
from torch import nn
from attncourse.trials import Variant, Budget, Claim, Prediction, Profile


def run(variant: str, seed: int, budget: Budget) -> dict[str, float]:
    return {"score": budget.epochs * (len(variant) + seed / 8)}


CLAIM = Claim(
    statement="Three is more than one.",
    source="Arithmetic.",
    scene="None.",
    variants={
        "one": Variant("one", lambda: nn.Linear(3, 5)),
        "three": Variant("three", lambda: nn.Linear(3, 7)),
    },
    control="one",
    run=run,
    example=(1, 3),
    metrics={"score": "a number"},
    predictions=(
        Prediction("By one.", "score", "three", "one", above=1.0),
        Prediction("By ten.", "score", "three", "one", above=10.0),
    ),
    would_change="Nothing.",
    lesson="03_additive_attention",
    quick=Profile(seeds=2, budget=Budget(epochs=1)),
    full=Profile(seeds=3, budget=Budget(epochs=2)),
)
'''


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    add(tmp_path, monkeypatch, "tiny_example", TINY)
    yield tmp_path
    sys.modules.pop(f"{folder.__name__}.tiny_example", None)


def add(tmp_path, monkeypatch, stem, text):
    more = tmp_path / "more"
    more.mkdir(exist_ok=True)
    (more / f"{stem}.py").write_text(text)
    paths = [*folder.__path__, str(more)]
    monkeypatch.setattr(folder, "__path__", list(dict.fromkeys(paths)))


def go(results, **options):
    (record,) = run_claims(
        ["tiny-example"],
        **{"workers": 1, "results": results, "progress": False, **options},
    )
    return record


def test_a_claim_is_registered_by_its_file(tiny):
    before = len(claims()) - 1
    assert "tiny-example" in claims()
    assert claim_file("tiny-example") == tiny / "more" / "tiny_example.py"
    record = go(tiny)
    assert record.family == before + 1
    assert record.level == 1 - 0.05 / (before + 1)
    assert load("tiny-example", tiny) == record
    assert record.seeds == (0, 1, 2)
    assert record.variants["three"].label == "three"
    assert record.settings["epochs"] == 2
    assert record.variants["three"].metrics["score"] == (10.0, 10.25, 10.5)
    assert record.variants["three"].parameters == 28
    assert record.command == (
        "python -m attncourse trials run tiny-example --profile full --seeds 3"
    )
    first, second = claim("tiny-example").predictions
    assert first.verdict(record) == "supported"
    assert second.verdict(record) == "refuted"
    assert claim("tiny-example").verdict(record) == "supported"
    found = verdict("tiny-example", tiny)
    assert (found.word, found.statement) == ("supported", "By one.")
    assert (found.margin, found.interval) == (1.0, (4.0, 4.0, 4.0))
    assert found.effect == "+4.000 (+4.000 to +4.000)"


def test_a_draft_without_a_record_is_no_obstacle(tiny):
    with pytest.raises(FileNotFoundError, match="tiny-example"):
        verdict("tiny-example", tiny)


def test_a_new_claim_moves_no_recorded_verdict(tiny):
    record = load("se-gain")
    deciding = claim("se-gain").decider(record)
    assert "tiny-example" in claims()
    assert record.family == 22
    assert deciding.interval(record) == t_interval(
        record.variants["se"].metrics["accuracy"],
        record.variants["wider"].metrics["accuracy"],
        level=1 - 0.05 / 22,
    )


def test_the_profile_and_the_seeds_can_be_chosen(tiny):
    record = go(tiny, profile="quick")
    assert (record.profile, record.seeds) == ("quick", (0, 1))
    more = go(tiny, profile="quick", seeds=4)
    assert more.seeds == (0, 1, 2, 3)
    assert more.time.runs_reused == 4
    assert more.command.endswith("--profile quick --seeds 4")


def test_a_quick_look_does_not_replace_the_record_of_the_book(
    tiny, monkeypatch
):
    module = sys.modules["attncourse.trials.running"]
    monkeypatch.setattr(module, "results_folder", lambda: tiny)
    go(None)
    go(None, profile="quick")
    assert load("tiny-example", tiny).profile == "full"
    assert load("tiny-example", tiny / ".quick").profile == "quick"


def test_unknown_claims_and_profiles_are_named(tiny):
    with pytest.raises(
        LookupError, match=r"named 'nix'; there are: .*tiny-example"
    ):
        claim("nix")
    with pytest.raises(ValueError, match="quick or full, got 'huge'"):
        go(tiny, profile="huge")


@pytest.mark.slow
def test_a_reader_adds_a_claim_by_adding_one_file(tmp_path):
    shutil.copytree(
        ROOT / "attncourse",
        tmp_path / "attncourse",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (tmp_path / "book" / "results").mkdir(parents=True)
    place = (
        tmp_path / "attncourse" / "trials" / "claims" / "taller_or_wider.py"
    )
    shutil.copy(EXAMPLE, place)

    def trials(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "attncourse", "trials", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert "taller-or-wider: Three thin layers are more" in trials("list")
    trials("run", "taller-or-wider", "--profile", "quick", "--seeds", "2")
    record = load("taller-or-wider", tmp_path / "book" / "results" / ".quick")
    assert set(record.variants) == {"wide", "double", "tall"}
    assert record.family == 1
    assert record.settings["scenes"] == 400
    assert all(
        0 < value < 1
        for variant in record.variants.values()
        for value in variant.metrics["accuracy"]
    )
    wide, tall = record.variants["wide"], record.variants["tall"]
    assert tall.parameters == pytest.approx(wide.parameters, rel=0.1)
    assert "Three thin layers are" in trials("show", "taller-or-wider")


PUBLISHED = {
    "additive-gain": "not settled",
    "any-attention": "not settled",
    "attention-occlusion": "not settled",
    "cbam-gain": "not settled",
    "centre-bias": "supported",
    "channel-regions": "refuted",
    "close-looks": "not settled",
    "cnn-translation": "refuted",
    "far-comparison": "not settled",
    "glimpse-policy": "supported",
    "need-positions": "supported",
    "one-plus-mask": "supported",
    "pairs-everywhere": "not settled",
    "query-pooling": "refuted",
    "scale-attention": "not settled",
    "se-gain": "supported",
    "sk-follows-size": "not settled",
    "softmax-axis": "refuted",
    "softmax-gate": "refuted",
    "sqrt-d-scale": "supported",
    "stn-gain": "supported",
    "stn-steps": "supported",
}


def test_the_verdicts_of_the_records_of_level_22_stand():
    records = {name: load(name) for name in PUBLISHED}
    found = {
        name: claim(name).verdict(record)
        for name, record in records.items()
        if record.family == 22
    }
    assert found == {name: PUBLISHED[name] for name in found}


def standing(mean, spread, count=5):
    """A record whose differences have this mean and standard deviation."""
    shape = [index - (count - 1) / 2 for index in range(count)]
    scale = spread / math.sqrt(sum(x * x for x in shape) / (count - 1))
    kept = small_record()
    plain = replace(
        kept.variants["plain"], metrics={"accuracy": Series([0.5] * count)}
    )
    better = replace(
        kept.variants["better"],
        metrics={"accuracy": Series(0.5 + mean + scale * x for x in shape)},
    )
    return replace(
        kept,
        seeds=tuple(range(count)),
        variants={"plain": plain, "better": better},
    )


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [
        (1.01, "supported"),
        (0.99, "not settled"),
        (-0.99, "not settled"),
        (-1.01, "refuted"),
    ],
)
def test_the_whole_corrected_interval_decides(shift, verdict):
    count, spread = 7, 0.03
    half = spread / math.sqrt(count)
    half *= student.ppf(1 - 0.025 / 22, count - 1)
    prediction = Prediction("", "accuracy", "better", "plain", above=0.2)
    record = standing(0.2 + shift * half, spread, count)
    assert prediction.verdict(record) == verdict
    assert "accuracy of better minus plain is above 0.2" in prediction.rule


def test_a_prediction_may_concern_one_variant_alone():
    prediction = Prediction("", "accuracy", "better", None, above=0.5)
    record = standing(0.25, 0.01)
    interval = prediction.interval(record)
    assert interval.mean == pytest.approx(0.75)
    half = 0.01 / math.sqrt(5) * student.ppf(1 - 0.025 / 22, 4)
    assert interval.high - 0.75 == pytest.approx(half)
    assert prediction.verdict(record) == "supported"
    assert "interval of accuracy of better is above 0.5" in prediction.rule


def test_a_correlation_and_a_share_keep_their_bounds():
    kept = small_record()
    steep = replace(
        kept.variants["better"],
        metrics={"r": Series([0.2, 0.999, -0.3]), "p": Series([0, 1, 1])},
    )
    record = replace(kept, variants={"better": steep})
    for metric, kind, lowest in ("r", "correlation", -1), ("p", "share", 0):
        plain = Prediction("", metric, "better", None, above=0.1)
        low, high = plain.interval(record)[1:]
        assert low < lowest
        assert high > 1
        mean, low, high = replace(plain, kind=kind).interval(record)
        assert mean == record.variants["better"].metrics[metric].mean
        assert lowest <= low < mean < high <= 1


def test_a_difference_is_a_number():
    with pytest.raises(ValueError, match=r"kind must be 'number' .* 'share'"):
        Prediction("", "mass", "a", "b", above=0.0, kind="share")


def reasons(statement):
    """Reasons of margins and thresholds, those of all members."""
    if isinstance(statement, All):
        return [why for each in statement.members for why in reasons(each)]
    if isinstance(statement, Above):
        return [statement.because]
    return [statement.margin.because] if hasattr(statement, "margin") else []


def test_an_old_record_is_judged_by_its_own_rule():
    case, record = claim("se-gain"), load("se-gain")
    if not of_november(record):
        pytest.skip("the claim was tried anew")
    assert case.judged(record) is case.earlier
    assert case.headline(record) == case.earlier[0].statement != case.statement
    assert verdict("se-gain").statement == case.earlier[0].statement
    assert verdict("se-gain").margin == 0.05
    blocks = {"accuracy": ((0.5, 0.6),) * len(record.seeds)}
    new = replace(
        record,
        variants={
            name: replace(variant, network="0" * 64, blocks=blocks)
            for name, variant in record.variants.items()
        },
    )
    assert not of_november(new)
    assert case.judged(new) is case.predictions
    assert case.headline(new) == case.statement


def test_below_the_plateau_there_is_no_verdict():
    case, record = claim("se-gain"), load("se-gain")
    pilot = PilotTable("0" * 64, "accuracy", (900, 901), {}, {}, plateau=False)
    young = replace(record, pilot=pilot)
    assert case.verdict(young) == "no verdict: still learning"
    grown = replace(record, pilot=replace(pilot, plateau=True))
    assert case.verdict(grown) == case.verdict(record)


@pytest.mark.parametrize("name", claims())
def test_every_claim_is_complete(name):
    case = claim(name)
    for text in case.statement, case.scene, case.would_change:
        assert text.endswith(".")
    assert case.source
    for meaning in case.metrics.values():
        assert meaning
        assert not meaning.endswith(".")
    assert (ROOT / "lessons" / f"{case.lesson}.ipynb").is_file()
    assert case.control in case.variants
    assert case.predictions
    for prediction in case.predictions:
        assert set(prediction.variants) <= set(case.variants)
        assert set(prediction.metrics) <= set(case.metrics)
        assert prediction.statement.endswith(".")
        for reason in reasons(prediction):
            assert reason.endswith(".")
    old = {isinstance(each, Prediction) for each in case.predictions}
    assert old == {case.family is None}, "one rule, and its family stated"
    assert case.full.seeds >= case.quick.seeds >= 5
    lines = claim_file(name).read_text().splitlines()
    assert len(lines) <= 180, "a claim is a short file"


@pytest.mark.parametrize("name", sorted(recorded()))
def test_the_record_is_that_of_the_claim(name):
    case, record = claim(name), load(name)
    missing = set(case.variants) - set(record.variants)
    assert not set(record.variants) - set(case.variants)
    assert not missing or case.judged(record) is case.earlier
    assert record.control == case.control
    assert record.profile == "full"
    assert len(record.seeds) >= case.full.seeds >= 5
    for prediction in case.judged(record):
        assert prediction.verdict(record)
    for metric in case.metrics:
        assert any(
            metric in variant.metrics for variant in record.variants.values()
        )

import sys
from dataclasses import replace

import pytest

from attncourse.measure import Interval
from attncourse.trials import Prediction, claim, claims, load, run_claim
from attncourse.trials.claim import folder
from tests.trials.standins import small_record

TINY = '''
"""Is two more than one?"""
from torch import nn
from attncourse.trials import Arm, Budget, Claim, Prediction, Profile


def run(arm: str, seed: int, budget: Budget) -> dict[str, float]:
    return {"score": budget.epochs * (len(arm) + seed / 8)}


CLAIM = Claim(
    question="Is two more than one?",
    source="Arithmetic.",
    arms={
        "one": Arm("one", lambda: nn.Linear(3, 5)),
        "three": Arm("three", lambda: nn.Linear(3, 7)),
    },
    control="one",
    run=run,
    example=(1, 3),
    metrics=("score",),
    predictions=(Prediction("Yes.", "score", "three", "one", above=1.0),),
    quick=Profile(seeds=2, budget=Budget(epochs=1)),
    full=Profile(seeds=3, budget=Budget(epochs=2)),
)
'''


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "tiny.py").write_text(TINY)
    more = [*folder.__path__, str(tmp_path / "more")]
    monkeypatch.setattr(folder, "__path__", more)
    yield tmp_path
    sys.modules.pop(f"{folder.__name__}.tiny", None)


def test_a_claim_is_added_by_adding_a_file(tiny):
    assert "tiny" in claims()
    record = run_claim(
        "tiny", profile="full", workers=1, results=tiny, progress=False
    )
    assert load("tiny", tiny) == record
    assert record.seeds == (0, 1, 2)
    assert record.settings["epochs"] == 2
    assert record.arms["three"].metrics["score"] == (10.0, 10.25, 10.5)
    assert record.arms["three"].parameters == 28
    assert record.command == (
        "python -m attncourse trials run tiny --profile full --seeds 3"
    )
    assert claim("tiny").predictions[0].verdict(record) == "supported"


def test_quick_is_the_default_and_seeds_can_be_chosen(tiny):
    record = run_claim("tiny", workers=1, results=tiny, progress=False)
    assert (record.profile, record.seeds) == ("quick", (0, 1))
    more = run_claim("tiny", seeds=4, workers=1, results=tiny, progress=False)
    assert more.seeds == (0, 1, 2, 3)
    assert more.time.runs_reused == 4
    assert more.command.endswith("--profile quick --seeds 4")


def test_unknown_claims_and_profiles_are_named(tiny):
    with pytest.raises(LookupError, match=r"'nix'; there are: .*tiny"):
        claim("nix")
    with pytest.raises(ValueError, match="quick or full, got 'huge'"):
        run_claim("tiny", profile="huge", results=tiny)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.21, 0.4, "supported"),
        (0.1, 0.19, "refuted"),
        (0.19, 0.4, "not settled"),
        (0.2, 0.4, "not settled"),
        (0.1, 0.2, "not settled"),
    ],
)
def test_the_whole_interval_decides(low, high, verdict):
    prediction = Prediction("", "accuracy", "better", "plain", above=0.2)
    kept = small_record()
    interval = Interval((low + high) / 2, low, high)
    record = replace(kept, differences={"better": {"accuracy": interval}})
    assert prediction.verdict(record) == verdict
    assert "accuracy of better minus plain is above 0.2" in prediction.rule


def test_a_prediction_may_concern_one_arm_alone():
    prediction = Prediction("", "accuracy", "better", None, above=0.5)
    interval = prediction.interval(small_record())
    assert interval.mean == 0.75
    assert 0.625 <= interval.low < 0.75 < interval.high <= 0.875
    assert prediction.verdict(small_record()) == "supported"
    assert "interval of accuracy of better is above 0.5" in prediction.rule


@pytest.mark.parametrize("name", claims())
def test_every_claim_is_complete(name):
    case = claim(name)
    assert case.question.endswith("?")
    assert case.source
    assert case.control in case.arms
    assert case.predictions
    for prediction in case.predictions:
        assert prediction.arm in case.arms
        assert prediction.against is None or prediction.against in case.arms
    assert case.full.seeds >= case.quick.seeds >= 5

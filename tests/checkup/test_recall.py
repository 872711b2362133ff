"""What the checkup finds of the bugs that it may know, and of right layers.

The half that is kept apart is measured by `measure`, and not tested: a test
that fails would be a reason to fit the checkup to it.
"""

import json

import pytest

from tests.checkup.corpus import Bug
from tests.checkup.corpus.public_ten import PUBLIC_TEN
from tests.checkup.corpus.tuning import TUNING
from tests.checkup.measure import RECORD, alarms, examine, told_apart

pytestmark = [pytest.mark.lengthy, pytest.mark.usefixtures("as_shipped")]
ONLY_STATED = {"qubvel-org/segmentation_models.pytorch#113"}


@pytest.mark.parametrize(
    "bug", PUBLIC_TEN + TUNING, ids=lambda bug: bug.thread
)
def test_it_is_found(bug: Bug) -> None:
    found = told_apart(bug, bug.kind if bug.thread in ONLY_STATED else None)
    assert found
    assert all(finding.reason and finding.fix for finding in found)
    assert not alarms(examine(bug, "right", bug.kind))


def test_the_record_has_what_the_page_shows() -> None:
    record = json.loads(RECORD.read_text("utf8"))
    assert set(record["recall"]) == {"ten", "tuning", "kept", "museum"}
    precision = record["precision"]
    libraries = {k: v for k, v in precision.items() if k != "attncourse"}
    assert sum(row["layers"] for row in libraries.values()) >= 60
    for alarm in precision["attncourse"]["alarms"]:  # meant by their papers
        assert alarm.startswith(("DynamicCapacity: unused", "RecurrentAtt"))

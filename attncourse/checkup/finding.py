"""What a checkup says: findings with a grade, and the report of them all."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Literal

Grade = Literal["error", "warning", "note", "passed"]
SCHEMA = 1
GRADES: tuple[Grade, ...] = ("error", "warning", "note", "passed")


@dataclass(frozen=True)
class Finding:
    """One thing a probe saw.

    An error is a mistake whatever the module is for. A warning is a mistake
    unless it was meant. A note is a fact to know. Passed means that the
    probe looked and found nothing wrong.
    """

    grade: Grade
    probe: str
    seen: str
    reason: str = ""
    fix: str = ""
    path: str = ""  # of the layer, where a whole network was examined

    def __str__(self) -> str:
        where = f"{self.path}, " if self.path else ""
        lines = [f"{self.grade:8}{where}{self.probe}: {self.seen}"]
        lines += [f"{'why':>12} {self.reason}"] * bool(self.reason)
        lines += [f"{'fix':>12} {self.fix}"] * bool(self.fix)
        return "\n".join(lines)


def _html(finding: Finding) -> str:
    """A finding in one paragraph."""
    words = [
        f"<strong>{finding.grade}</strong>" * (finding.grade != "passed"),
        f"<em>{escape(finding.probe)}</em>: {escape(finding.seen)}.",
        f"Why: {escape(finding.reason)}." * bool(finding.reason),
        f"Fix: {escape(finding.fix)}." * bool(finding.fix),
    ]
    return " ".join(filter(None, words))


@dataclass(frozen=True)
class Report:
    """The result of a checkup; prints as text, shows as a table."""

    module: str
    all_findings: tuple[Finding, ...]
    kind: str | None = None

    def _of(self, *grades: Grade) -> tuple[Finding, ...]:
        return tuple(
            finding
            for grade in grades
            for finding in self.all_findings
            if finding.grade == grade
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Errors, then warnings, then notes."""
        return self._of("error", "warning", "note")

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What is wrong whatever the module is for."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is wrong unless it was meant."""
        return self._of("warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """Facts to know."""
        return self._of("note")

    @property
    def passed(self) -> tuple[Finding, ...]:
        """What was looked at and found right."""
        return self._of("passed")

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def summary(self) -> str:
        """How many findings there are of each grade."""
        counts = []
        for grade in GRADES:
            count = len(self._of(grade))
            many = "s" if grade != "passed" and count != 1 else ""
            counts.append(f"{count} {grade}{many}")
        return f"{self.module}: {', '.join(counts)}"

    def __repr__(self) -> str:
        shown = map(str, self._of(*GRADES))
        return "\n".join([self.summary, *shown])

    def _repr_html_(self) -> str:
        found = "".join(f"<li>{_html(finding)}</li>" for finding in self)
        good = "".join(f"<li>{_html(finding)}</li>" for finding in self.passed)
        return (
            f"<p>{escape(self.summary)}</p>"
            f"{f'<ul>{found}</ul>' if found else ''}"
            "<details><summary>What was looked at and found right</summary>"
            f"<ul>{good}</ul></details>"
        )

    def to_json(self) -> str:
        """The report as JSON: module, kind, ok, and every finding.

        ``schema`` rises when a name below is taken away or changes its
        meaning; new names may come without.
        """
        return json.dumps(self.content(), indent=2)

    def content(self) -> dict[str, Any]:
        """What the JSON holds."""
        return {
            "schema": SCHEMA,
            "module": self.module,
            "kind": self.kind,
            "ok": self.ok,
            "findings": [asdict(finding) for finding in self.findings],
            "passed": [asdict(finding) for finding in self.passed],
        }

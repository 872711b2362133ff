"""Tables of what the tests cover and notice, from their records."""

import json
from collections import defaultdict
from importlib import import_module
from typing import Any

import course_execution as execution
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FOLDER = execution.ROOT / "book" / "results" / "tests"
KILLED = ("killed", "timeout")


class Recorded(SphinxDirective):
    """Reads a record and makes Markdown of it."""

    name_of_record = ""

    def run(self) -> list[nodes.Node]:
        path = FOLDER / f"{self.name_of_record}.json"
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text("utf8"))
        return self.parse_text_to_nodes("\n".join(self.lines(record)))

    def lines(self, record: dict[str, Any]) -> list[str]:
        raise NotImplementedError


class Coverage(Recorded):
    """A table of the share of lines that run in the tests, by folder."""

    name_of_record = "coverage"

    def lines(self, record: dict[str, Any]) -> list[str]:
        rows = [
            f"Measured on {record['date'][:10]} with coverage.py "
            f"{record['versions']['coverage']}.",
            "",
            "| Folder | Lines | Run | Share |",
            "|:--|--:|--:|--:|",
        ]
        folders = record["folders"]
        names = {f"`{name}`": counts for name, counts in folders.items()}
        names["all"] = {
            key: sum(counts[key] for counts in folders.values())
            for key in ("lines", "run")
        }
        for name, counts in names.items():
            share = counts["run"] / counts["lines"]
            rows.append(
                f"| {name} | {counts['lines']} | {counts['run']} "
                f"| {share:.1%} |"
            )
        return rows


class Mutants(Recorded):
    """A table of the mutants of each mechanism, killed and survived."""

    name_of_record = "mutants"

    def lines(self, record: dict[str, Any]) -> list[str]:
        rows = [
            f"Run on {record['date'][:10]} with mutmut "
            f"{record['versions']['mutmut']}.",
            "",
            "| File | Mutants | Killed | Survived | Share killed |",
            "|:--|--:|--:|--:|--:|",
        ]
        total, all_killed = 0, 0
        for name, file in record["files"].items():
            count = sum(file["statuses"].values())
            killed = sum(file["statuses"].get(s, 0) for s in KILLED)
            total, all_killed = total + count, all_killed + killed
            rows.append(row(f"`{name}`", count, killed))
        rows += [row("all", total, all_killed), ""]
        changed = [
            name
            for name, file in record["files"].items()
            if digest(name) != file["code"]
        ]
        if changed:
            names = ", ".join(f"`{name}`" for name in changed)
            rows.append(f"Code changed since: {names}.")
        return rows


def row(name: str, count: int, killed: int) -> str:
    share = f"{killed / count:.1%}"
    return f"| {name} | {count} | {killed} | {count - killed} | {share} |"


def digest(name: str) -> str:
    """The version of the code that one file of mechanisms computes with."""
    from attncourse.trials.provenance import code_digest

    module = import_module(f"attncourse.attention.{name.removesuffix('.py')}")
    own = (
        value
        for value in vars(module).values()
        if callable(value) and value.__module__ == module.__name__
    )
    return code_digest(next(own))


class Recall(Recorded):
    """How many bugs the checkup finds, and its alarms on right layers."""

    name_of_record = "checkup"

    def lines(self, record: dict[str, Any]) -> list[str]:
        versions = ", ".join(
            f"{name} {number}" for name, number in record["versions"].items()
        )
        rows = [
            f"Measured on {record['date'][:10]} with {versions}.",
            "",
            "| Bugs | Number | Found | Found if the kind is stated |",
            "|:--|--:|--:|--:|",
        ]
        for name, title in BUGS.items():
            found = record["recall"][name]
            stated = found.get("found_with_kind", "")
            rows.append(
                f"| {title} | {found['bugs']} | {found['found']} | {stated} |"
            )
        rows += [
            "",
            "| Right layers of | Layers | Calls | Errors and warnings |",
            "|:--|--:|--:|--:|",
        ]
        for name, found in record["precision"].items():
            rows.append(
                f"| {name} | {found['layers']} | {found['calls']} "
                f"| {len(found['alarms'])} |"
            )
        for found in record["precision"].values():
            kinds = dict.fromkeys(alarm[:120] for alarm in found["alarms"])
            rows += ["", *(f"* {alarm}" for alarm in kinds)]
        return rows


BUGS = {
    "museum": "the bug museum, as its lesson examines them",
    "ten": "ten of public threads that the first checkup passed",
    "tuning": "half A, looked at while the checkup was written",
    "kept": "half B, kept apart and measured afterwards",
}


class Survivors(Recorded):
    """For each reason to survive, a table of the mutants that have it."""

    name_of_record = "mutants"

    def lines(self, record: dict[str, Any]) -> list[str]:
        by_reason = defaultdict(list)
        for name, file in record["files"].items():
            for found in file["survivors"]:
                reason = found["reason"] or "No reason found yet."
                by_reason[reason].append((name, found))
        rows = []
        for reason, survivors in sorted(
            by_reason.items(), key=lambda item: -len(item[1])
        ):
            rows += ["", reason, ""]
            rows += ["| Place | Written | Mutant |", "|:--|:--|:--|"]
            for name, found in survivors:
                place = f"`{name}`, line {found['line']}"
                before, after = code(found["before"]), code(found["after"])
                rows.append(f"| {place} | {before} | {after} |")
        return rows


def code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|") if text else "(left out)"


def setup(app: Sphinx) -> None:
    app.add_directive("coverage", Coverage)
    app.add_directive("mutants", Mutants)
    app.add_directive("recall", Recall)
    app.add_directive("survivors", Survivors)

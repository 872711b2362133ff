"""A checkup as a line of somebody's own tests."""

from collections.abc import Collection
from typing import Any

from attncourse.checkup.driver import checkup


def assert_healthy(
    module: Any,
    inputs: Any,
    *,
    kind: str | None = None,
    allow: Collection[str] = (),
    **options: Any,
) -> None:
    """Fail with the report if a module has an error or a warning.

    Parameters
    ----------
    module, inputs, kind, options
        As for `checkup`.
    allow
        Probes whose findings are known and accepted, such as ``"scale"``.

    Raises
    ------
    AssertionError
        If anything else was found.
    """
    report = checkup(module, inputs, kind=kind, **options)
    found = [
        finding
        for finding in report.errors + report.warnings
        if finding.probe not in allow
    ]
    if found:
        lines = "\n".join(map(str, found))
        raise AssertionError(f"{report.summary}\n{lines}")

"""Is anything computed and then thrown away?"""

from collections.abc import Iterator

from attncourse.checkup.finding import Finding
from attncourse.checkup.subject import Subject

NAME = "unused results"


def probe(subject: Subject) -> Iterator[Finding]:
    """Name the operations whose results reach no output."""
    dead = [
        f"{step.name} shaped {step.shape}"
        for step in subject.base_trace.unused
    ]
    if not dead:
        return
    more = f" and {len(dead) - 3} more" if len(dead) > 3 else ""
    yield Finding(
        "warning",
        NAME,
        f"computed and never used: {', '.join(dead[:3])}{more}",
        "a variable may have been overwritten, or another one used in its "
        "position (x1 + x1 for x1 + x2)",
        "use the result, or do not compute it",
    )

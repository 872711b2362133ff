"""`make lesson NAME=15_reading_maps`: a new lesson that passes its tests.

The files of book/lesson_template are laid down under the lesson's name: a
short lesson, its exercises, the answers that test them and a test of what it
says.  They are an example to be replaced part by part.
"""

import re
import sys
from collections.abc import Sequence
from keyword import iskeyword
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "book" / "lesson_template"
TARGETS = {
    "lesson.ipynb": "lessons/STEM.ipynb",
    "topic.py": "attncourse/exercises/topics/TOPIC.py",
    "answers.py": "tests/exercises/answers/TOPIC.py",
    "test_lesson.py": "tests/lessons/test_STEM.py",
}
FORM = re.compile(r"1[5-9]_[a-z][a-z0-9_]{2,29}")
NEXT = """\
These files are laid down:
{files}

Execute the lesson:  .venv/bin/python book/_ext/course_execution.py {lesson}
Test it:             .venv/bin/python -m pytest tests/lessons tests/exercises \
-k {topic}

It stands in the last numbered part of the book.  It is an example: replace
it part by part, as CONTRIBUTING.md says under "Add a lesson"."""


class NameRefusedError(ValueError):
    """A name under which no lesson can be laid down, and why."""


def texts(name: str, root: Path = ROOT) -> dict[Path, str]:
    """The files of a new lesson with their texts.

    Raises
    ------
    NameRefusedError
        If the name has another form or is taken.
    """
    topic = name.partition("_")[2]
    if not FORM.fullmatch(name) or iskeyword(topic) or topic.endswith("_"):
        raise NameRefusedError(
            f"NAME is {name!r}; a number from 15 to 19 and the topic in small "
            f"letters, at most 30, are needed: NAME=15_reading_maps"
        )
    for other in sorted((root / "lessons").glob(f"{name[:2]}_*.ipynb")):
        raise NameRefusedError(f"number {name[:2]} is taken: {other.name}")
    words = {
        "STEM": name,
        "TOPIC": topic,
        "SLUG": topic.replace("_", "-"),
        "TITLE": topic.replace("_", " ").capitalize(),
    }

    def filled(text: str) -> str:
        return re.sub("|".join(words), lambda found: words[found[0]], text)

    made = {
        root / filled(target): filled((TEMPLATES / file).read_text("utf8"))
        for file, target in TARGETS.items()
    }
    for file in made:
        if file.exists():
            place = file.relative_to(root).as_posix()
            raise NameRefusedError(f"{place} exists; nothing was written")
    return made


def main(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments else ""
    try:
        made = texts(name)
    except NameRefusedError as error:
        print(error, file=sys.stderr)
        return 1
    for file, text in made.items():
        file.write_text(text, "utf8")
    places = [file.relative_to(ROOT).as_posix() for file in made]
    print(
        NEXT.format(
            files="\n".join(f"  {place}" for place in places),
            lesson=places[0],
            stem=name,
            topic=name.partition("_")[2],
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The map of the package: its floors, and what each stands on.

`python book/_ext/course_floors.py` draws book/_static/floors.svg from the
imports; a test holds the picture and the order of the floors to the code.
"""

import ast
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "attncourse"
PICTURE = ROOT / "book" / "_static" / "floors.svg"
FLOORS = (
    "attention",
    "data",
    "metrics",
    "losses",
    "retrieval",
    "models",
    "bugs",
    "trials",
    "viz",
    "bench",
    "exercises",
    "checkup",
)
"""From the ground up; a floor imports those before it, never one above."""
WIDTH, HEIGHT, GAP = 760, 40, 6


def stands_on(floor: str) -> set[str]:
    """Other subpackages that the code of one subpackage imports."""
    found: set[str] = set()
    for file in (PACKAGE / floor).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf8"))):
            for name in imported(node):
                parts = name.split(".")
                if parts[0] == PACKAGE.name and len(parts) > 1:
                    found.add(parts[1])
    return found & set(FLOORS) - {floor}


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module == PACKAGE.name:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module]
    return []


def said(floor: str) -> str:
    """First line of the docstring of a subpackage."""
    text = (PACKAGE / floor / "__init__.py").read_text("utf8")
    doc = ast.get_docstring(ast.parse(text)) or ""
    return doc.splitlines()[0].replace("``", "")


def drawing() -> str:
    """The floors above each other, the ground at the bottom."""
    rows = len(FLOORS)
    height = rows * (HEIGHT + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        "<title>The floors of the package, and what each imports</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for level, floor in enumerate(FLOORS):
        top = height - (level + 1) * (HEIGHT + GAP)
        below = [name for name in FLOORS if name in stands_on(floor)]
        parts += [
            f'<rect x="6" y="{top}" width="{WIDTH - 12}" height="{HEIGHT}" '
            f'rx="5" fill="#eef4f9" stroke="#12395b"/>',
            f'<text x="18" y="{top + 25}" font-size="15" '
            f'font-weight="bold" fill="#12395b">{floor}</text>',
            f'<text x="120" y="{top + 17}" font-size="12" fill="#222">'
            f"{escape(said(floor))}</text>",
            f'<text x="120" y="{top + 33}" font-size="11" fill="#555">'
            f"imports: {', '.join(below) or 'torch alone'}</text>",
        ]
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    PICTURE.write_text(drawing(), encoding="utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

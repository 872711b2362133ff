r"""The symbols of a formula, read from its LaTeX.

A symbol is a letter, Latin or Greek, with what stands below it: `W_1` and
`f_c` are one each. A lower index names one of many, unless its letter is a
symbol of the formula, too: `x_i` is the symbol `x` with the index `i`, but
`W_q` beside a query `q` is a symbol of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]|\d+(?:\.\d+)?|\S")
GREEK = re.compile(
    r"\\(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|"
    r"pi|rho|sigma|tau|phi|varphi|chi|psi|omega|ell|"
    r"Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega)"
)
WORDS = {r"\text", r"\operatorname", r"\mathrm", r"\begin", r"\end"}
ACCENTS = {r"\bar", r"\tilde", r"\hat"}
ALPHABETS = {r"\mathcal", r"\mathbb", r"\mathbf"}
BINDERS = {r"\sum", r"\prod", r"\max", r"\min", r"\operatorname"}
DEFINES = re.compile(r"[A-Za-z}]\s*\(\s*(\\?[A-Za-z]+)\s*\)\s*&?\s*=")
COMPOUND = re.compile(r"[+*/-]|\^ \d|\\(sqrt|t?frac)")
RELATIONS = {"=", "<", ">", r"\le", r"\ge", r"\in", ","}


@dataclass
class Formula:
    """What a formula holds.

    Attributes
    ----------
    symbols
        Each symbol as a letter and what stands below it.
    bound
        Letters that a sum, a maximum or the like runs over.
    arguments
        Letters that a definition such as `f(z) = ...` uses for itself.
    """

    symbols: list[tuple[str, str]] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)
    arguments: set[str] = field(default_factory=set)

    @property
    def letters(self) -> set[str]:
        return {letter for letter, _ in self.symbols}


def tokens(latex: str) -> list[str]:
    return TOKEN.findall(latex)


def end(given: list[str], start: int) -> int:
    """Where the group that begins at `start` ends, braces included."""
    if start >= len(given) or given[start] != "{":
        return start + 1
    depth = 0
    for index in range(start, len(given)):
        depth += {"{": 1, "}": -1}.get(given[index], 0)
        if depth == 0:
            return index + 1
    raise ValueError(f"a brace is not closed: {' '.join(given)}")


def is_letter(token: str) -> bool:
    return bool(GREEK.fullmatch(token)) or (
        len(token) == 1 and token.isalpha()
    )


def read(latex: str) -> Formula:
    formula = Formula(arguments=set(DEFINES.findall(latex)))
    _read(tokens(latex), formula)
    return formula


def _read(given: list[str], formula: Formula) -> None:
    at = 0
    while at < len(given):
        token = given[at]
        at += 1
        binder = token in BINDERS
        if token in WORDS:
            at = end(given, at)
            if not binder:
                continue
        letter = ""
        if token in ACCENTS | ALPHABETS:
            stop = end(given, at)
            letter, at = "".join(given[at:stop]).strip("{}"), stop
            if token in ALPHABETS:
                letter = f"{token} {letter}"
        elif is_letter(token):
            letter = token
        bracket = token in (")", "]", "}")
        below = ""
        while at < len(given) and given[at] in ("_", "^", "'", r"\nolimits"):
            mark = given[at]
            at += 1
            if mark in ("'", r"\nolimits"):
                continue
            worded = at < len(given) and given[at] in WORDS
            stop = end(given, at + worded)
            inside = given[at:stop]
            at = stop
            if inside[0] == "{":
                inside = inside[1:-1]
            if mark == "_" and (binder or (bracket and not letter)):
                formula.bound |= runs_over(inside)
            elif mark == "_" and letter:
                below = "".join(inside)
                _read(nested(inside), formula)
            else:
                _read(inside, formula)
        if letter:
            formula.symbols.append((letter, below))


def runs_over(below: list[str]) -> set[str]:
    """The letters below a sum or a maximum up to a relation."""
    found = set()
    for token in below:
        if is_letter(token):
            found.add(token)
        elif token not in ("(", ")", ",", "{", "}"):
            break
    return found


def nested(below: list[str]) -> list[str]:
    """What stands below a letter if it is more than indices."""
    return below if "_" in below else []


def indices(below: str) -> list[str]:
    """Single letters below a symbol: `ij` has two, `2k+1` has one."""
    if "_" in below or any(word in below for word in WORDS):
        return []
    return [token for token in tokens(below) if is_letter(token)]


def introduced(latex: str) -> Iterator[tuple[str, str]]:
    """The symbols that a formula in the text introduces.

    `n = hw`, `s, a`, `(u_p, v_p)` and `M(x)` introduce symbols; in the
    middle of a longer formula none is introduced.
    """
    given = tokens(latex)
    part: list[str] = []
    depth = 0
    for token in [*given, ","]:
        if token in RELATIONS and depth <= (given[0] == "("):
            yield from alone(part)
            part = []
            depth = min(depth, 1)
            continue
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(token, 0)
        part.append(token)


def alone(part: list[str]) -> Iterator[tuple[str, str]]:
    """The symbol of a part that is nothing but one, or its application."""
    while part and part[0] == "(":
        part = part[1:]
    text = re.sub(r"\^ ([a-z]|{ \( [a-z] \) })$", "", " ".join(part))
    text = text.partition(" (")[0]  # what it is applied to
    symbols = read(text).symbols
    if len(symbols) == 1 and not re.search(COMPOUND, text):
        yield symbols[0]

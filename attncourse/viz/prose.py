"""Phrases of the prose that hold only as long as a condition does."""


def stated(text: str, holds: bool) -> str:
    """Return a phrase that the prose quotes, or fail where it is not true.

    A lesson writes ``stated("in every seed", min(accuracy) > 0.9)`` where a
    typed phrase could outlive the record it speaks of.

    Parameters
    ----------
    text
        The phrase.
    holds
        Whether it is true: a boolean of Python, NumPy or torch.

    Raises
    ------
    AssertionError
        If it is not.
    """
    if not holds:
        raise AssertionError(f"the numbers no longer say {text!r}")
    return text

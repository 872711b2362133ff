"""Practice that answers back: exercises with checks and ladders of hints.

`check` judges an answer and says in a sentence or two what is wrong with it;
`hint` gives the next hint, `solution` shows an answer that is right, unless
the task is to be handed in. The exercises of a lesson stand in one file of
`attncourse/exercises/topics`; `python -m attncourse grade` runs notebooks
and collects what their checks found.
"""

from attncourse.exercises.checking import Verdict, check
from attncourse.exercises.exercise import (
    Exercise,
    Mistake,
    exercise,
    exercises,
)
from attncourse.exercises.hints import Hint, hint
from attncourse.exercises.solutions import Solution, solution

__all__ = [
    "Exercise",
    "Hint",
    "Mistake",
    "Solution",
    "Verdict",
    "check",
    "exercise",
    "exercises",
    "hint",
    "solution",
]

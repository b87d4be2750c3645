"""What a smear's cells and the smear as a whole are called."""

from collections.abc import Iterable

TYPES = ("ascus", "lsil", "hsil")
CLASSES = ("negative", "low_grade", "high_grade")
"""Of a slide: any hsil cell makes it high_grade, otherwise any ascus or lsil cell low_grade."""


def slide_class(types: Iterable[int]) -> int:
    """Index in CLASSES that follows from the types of the lesion cells on a slide."""
    found = set(types)
    return 2 if TYPES.index("hsil") in found else int(bool(found))

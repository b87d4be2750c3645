"""What could not be shown of the folders that were given."""

from dataclasses import dataclass, replace
from typing import Literal

Code = Literal["unfinished", "no-result", "newer", "no-layers", "damaged", "geojson"]
"""By which the page knows its own words for it."""


@dataclass(frozen=True)
class Problem:
    """Of one folder; the rest is shown."""

    code: Code
    pipeline: str
    """The folder's name."""
    detail: str
    """A sentence, without paths: they bear names of patients."""
    result: int | None = None
    """Number of the slide's result that it belongs to."""

    def of(self, result: int) -> "Problem":
        """The same, of a result that is shown."""
        return replace(self, result=result)


class NotShown(Exception):
    """A folder that cannot be shown."""

    def __init__(self, problem: Problem):
        super().__init__(problem.detail)
        self.problem = problem

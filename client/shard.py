"""Of a list of slides, the share that one of several calls takes: every slide is in one, without a word between them.

a b c d e   --shard 0/2 ─▶ a c e   --shard 1/2 ─▶ b d
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from histoserve.client.errors import WrongUsage
from histoserve.client.slide import printable


@dataclass(frozen=True)
class Shard:
    """The one of number `index`, from 0 on, of `count`."""

    index: int
    count: int

    def of(self, slides: Sequence[Path]) -> list[Path]:
        """One after the other in turn, so that a folder of large ones is nobody's alone."""
        return list(slides[self.index :: self.count])

    @property
    def summary(self) -> str:
        """The file of its rows; others write theirs beside it."""
        return f"summary-{self.index}-of-{self.count}.csv"


def shard_from_text(text: str) -> Shard:
    """`I/N`; raises WrongUsage."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    if found is None or int(found[1]) >= int(found[2]):
        raise WrongUsage(f"--shard {text!r} is none: give I/N, the share of number I of N, from 0/N on.")
    return Shard(int(found[1]), int(found[2]))


def slides_of_list(file: Path) -> list[Path]:
    """A slide or folder a line, beside the list or with a full path; empty lines and those with # are passed over."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"--list {printable(file)} cannot be read: {error}.") from error
    named = [line.strip() for line in lines]
    slides = [file.parent / each for each in named if each and not each.startswith("#")]
    if not slides:
        raise WrongUsage(f"--list {printable(file)} names no slide: one a line is wanted.")
    return slides

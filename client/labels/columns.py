"""The columns of `labels.csv`, and how the record is written in them.

Numbers stand so that a spreadsheet of any language leaves them alone or mangles them visibly: four decimals or one,
since three look like a thousand's separator to some.
"""

from collections.abc import Callable, Mapping

from histoserve.client.labels.label import Label, Pair, Tile

REQUIRED = ("pair", "tile", "decision")
"""The others may be left out of the file: the record has them."""

Cell = Callable[[Pair, Tile], str]


def _region(of: str, index: int) -> Cell:
    return lambda pair, tile: str(getattr(tile, f"{of}_region")[index])


NUMBERS: Mapping[str, Cell] = {
    **{f"he_{name}": _region("he", index) for index, name in enumerate(("x", "y", "width", "height"))},
    **{f"ihc_{name}": _region("ihc", index) for index, name in enumerate(("x", "y", "width", "height"))},
    "positive": lambda pair, tile: str(tile.positive),
    "negative": lambda pair, tile: str(tile.negative),
    "reading": lambda pair, tile: "" if tile.reading is None else f"{tile.reading:.4f}",
    "residual_um": lambda pair, tile: "" if tile.residual_um is None else f"{tile.residual_um:.1f}",
}

TEXTS: Mapping[str, Cell] = {
    "marker": lambda pair, tile: plain(pair.marker),
    "he": lambda pair, tile: plain(pair.he.name),
    "ihc": lambda pair, tile: plain(pair.ihc.name),
    "reason": lambda pair, tile: plain(tile.reason),
}

RECORDED: Mapping[str, Cell] = {**NUMBERS, **TEXTS}
"""What the record says of a tile, by column."""

COLUMNS = (
    *("pair", "tile", "marker", "he", "he_x", "he_y", "he_width", "he_height"),
    *("ihc", "ihc_x", "ihc_y", "ihc_width", "ihc_height"),
    *("positive", "negative", "reading", "residual_um", "decision", "reason"),
)


def cells(label: Label) -> list[str]:
    """Of a row, in the order of COLUMNS."""
    own = {"pair": str(label.pair.number), "tile": str(label.tile.number), "decision": label.decision.value}
    return [own[name] if name in own else RECORDED[name](label.pair, label.tile) for name in COLUMNS]


def plain(text: str) -> str:
    """In one line, and never a formula to a spreadsheet."""
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line

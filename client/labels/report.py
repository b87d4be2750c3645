"""What `histoserve label` tells at its end."""

from pathlib import Path

from histoserve.client.labels.label_pair import Outcome
from histoserve.client.labels.sheets import SHEETS
from histoserve.client.slide import printable


def said(folder: Path, outcome: Outcome) -> str:
    """Some lines."""
    pair, tiles = outcome.labels[0].pair, [label.tile for label in outcome.labels]
    readings = [tile.reading for tile in tiles if tile.reading is not None]
    off = sum(tile.reading is None for tile in tiles)
    spread = f", which read {min(readings):.0%} to {max(readings):.0%}" if readings else ""
    head = f"pair {pair.number}, {pair.marker}: {len(tiles)} tiles, {off} dropped beforehand, {len(readings)} to see"
    return "\n".join(
        [
            f"{head}{spread}",
            *(["This pair was there already, whole: nothing was read again."] if outcome.was_there else []),
            *([f"{outcome.unread} tiles could not be read and are left out."] if outcome.unread else []),
            f"accept or drop them:  histoserve view {printable(folder)}",
            f"without a browser:    {printable(folder / SHEETS)}, and the column decision of labels.csv",
        ]
    )

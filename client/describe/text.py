"""A description in words, for a terminal or a file."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

LEAST_WIDTH = 100
"""Letters; a file, or a narrow terminal, gets lines of these."""


def print_description(facts: dict[str, Any]) -> None:
    """`facts` as `description` gives them."""
    console = Console(highlight=False, markup=False, soft_wrap=False)
    console.width = max(LEAST_WIDTH, console.width)
    console.print(f"{facts['pipeline']}, as in {facts['source']}\n")
    for title, rows in sections(facts):
        console.print(title)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print()


def sections(facts: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Title and rows of each part."""
    yield "A window", list(window_rows(facts["window"]))
    yield "A request, at most", [(name, f"{most:,}") for name, most in facts["limits"].items() if most is not None]
    for part in (facts["tiles"], facts["slide"]):
        yield (
            f"{part['model']}  {part['meaning']}",
            [row for side in ("inputs", "outputs") for row in [(side, ""), *map(tensor_row, part[side])]],
        )
    yield "Coordinates and rows", [("coordinates", facts["coordinates"]), ("rows", facts["rows"])]
    yield "On the wire", list(facts["wire"].items())
    yield "Errors", [(each["codes"].replace(", ", "\n"), f"{each['means']} {each['do']}") for each in facts["errors"]]
    yield "Health", list(facts["health"].items())
    yield "Models", [(each["name"], f"version {each['version']}") for each in facts["models"]]
    yield "Parameters", sorted(facts["parameters"].items())


def window_rows(window: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Its size, in every measure that is known."""
    side = f"{window['px']} x {window['px']} pixels of the network"
    margin = f"{window['margin_px']:g} pixels of the network"
    if window["mpp"] is None:
        yield "shows", f"any square of the slide; it becomes {side}"
        yield "margin", margin
        return
    length = window["um"]
    yield "shows", f"{length:g} x {length:g} µm: {side}, at {window['mpp']:g} µm/px"
    yield "margin", f"{window['margin_um']:g} µm on each side of the core: {margin}"
    examples = ", ".join(f"{length / mpp:g} at {mpp:g} µm" for mpp in (0.25, 0.5))
    yield "in pixels", f"{length:g} / MPP level-0 pixels on a side: {examples}"


def tensor_row(tensor: dict[str, Any]) -> tuple[str, str]:
    """Name, type and shape; then what it means."""
    shape = ", ".join(map(str, tensor["shape"]))
    parts = [f"{tensor['dtype']} [{shape}]"]
    if tensor["unit"]:
        parts.append(tensor["unit"])
    values = ", ".join(f"{number} {name}" for number, name in (tensor["values"] or {}).items())
    words = " ".join(filter(None, (tensor["meaning"], f"({values})" if values else "")))
    return f"  {tensor['name']}", f"{'; '.join(parts)}\n{words}".rstrip()

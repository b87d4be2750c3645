"""Options of `histoserve analyze` that only spread has: how a picture is prepared (CN113838558A [0048-0051])."""

import math
from typing import Annotated, Literal

import typer

from histoserve.client.errors import WrongUsage
from histoserve.client.grid import Rectangle
from histoserve.client.preparation import Preparation

AUTO: Literal["auto"] = "auto"

Crop = Annotated[
    str,
    typer.Option(
        metavar="auto|X,Y,W,H",
        help="spread: only this part, in px of the picture; auto: a window of the training samples' size, where a "
        "coarse pass sees most lesion.",
    ),
]
Enlarge = Annotated[float, typer.Option(min=1, max=16, help="spread: enlarged so many times, so that lesions show.")]
Rotate = Annotated[float, typer.Option(metavar="DEGREES", help="spread: turned counter-clockwise before it is cut.")]
Regions = Annotated[int, typer.Option(min=0, help="spread: cut into so many equal squares; 0: of the usual size.")]


def options(*, crop: Crop = "", enlarge: Enlarge = 1.0, rotate: Rotate = 0.0, regions: Regions = 0) -> Preparation:
    """Raises WrongUsage for a part that is none, and numbers that are none."""
    if not (math.isfinite(enlarge) and math.isfinite(rotate)):
        raise WrongUsage(f"--enlarge {enlarge:g} --rotate {rotate:g}: give numbers, as in --enlarge 2 --rotate 30.")
    return Preparation(_part(crop), enlarge, rotate % 360, regions or None)


def _part(text: str) -> Rectangle | Literal["auto"] | None:
    text = text.strip()
    if not text or text == AUTO:
        return AUTO if text else None
    try:
        x, y, width, height = (int(each) for each in text.split(","))
    except ValueError:
        x = y = width = height = 0
    if min(x, y) < 0 or min(width, height) < 1:
        raise WrongUsage(f"--crop {text!r} is none: give x,y,width,height in whole px of the picture, or auto.")
    return x, y, width, height

"""Whether a picture can have been stained for a marker at all: of any other a plausible reading would come.

Eosin takes out green most. Neither haematoxylin's blue nor DAB's brown does, however strong or pale they are; both have
a colour, and lie on light glass.
"""

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.slide import RGB, Slide

TISSUE = 0.6
"""Optical density of the three channels together, from which on a pixel shows something."""
GREENEST = 1.25
"""A pixel is pink where green is so many times as dense as red and blue."""
MOST = 0.3
"""Of the tissue, that may be pink: real H&E has 0.6 and more, real IHC 0.02 at most."""


GREYEST = 1.15
"""A pixel is grey where no channel is so many times as dense as another."""
MOST_GREY = 0.9
"""Of the tissue: real IHC has 0.4 at most."""
DARKEST = 3.0
"""Median density of the three channels together: of real IHC it is under 1, of an inverted picture about 5."""

LOOKS, LOOK_PX = 5, 256
"""Places looked at, across and down, and the side of each in px of the coarsest level: as quick for any slide."""


class OtherStain(SlideError):
    """A slide that was not stained for a marker."""


def check_slide(slide: Slide) -> None:
    """Raises OtherStain as `check_stain`; SlideError where the slide cannot be read."""
    level = len(slide.downsamples) - 1
    side = max(1, round(LOOK_PX * slide.downsamples[level]))
    across, down = (np.linspace(0, max(0, length - side), LOOKS).astype(int) for length in slide.l0_size)
    seen = [slide.read((x, y, side, side), level) for y in down.tolist() for x in across.tolist()]
    check_stain(slide.name, np.vstack(seen))


def check_stain(name: str, picture: RGB) -> None:
    """Raises OtherStain for RGB (h, w, 3) of H&E, without colours, or on a dark ground."""
    density = densities(picture)
    tissue = density[density.sum(axis=1) > TISSUE]
    if np.median(density.sum(axis=1)) > DARKEST:
        raise OtherStain(
            f"{name} is dark where nothing is: inverted, or a picture of fluorescence. Give one of light through a "
            "slide that was stained with DAB."
        )
    if grey_share(tissue) > MOST_GREY:
        raise OtherStain(
            f"{name} has no colours, and blue from brown is what is read. Give the picture in the colours in which it "
            "was scanned."
        )
    share = pink_share(tissue)
    if share > MOST:
        raise OtherStain(
            f"{name} looks like H&E: {share:.0%} of its tissue is pink, and a slide stained for a marker is blue and "
            "brown. Give the slide that was stained with DAB."
        )


def densities(picture: RGB) -> NDArray[np.float32]:
    """Optical, of RGB (h, w, 3) → (h × w, 3)."""
    found: NDArray[np.float32] = -np.log((picture.reshape(-1, 3).astype(np.float32) + 1) / 256)
    return found


def pink_share(tissue: NDArray[np.float32]) -> float:
    """Of tissue's densities (n, 3); 0 where there is none."""
    red, green, blue = tissue.T
    return float((green > GREENEST * np.maximum(red, blue)).mean()) if len(tissue) else 0.0


def grey_share(tissue: NDArray[np.float32]) -> float:
    """The same of what has no colour."""
    return float((tissue.max(axis=1) < GREYEST * tissue.min(axis=1)).mean()) if len(tissue) else 0.0

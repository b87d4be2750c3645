"""Whether a picture can have been stained for a marker at all: H&E given by mistake would read as wholly negative.

Eosin takes out green most. Neither haematoxylin's blue nor DAB's brown does, however strong or pale they are.
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


LOOKS, LOOK_PX = 5, 256
"""Places looked at, across and down, and the side of each in px of the coarsest level: as quick for any slide."""


class OtherStain(SlideError):
    """A slide that was not stained for a marker."""


def check_slide(slide: Slide) -> None:
    """Raises OtherStain for H&E; SlideError where the slide cannot be read."""
    level = len(slide.downsamples) - 1
    side = max(1, round(LOOK_PX * slide.downsamples[level]))
    across, down = (np.linspace(0, max(0, length - side), LOOKS).astype(int) for length in slide.l0_size)
    seen = [slide.read((x, y, side, side), level) for y in down.tolist() for x in across.tolist()]
    check_stain(slide.name, np.vstack(seen))


def check_stain(name: str, picture: RGB) -> None:
    """Raises OtherStain for RGB (h, w, 3) of H&E."""
    share = pink_share(picture)
    if share > MOST:
        raise OtherStain(
            f"{name} looks like H&E: {share:.0%} of its tissue is pink, and a slide stained for a marker is blue and "
            "brown. Give the slide that was stained with DAB."
        )


def pink_share(picture: RGB) -> float:
    """Of the tissue in RGB (h, w, 3); 0 where there is none."""
    density: NDArray[np.float32] = -np.log((picture.reshape(-1, 3).astype(np.float32) + 1) / 256)
    density = density[density.sum(axis=1) > TISSUE]
    if not len(density):
        return 0.0
    red, green, blue = density.T
    return float((green > GREENEST * np.maximum(red, blue)).mean())

"""Colours that people with any colour vision tell apart."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from histoserve.client.results.palette import PALETTE, colour_of, colours_of

SEEN_BY = {
    "all colours": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""On linear RGB (Machado et al. 2009, severity 1)."""
TISSUE = ((244, 244, 244), (235, 200, 220), (215, 120, 165), (160, 110, 170), (85, 55, 120), (170, 205, 205))
"""Glass, pale and strong eosin, cytoplasm, nucleus, a Papanicolaou cell."""


def lab(colours: tuple, seen_by: str) -> np.ndarray:
    share = np.array(colours) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.array(SEEN_BY[seen_by]).T).clip(0, 1)
    return rgb2lab(np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_the_first_six_classes_are_told_apart(seen_by: str) -> None:
    seen = lab(PALETTE[:6], seen_by)
    apart = deltaE_ciede2000(seen[:, None], seen[None])

    assert apart[~np.eye(6, dtype=bool)].min() > 11


def test_classes_stand_out_from_tissue() -> None:
    apart = deltaE_ciede2000(lab(PALETTE, "all colours")[:, None], lab(TISSUE, "all colours")[None])

    assert apart.min() > 20
    assert len(set(PALETTE)) == len(PALETTE)
    assert colour_of(len(PALETTE)) == PALETTE[0]


@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_a_higher_value_is_lighter(seen_by: str) -> None:
    scale = colours_of(np.linspace(2, 4, 20), (2, 4))

    assert (np.diff(lab(tuple(map(tuple, scale.tolist())), seen_by)[:, 0]) > 0).all()

"""`histoserve register`: from two files to `registration.json` and `checkerboard.png`."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from histoserve.client.errors import HistoserveError
from histoserve.client.registration.checks import unmatched
from histoserve.client.registration.movement import Movement, movement_of
from histoserve.client.registration.patches import agrees
from histoserve.client.registration.register import NotRegistered, Outcome, Scaled, register
from histoserve.client.registration.registration import Patch, Registration, Section
from histoserve.client.registration.stain import EOSIN
from histoserve.client.registration.view import tissue_box_um
from histoserve.client.registration.written import LAST, checkerboard, require_own, write
from histoserve.client.resolution import Resolution, resolve
from histoserve.client.results.source import source_of
from histoserve.client.slide import Slide, open_slide

REACH_SIDES = 1.5
"""Sides of a patch from its middle to where it tells nothing any more."""

UNMATCHED = 0.1
"""Share of the H&E's tissue without any of the IHC's, from which on it is told."""


def register_files(
    he: Path,
    ihc: Path,
    out: Path,
    mpp: float | None = None,
    mpp_ihc: float | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> tuple[Registration, list[str]]:
    """Writes both files into `out`; gives the registration, and what is to be told of it, a sentence each.

    `mpp`, `mpp_ihc`: µm per px of the H&E and the IHC where the files do not say. Raises HistoserveError.
    """
    contents = [source_of(each).content for each in (he, ihc)]
    if contents[0] == contents[1]:
        raise NotRegistered(f"{he.name} and {ihc.name} are the same slide. Give the H&E, then the IHC.")
    with open_slide(he) as he_slide, open_slide(ihc) as ihc_slide:
        scales = _resolved(he_slide, mpp, "--mpp"), _resolved(ihc_slide, mpp_ihc, "--mpp-ihc")
        sections = [
            Section(slide.name, slide.l0_size, scale.mpp, content)
            for slide, scale, content in zip((he_slide, ihc_slide), scales, contents, strict=True)
        ]
        require_own(out, *sections)
        found = register(Scaled(he_slide, scales[0].mpp), Scaled(ihc_slide, scales[1].mpp), progress)
        warnings = [*he_slide.warnings, *ihc_slide.warnings, *(each.warning for each in scales if each.warning)]
    registration = _registration(sections[0], sections[1], found)
    movement = movement_of(found.laid.matrix, _centre(found))
    warnings += _remarks(found, movement)
    write(out, registration, _more(found, movement, scales, warnings), checkerboard(found.laid))
    return registration, [_said(found, movement), *warnings, f"{out / LAST}"]


def _resolved(slide: Slide, given: float | None, option: str) -> Resolution:
    try:
        return resolve(slide.name, given, slide.stated_mpp, slide.objective_power)
    except HistoserveError as error:
        raise type(error)(str(error).replace("--mpp", option)) from error


def _registration(he: Section, ihc: Section, found: Outcome) -> Registration:
    side = found.laid.patch_side_um
    patches = tuple(
        Patch((each.he_um[0] / he.mpp, each.he_um[1] / he.mpp), each.shift_um) for each in found.laid.patches
    )
    return Registration(he, ihc, found.matrix, patches, REACH_SIDES * side)


def _centre(found: Outcome) -> tuple[float, float]:
    x, y, width, height = tissue_box_um(found.laid.he)
    return x + width / 2, y + height / 2


def _more(
    found: Outcome, movement: Movement, scales: tuple[Resolution, Resolution], warnings: list[str]
) -> dict[str, Any]:
    he_mpp = scales[0].mpp
    return {
        "matrix_um": found.laid.matrix.tolist(),
        "movement_um": asdict(movement),
        "centre_px": [each / he_mpp for each in movement.centre],
        "mpp_from": {"he": scales[0].source, "ihc": scales[1].source},
        "eosin_share": {"he": found.eosin[0], "ihc": found.eosin[1]},
        "mutual_information_bits": [each.information for each in found.laid.solutions],
        "checks": {each.name: {"value": each.value, "wanted": each.wanted} for each in found.checks},
        "warnings": warnings,
    }


def _remarks(found: Outcome, movement: Movement) -> list[str]:
    told = []
    if movement.mirrored:
        told.append(
            "The IHC lies mirrored to the H&E, section face down or by its scanner: the matrix mirrors it back."
        )
    share = unmatched(found.laid)
    if share >= UNMATCHED:
        told.append(f"{share:.0%} of the H&E's tissue has no counterpart on the IHC: nothing can be read there.")
    if found.eosin[0] < EOSIN:
        told.append("The slide given as H&E has hardly any eosin: it seems to be an IHC too.")
    return told


def _said(found: Outcome, movement: Movement) -> str:
    patches, side = found.laid.patches, found.laid.patch_side_um
    agreeing = [np.hypot(*each.shift_um) for each in patches if agrees(each, side)]
    mirrored = "mirrored, " if movement.mirrored else ""
    return (
        f"{mirrored}turned by {movement.rotation_degrees:.1f}°, scaled by {movement.scale:.3f}, stretched by "
        f"{movement.stretch:.3f}; {len(agreeing)} of {len(patches)} patches agree, within {np.median(agreeing):.0f} µm"
    )

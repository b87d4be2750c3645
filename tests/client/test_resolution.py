"""µm per pixel: who says so, and whether it can be."""

import math

import pytest

from histoserve.client.errors import SlideError, WrongUsage
from histoserve.client.resolution import Resolution, check_network, resolve


def test_the_option_wins_over_the_file() -> None:
    assert resolve("a.svs", 0.5, (0.25, 0.25), 40) == Resolution(0.5, "--mpp")


def test_the_file_is_believed_where_it_agrees_with_itself() -> None:
    assert resolve("a.svs", None, (0.25, 0.25), 40) == Resolution(0.25, "slide")
    assert resolve("a.svs", None, (0.25, 0.25), None) == Resolution(0.25, "slide")


def test_an_unknown_resolution_asks_for_the_option() -> None:
    with pytest.raises(SlideError, match=r"a\.svs .*--mpp"):
        resolve("a.svs", None, None, 40)


@pytest.mark.parametrize("mpp", [0.00499, 0.0499, 50.1, 352.8])
def test_an_implausible_file_is_refused(mpp: float) -> None:
    with pytest.raises(SlideError, match=r"implausible.*--mpp"):
        resolve("a.svs", None, (mpp, mpp), None)


@pytest.mark.parametrize("mpp", [0.0, -1.0, 0.01, 51.0, float("nan"), float("inf")])
def test_an_implausible_option_is_wrong_usage(mpp: float) -> None:
    with pytest.raises(WrongUsage, match="implausible"):
        resolve("a.svs", mpp, None, None)


@pytest.mark.parametrize(("mpp", "power"), [(0.25, 10), (1.01, 20), (0.12, 40), (2.5, 40), (0.234, 20), (0.121, 40)])
def test_an_objective_that_does_not_fit_is_a_warning_that_names_both(mpp: float, power: float) -> None:
    resolution = resolve("a.svs", None, (mpp, mpp), power)

    assert (resolution.mpp, resolution.source) == (mpp, "slide")
    assert f"{mpp:g} µm/px" in str(resolution.warning)
    assert f"{power:g}×" in str(resolution.warning)


@pytest.mark.parametrize(("mpp", "power"), [(0.5, 40), (0.125, 40), (0.23, 40), (1.0, 20)])
def test_cameras_may_differ_by_a_factor_of_two(mpp: float, power: float) -> None:
    assert resolve("a.svs", None, (mpp, mpp), power) == Resolution(mpp, "slide")


def test_oblong_pixels_are_refused() -> None:
    with pytest.raises(SlideError, match="square"):
        resolve("a.svs", None, (0.25, 0.5), None)


def test_a_slide_twice_as_coarse_as_the_network_is_accepted() -> None:
    check_network("a.svs", 0.55, 0.25)


def test_a_coarser_slide_is_refused_with_both_numbers() -> None:
    with pytest.raises(SlideError, match=r"28\.97 µm/px.* 0\.25 µm/px"):
        check_network("a.svs", 28.97, 0.25)


def test_where_a_scale_is_not_needed_an_unknown_or_implausible_one_is_nobodys() -> None:
    unknown = resolve("ct.dcm", None, None, None, needed=False)
    assert (unknown.source, unknown.known, unknown.warning) == ("nobody", False, None)
    assert math.isnan(unknown.mpp)
    ct = resolve("ct.tiff", None, (700, 700), None, needed=False)
    assert math.isnan(ct.mpp)
    assert ct.warning == "The file states 700 µm/px, which no microscope has: it was not used."
    assert resolve("he.tiff", None, (0.5, 0.5), None, needed=False) == Resolution(0.5, "slide")
    with pytest.raises(WrongUsage):
        resolve("ct.dcm", 700, None, None, needed=False)

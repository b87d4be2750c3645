"""How the served pipeline selects peaks: training and scoring select them alike."""

from histoserve.export.repository import INSTALLED, read_config


def selection() -> tuple[int, float]:
    """K and the threshold of the served selection, from its config: the head learns from the peaks it will see."""
    parameters = read_config(INSTALLED / "peakmap_select").parameters
    return int(parameters["k"].string_value), float(parameters["threshold"].string_value)

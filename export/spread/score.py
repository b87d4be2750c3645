"""Scores served directions, extents and values: what `histoserve analyze` wrote of phantom slides, against their truth.

Beside the network stand another one, its 13th layer alone, the mean haematoxylin, and the true shares themselves.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from typer import Option

from histoserve.export.options import Labelled, Results
from histoserve.export.result_files import named_results, result_folders
from histoserve.export.rooms import graphs_of
from histoserve.export.served_pictures import served_pictures
from histoserve.export.spread import network as network_module
from histoserve.export.spread.answers import as_served, by_values
from histoserve.export.spread.figures import Scored, figures, groups
from histoserve.export.spread.haematoxylin import as_shares, haematoxylin
from histoserve.export.spread.network import TILE_PX, SpreadNetwork, network_from_weights
from histoserve.export.spread.results import PIPELINE, Result, read_result
from histoserve.export.spread.truth import read_truth
from histoserve.export.spread.validation import values_of
from histoserve.export.weight_file import weights_from_file

NETWORK, LAYER, DYE, TRUTH = "network, as served", "its 13th layer alone", "mean haematoxylin", "true shares"
WIDTH = 150

Other = Annotated[
    list[str] | None,
    Option(metavar="NAME=RESULTS", help="Results of another network on the same slides; may be repeated."),
]
Weights = Annotated[Path | None, Option(help="The network's weights: its 13th layer alone is scored too.")]


def score(
    data: Labelled, results: Results, other: Other = None, weights: Weights = None
) -> dict[str, dict[str, float]]:
    """Prints the figures of `results/<slide>/spread/` against `data/<slide>.geojson`; returns those of all slides.

    The slides themselves lie in `data` too. Raises ValueError where there is no result, no truth of one, or no slide.
    """
    others = named_results(other, (NETWORK, LAYER, DYE, TRUTH))
    network = _network(weights) if weights else None
    scored, dyes = [], []
    for name, folder in track(result_folders(results, PIPELINE).items(), "scoring slides", transient=True):
        slide, dye = _scored(name, folder, data, others, network)
        scored.append(slide)
        dyes.append(dye)
    values = as_shares(dyes, [slide.shares for slide in scored])
    for slide, value, folder in zip(scored, values, result_folders(results, PIPELINE).values(), strict=True):
        slide.answers[DYE] = by_values(value, read_result(folder), slide.truth.mpp)
        slide.answers[TRUTH] = slide.true
    Console(width=WIDTH).print(table(scored))
    return {way: figures(scored, way) for way in scored[0].answers}


def table(slides: Sequence[Scored]) -> Table:
    """A line for each way of valuing the regions of each group of slides."""
    ways = list(slides[0].answers)
    made = Table(title="Direction, extent and values of spread against their truth")
    for column in ("slides", "", "by", *figures(slides, ways[0])):
        named = column in ("slides", "by")
        made.add_column(column, justify="left" if named else "right", no_wrap=named)
    for name, group in groups(slides).items():
        for way in ways:
            first = way == ways[0]
            shown = ("" if np.isnan(each) else f"{each:.3f}" for each in figures(group, way).values())
            made.add_row(name if first else "", str(len(group)) if first else "", way, *shown)
        made.add_section()
    return made


def _scored(
    name: str, folder: Path, data: Path, others: dict[str, Path], network: SpreadNetwork | None
) -> tuple[Scored, NDArray[np.float64]]:
    """Also the haematoxylin of each region, (rows, columns)."""
    truth, result = read_truth(data / f"{name}.geojson"), read_result(folder)
    shares = truth.shares(result.l0_first, (result.value.shape[0], result.value.shape[1]))
    everywhere, first = truth.all_shares(result.l0_first)
    pictures = served_pictures(data / result.slide_name, result.content, result.regions, TILE_PX)
    answers = {NETWORK: as_served(result)}
    for way, other in others.items():
        answers[way] = as_served(read_result(other / name / PIPELINE))
    if network is not None:
        layer = values_of(network, pictures)[1][:, -1] if len(pictures) else np.empty(0)
        answers[LAYER] = by_values(_on_raster(layer, result), result, truth.mpp)
    # Lesion where nothing was analysed was missed.
    true = by_values(everywhere, result, truth.mpp, first)
    slide = Scored(truth, result.l0_first[2] * truth.mpp, shares, replace(true, value=shares), answers)
    return slide, _on_raster(haematoxylin(pictures), result)


def _on_raster(values: NDArray[np.float64], result: Result) -> NDArray[np.float64]:
    raster = np.full(result.value.shape, np.nan)
    raster[result.served] = values
    return raster


def _network(weights: Path) -> SpreadNetwork:
    graphs_of(network_module, PIPELINE, weights)
    return network_from_weights(weights_from_file(weights)).eval()

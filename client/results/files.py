"""The files that layers become.

`<pipeline>.geojson`, `<pipeline>.parquet` where it can be written, `layers.json`, `overview.png`, a contact sheet for
cards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from histoserve.client.results.geojson import write_geojson
from histoserve.client.results.layers import Cards, Layer, Shapes
from histoserve.client.results.layers_json import LAYERS, Background, write_layers
from histoserve.client.results.parquet import can_write, write_parquet
from histoserve.client.results.pictures.contact_sheet import write_contact_sheet
from histoserve.client.results.pictures.cutting import cut
from histoserve.client.results.pictures.legend import Titles
from histoserve.client.results.pictures.overview import Seen, write_overview
from histoserve.client.slide import Slide


@dataclass(frozen=True)
class Findings:
    """What an analysis found."""

    pipeline: str
    words: str
    """The result in a few words."""
    layers: Sequence[Layer]


def write_files(path: Callable[[str], Path], slide: Slide, seen: Seen, findings: Findings) -> None:
    """Each where `path` of its name says; raises OSError if one cannot be written."""
    of = f"{findings.pipeline}/{slide.name}"
    titles = Titles(slide.name, findings.pipeline, findings.words)
    geojson = path(f"{findings.pipeline}.geojson")
    written = write_geojson(geojson, of, findings.layers, slide.viewer_origin)
    if any(isinstance(layer, Shapes) for layer in findings.layers) and can_write():
        about = {"pipeline": findings.pipeline, "slide": slide.name}
        write_parquet(path(f"{findings.pipeline}.parquet"), about, findings.layers, geojson, written)
    part = write_overview(path("overview.png"), seen, titles, findings.layers)
    write_layers(
        path(LAYERS), findings.words, findings.layers, written.features, Background(part, seen.seen, seen.not_seen)
    )
    for layer in findings.layers:
        if isinstance(layer, Cards):
            write_contact_sheet(path(f"{layer.name}.png"), partial(cut, slide), seen.mpp, titles, layer)

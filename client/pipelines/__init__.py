"""What the client does with the rows of a pipeline: one file each, which is all that a further pipeline needs here.

A file `<pipeline>.py` has a class `Rows` that fits `PipelineRows`. If it fits `Placed` too, pictures may be prepared
for it; `NEEDS_SCALE = False` in it says that it takes slides whose µm per pixel nobody knows, `LOOKS_BACK = True` that
its `more_inputs` depend on the rows so far.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.errors import WrongUsage
from histoserve.client.frame import Frame
from histoserve.client.grid import PlannedTile
from histoserve.client.results.layers import Layer
from histoserve.client.wire import Arrays, Outputs


class PipelineRows(Protocol):
    """The rows of one slide, from the first tile to the result files."""

    BYTES_PER_MM2: ClassVar[int]
    """Of the result files, at most, pictures aside: so much room is wanted before the work begins."""

    RESULT: ClassVar[dict[str, Any]]
    """JSON Schema of `result`."""

    def __init__(self, contract: Contract, slide_mpp: float):
        """For a slide of `slide_mpp` µm/px, NaN where that is not known."""

    def more_inputs(self, tiles: Sequence[PlannedTile]) -> Arrays:
        """Of `<pipeline>_tiles`, beside those that every pipeline takes; called by several threads, also while `take`
        is under way.

        They may depend on the rows so far in a way that does not change the result.
        """

    def take(self, tiles: Sequence[PlannedTile], outputs: Outputs) -> None:
        """Keeps the rows of one request; raises ServerError for rows that contradict themselves."""

    def finish(self, infer: Callable[[str, Arrays], Outputs]) -> None:
        """Makes the rows so far, in whatever order they came, the result, by `<pipeline>_slide`; more may come."""

    def result(self, tissue_mm2: float) -> dict[str, Any]:
        """The result in `result.json`; `tissue_mm2` is the tissue that was analysed."""

    def layers(self) -> Sequence[Layer]:
        """What the result shows, in an order that depends on the result alone."""

    @staticmethod
    def words(result: dict[str, Any]) -> str:
        """What `result` gave in a few words, for pictures and tables; that of a file read again too."""


@runtime_checkable
class Placed(Protocol):
    """Rows whose tiles may lie in a prepared picture."""

    def place(self, frame: Frame) -> None:
        """`result` and `layers` are in px of the original from now on, by the frame of the picture."""

    def values(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Regions (N, 4) of the rows so far, by tile, and of each how much it shows of what is looked for, (N,)."""


def looks_back(pipeline: str) -> bool:
    """Whether what is asked depends on the rows so far, so that answers follow from earlier ones."""
    return bool(getattr(rows_of(pipeline), "LOOKS_BACK", False))


def needs_scale(pipeline: str) -> bool:
    """Whether it needs a slide's µm per pixel."""
    return bool(getattr(rows_of(pipeline), "NEEDS_SCALE", True))


def names() -> list[str]:
    """Of the pipelines that the client knows."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def rows_of(pipeline: str) -> type[PipelineRows]:
    """Raises WrongUsage for a pipeline that the client does not know."""
    known = names()
    if pipeline not in known:
        raise WrongUsage(f"--pipeline {pipeline!r} is unknown; this client knows {', '.join(known)}.")
    module = importlib.import_module(f"{__name__}.{pipeline}")
    rows: type[PipelineRows] = module.Rows
    return rows

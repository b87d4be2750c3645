"""The nuclei pipeline with its network replaced by a stage that waits as a GPU would, and takes no processor meanwhile.

    nuclei_decode ──▶ nuclei_network: wait, then call nuclei what is dark ──▶ nuclei_watershed

All else is as shipped. Of several replicas on one machine each has a GPU of its own then.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
from google.protobuf import text_format
from numpy.typing import NDArray
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.deploy.local.serve import installed_repository
from histoserve.ensemble.identity import column
from histoserve.ensemble.parameters import Range
from histoserve.ensemble.stage import bind

MODELS = ["nuclei_tiles", "nuclei_slide"]
DARK, TYPE = 110, 1
STAGE = """
from histoserve.benchmark.waiting import TritonPythonModel
"""


def wait(
    image: NDArray[np.uint8],
    *,
    ms_a_tile: Annotated[float, Range(0, 60_000)],
    dark: Annotated[int, Range(0, 255)] = DARK,
    identity: int = 0,
) -> dict[str, NDArray]:
    """`image` uint8 (N, H, W, 3) → MAPS as the network's: foreground where green is under `dark`; NETWORK (N, 1)."""
    time.sleep(len(image) * ms_a_tile / 1000)
    maps = np.zeros_like(image)
    maps[..., 0] = np.where(image[..., 1] < dark, 255, 0)
    maps[..., 2] = TYPE
    return {"MAPS": maps, "NETWORK": column(identity, len(image))}


TritonPythonModel = bind(wait)


def waiting_repository(folder: Path, ms_a_tile: float, dark: int = DARK, batch: int | None = None) -> Path:
    """A repository in the new `folder`; another `dark` makes it another network, by its NETWORK too.

    `batch`: tiles that the network takes at a time; as shipped without it.
    """
    folder.mkdir(parents=True)
    for model in installed_repository().glob("nuclei_*"):
        (folder / model.name).symlink_to(model)
    network = folder / "nuclei_network"
    shipped = network.resolve()
    network.unlink()
    (network / "1").mkdir(parents=True)
    (network / "1" / "model.py").write_text(STAGE)
    config = text_format.Parse((shipped / "config.pbtxt").read_text(), ModelConfig())
    config.backend = "python"
    for name, value in (("ms_a_tile", ms_a_tile), ("dark", dark)):
        config.parameters[name].string_value = str(value)
    config.max_batch_size = batch or config.max_batch_size
    # One GPU does one batch at a time.
    del config.instance_group[:]
    config.instance_group.add(count=1, kind="KIND_CPU")
    (network / "config.pbtxt").write_text(text_format.MessageToString(config))
    return folder

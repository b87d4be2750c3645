"""HoVer-Net from a made-up checkpoint through a real Triton: it takes dark pixels for nuclei, and rows say where."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from histoserve.deploy.local.triton import LocalTriton
from histoserve.export.graph import onnx_from_module
from histoserve.export.nuclei.from_hovernet import TILE_PX, WHOLE_PX, HoverNetMaps
from histoserve.export.nuclei.hovernet import MODES, HoverNet
from histoserve.export.repository import write_networks
from histoserve.export.rooms import graphs_of, importer

REPOSITORY = Path(__file__).parents[1] / "model_repository"
TYPE = 2
"""Of all nuclei."""
SIDE, RADIUS = (400, 220), 9
CENTRES = [(15, 40), (120, 100), (200, 60), (230, 150), (310, 190), (385, 25)]
"""px of the picture: near its border, in the middle of a core, and on the seam of two, 310 px from the left."""


def seeing_dark(mode: str) -> dict[str, Tensor]:
    """Parameters that lead one channel, how dark a pixel is, past all else to the logits."""
    network = HoverNet(MODES[mode], 5)
    state = {name: torch.zeros_like(each) for name, each in network.state_dict().items()}
    for name in state:
        if name.endswith(("bn.weight", "running_var", "unpool_mat")):
            state[name] = torch.ones_like(state[name])
    middle = MODES[mode].kernel // 2
    state["conv0./.weight"][0, :, 3, 3] = -1 / 3
    state["conv0.bn.bias"][0] = 1
    state["d0.shortcut.weight"][0, 0] = 1
    for head in ("np", "hv", "tp"):
        state[f"decoder.{head}.u1.conva.weight"][0, 0, middle, middle] = 1
    # Darker than half: above 0.
    state["decoder.np.u0.conv.weight"][1, 0] = 40
    state["decoder.np.u0.conv.bias"][1] = -20
    state["decoder.tp.u0.conv.bias"][TYPE] = 1
    return state


def picture() -> np.ndarray:
    """Dark discs on pink, RGB; grainy, since what is all of one colour is no tissue."""
    width, height = SIDE
    grain = np.random.default_rng(0).integers(-12, 13, (height, width, 1))
    image = (np.full((height, width, 3), (225, 175, 205)) + grain).astype(np.uint8)
    for centre in CENTRES:
        cv2.circle(image, centre, RADIUS, (60, 30, 90), -1)
    return image


@pytest.mark.parametrize("mode", MODES)
def test_what_a_checkpoint_sees_lies_where_it_saw_it(mode: str) -> None:
    network = HoverNet(MODES[mode], 5).eval()
    network.load_state_dict(seeing_dark(mode))
    side = {"original": 264, "fast": 260}[mode]
    tile = np.full((side, side, 3), 220, np.uint8)
    centre = (side // 2 + 5, side // 2 - 8)
    cv2.circle(tile, centre, RADIUS, (40, 40, 40), -1)

    with torch.no_grad():
        maps = HoverNetMaps(network)(torch.from_numpy(tile)[None])[0].numpy()

    rows, columns = np.nonzero(maps[..., 0] >= 128)
    assert (columns.mean(), rows.mean()) == pytest.approx(centre, abs=0.01)
    assert len(rows) == (tile[..., 0] == 40).sum()
    assert set(maps[rows, columns, 2].tolist()) == {TYPE}


@pytest.fixture(scope="module")
def hovernet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    folder = tmp_path_factory.mktemp("hovernet")
    torch.save({"desc": {f"module.{name}": each for name, each in seeing_dark("fast").items()}}, folder / "net.tar")
    repository = folder / "repository"
    for model in REPOSITORY.glob("nuclei_*"):
        shutil.copytree(model, repository / model.name)
    (served,) = graphs_of(importer("nuclei", "hovernet"), "nuclei", folder / "net.tar")
    graph = onnx_from_module(served)
    lost = MODES["fast"].lost_px // 2
    # As an export's refusals tell.
    for model, name, old, new in (
        ("decode", "tile_px", 512, TILE_PX["fast"]),
        ("watershed", "margin_px", 32, lost + WHOLE_PX),
    ):
        path = repository / f"nuclei_{model}" / "config.pbtxt"
        said = f'"{name}" value {{{{ string_value: "{{}}"'
        path.write_text(path.read_text().replace(said.format(old), said.format(new)))
    write_networks(repository, [(served, graph)])
    with LocalTriton(repository, models=["nuclei_tiles", "nuclei_slide"], state=folder / "state") as triton:
        yield triton


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_checkpoint_goes_in_and_rows_come_out(
    hovernet: LocalTriton, histoserve: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "discs.png"), picture()[..., ::-1])
    order = ("analyze", tmp_path / "discs.png", "--mpp", 0.25, "--pipeline", "nuclei", "-o", tmp_path / "out")

    code, told = histoserve(*order, "--server", hovernet.grpc, "--batch", 1, "--in-flight", 1)

    assert code == 0, told
    folder = tmp_path / "out" / "discs" / "nuclei"
    features = json.loads((folder / "nuclei.geojson").read_bytes())["features"]
    found = sorted(tuple(np.mean(each["geometry"]["coordinates"][0][:-1], axis=0)) for each in features)
    np.testing.assert_allclose(found, sorted(CENTRES), atol=1.5)
    assert {each["properties"]["classification"]["name"] for each in features} == {"inflammatory"}
    assert json.loads((folder / "result.json").read_bytes())["tiles"]["planned"] == 2

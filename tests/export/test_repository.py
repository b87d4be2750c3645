import shutil
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from histoserve.export.graph import ServedGraph
from histoserve.export.repository import GraphDoesNotFit, read_config, write_networks
from histoserve.export.stamp import remove_stamp, stamp

SHIPPED = Path(__file__).parents[2] / "model_repository"


def graph(name: str = "MAPS", channels: int = 3, kind: int = TensorProto.UINT8) -> onnx.ModelProto:
    shape = ["N", "H", "W", channels]
    nodes = [helper.make_node("Cast", ["IMAGE"], [name], to=kind)]
    inputs = [helper.make_tensor_value_info("IMAGE", TensorProto.UINT8, shape)]
    outputs = [helper.make_tensor_value_info(name, kind, shape)]
    return stamp(helper.make_model(helper.make_graph(nodes, "g", inputs, outputs)))


SERVED = ServedGraph("nuclei_network", None, (), ("IMAGE",), ("MAPS",), {}, {"mpp": "0.5"})  # type: ignore[arg-type]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "repository"))


def test_tensors_come_from_the_graph_and_deployment_settings_stay(repository: Path) -> None:
    path = repository / "nuclei_network" / "config.pbtxt"
    path.write_text(path.read_text().replace("max_batch_size: 16", "max_batch_size: 4"))
    write_networks(repository, [(SERVED, graph())])
    config = read_config(path.parent)
    assert config.max_batch_size == 4
    assert [(t.name, list(t.dims)) for t in config.input] == [("IMAGE", [-1, -1, 3])]
    assert config.parameters["mpp"].string_value == "0.5"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (graph(name="LOGITS"), "nuclei_network must have the output MAPS; it has LOGITS, NETWORK"),
        (graph(channels=4), r"nuclei_decode gives TYPE_UINT8 \[-1, -1, -1, 3\].*nuclei_network takes.*4\]"),
        (graph(kind=TensorProto.FLOAT), "nuclei_network gives TYPE_FP32.*nuclei_watershed takes TYPE_UINT8"),
    ],
    ids=["name", "channels", "type"],
)
def test_a_graph_that_does_not_fit_is_refused_and_leaves_the_old_one(
    repository: Path, bad: onnx.ModelProto, message: str
) -> None:
    before = (repository / "nuclei_network" / "1" / "model.onnx").read_bytes()
    with pytest.raises(GraphDoesNotFit, match=message):
        write_networks(repository, [(SERVED, bad)])
    assert (repository / "nuclei_network" / "1" / "model.onnx").read_bytes() == before


def test_a_graph_that_does_not_say_which_it_is_is_refused(repository: Path) -> None:
    unstamped = graph()
    remove_stamp(unstamped)
    with pytest.raises(GraphDoesNotFit, match="nuclei_network must have the output NETWORK; it has MAPS"):
        write_networks(repository, [(SERVED, unstamped)])

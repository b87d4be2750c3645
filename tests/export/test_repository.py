import shutil
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.export.config import GraphDoesNotFit, read_config
from histoserve.export.repository import changes, write_networks
from histoserve.export.served import ServedGraph
from histoserve.export.stamp import remove_stamp, stamp

SHIPPED = Path(__file__).parents[2] / "model_repository"


def graph(name: str = "MAPS", channels: int = 3, kind: int = TensorProto.UINT8) -> onnx.ModelProto:
    shape = ["N", "H", "W", channels]
    nodes = [helper.make_node("Cast", ["IMAGE"], [name], to=kind)]
    inputs = [helper.make_tensor_value_info("IMAGE", TensorProto.UINT8, shape)]
    outputs = [helper.make_tensor_value_info(name, kind, shape)]
    made = helper.make_graph(nodes, "g", inputs, outputs)
    return stamp(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))


SERVED = ServedGraph("nuclei_network", None, (), ("IMAGE",), ("MAPS",), {}, {"mpp": "0.5"})  # type: ignore[arg-type]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The shipped one, for a network of 0.5 µm/px."""
    repository = Path(shutil.copytree(SHIPPED, tmp_path / "repository"))
    decode = repository / "nuclei_decode" / "config.pbtxt"
    decode.write_text(decode.read_text().replace('"0.25"', '"0.5"'))
    return repository


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
        (graph(kind=TensorProto.BFLOAT16), "nuclei_network gives TYPE_BF16.*nuclei_watershed takes TYPE_UINT8"),
        (graph(kind=TensorProto.FLOAT8E5M2), "MAPS is FLOAT8E5M2, which no request"),
    ],
    ids=["name", "channels", "type", "short type", "odd type"],
)
def test_a_graph_that_does_not_fit_is_refused_and_leaves_the_old_one(
    repository: Path, bad: onnx.ModelProto, message: str
) -> None:
    before = (repository / "nuclei_network" / "1" / "model.onnx").read_bytes()
    with pytest.raises(GraphDoesNotFit, match=message):
        write_networks(repository, [(SERVED, bad)])
    assert (repository / "nuclei_network" / "1" / "model.onnx").read_bytes() == before


def edited(repository: Path, text: str, without: str = 'backend: "onnxruntime"') -> Path:
    """The network's model, whose config says `text` instead of the backend."""
    path = repository / "nuclei_network" / "config.pbtxt"
    assert without in path.read_text()
    path.write_text(path.read_text().replace(without, text))
    return path.parent


def test_parameters_of_the_deployment_stay_and_those_of_the_graph_are_replaced(repository: Path) -> None:
    threads = 'parameters { key: "intra_op_thread_count" value { string_value: "3" } } backend: "onnxruntime"'
    model = edited(repository, threads)
    before = read_config(model).parameters["graph_sha256"].string_value
    write_networks(repository, [(SERVED, graph())])
    after = {key: value.string_value for key, value in read_config(model).parameters.items()}
    assert after["intra_op_thread_count"] == "3"
    assert after["mpp"] == "0.5"
    assert after["graph_sha256"] != before


TENSORRT = """
platform: "tensorrt_plan"
default_model_filename: "model.plan"
optimization { priority: PRIORITY_MAX cuda { graphs: true } }
instance_group { count: 2 kind: KIND_GPU profile: "1" }
"""


def test_a_config_of_tensorrt_becomes_one_of_onnx_and_says_what_went(repository: Path) -> None:
    model = edited(repository, TENSORRT)
    (change,) = changes(repository, [(SERVED, graph())])
    assert change.dropped == [
        'platform: "tensorrt_plan"',
        'default_model_filename: "model.plan"',
        "instance_group profile: 1",
        "optimization cuda",
    ]
    write_networks(repository, [(SERVED, graph())])
    config = read_config(model)
    assert (config.platform, config.backend, config.default_model_filename) == ("", "onnxruntime", "")
    assert (config.instance_group[-1].count, list(config.instance_group[-1].profile)) == (2, [])
    assert config.optimization.priority == ModelConfig(optimization={"priority": 1}).optimization.priority


def test_accelerators_and_cuda_graphs_of_an_onnx_config_stay(repository: Path) -> None:
    gpu = 'execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } }'
    model = edited(repository, f'optimization {{ {gpu} cuda {{ graphs: true }} }} platform: "onnxruntime_onnx"')
    before = read_config(model).optimization
    write_networks(repository, [(SERVED, graph())])
    assert read_config(model).optimization == before


@pytest.mark.parametrize(
    ("folder", "policy", "message"),
    [
        ("3", "", "also holds version 3, and a server takes the latest"),
        ("1", "version_policy { specific { versions: 2 } }", "its version_policy leaves out version 1"),
        ("2", "version_policy { latest { num_versions: 1 } }", "takes the latest, and it also holds version 2"),
    ],
)
def test_an_export_that_nobody_would_serve_is_refused(repository: Path, folder: str, policy: str, message: str) -> None:
    model = edited(repository, f'{policy} backend: "onnxruntime"')
    (model / folder).mkdir(exist_ok=True)
    with pytest.raises(GraphDoesNotFit, match=message):
        write_networks(repository, [(SERVED, graph())])


def test_a_network_of_another_scale_than_its_decoder_compares_windows_with_is_refused(repository: Path) -> None:
    decode = repository / "nuclei_decode" / "config.pbtxt"
    decode.write_text(decode.read_text().replace('"0.5"', '"0.25"'))
    with pytest.raises(GraphDoesNotFit, match=r"mpp: .* 0\.25 by nuclei_decode; 0\.5 by nuclei_network: correct"):
        write_networks(repository, [(SERVED, graph())])


def test_a_graph_is_also_served_without_batches(repository: Path) -> None:
    model = edited(repository, "max_batch_size: 0", "max_batch_size: 16")
    write_networks(repository, [(SERVED, graph())])
    assert [list(tensor.dims) for tensor in read_config(model).input] == [[-1, -1, -1, 3]]


def test_a_config_that_is_none_is_told_by_its_path(repository: Path) -> None:
    edited(repository, "backend: onnxruntime !")
    with pytest.raises(ValueError, match=r"nuclei_network/config\.pbtxt is no config of Triton's: \d"):
        write_networks(repository, [(SERVED, graph())])


def test_a_graph_that_does_not_say_which_it_is_is_refused(repository: Path) -> None:
    unstamped = graph()
    remove_stamp(unstamped)
    with pytest.raises(GraphDoesNotFit, match="nuclei_network must have the output NETWORK; it has MAPS"):
        write_networks(repository, [(SERVED, unstamped)])

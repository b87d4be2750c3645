"""NETWORK of a graph: the same for the same bytes, another for others, one for each row."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from histoserve.export.stamp import CONSTANT, main, stamp


def graph(factor: float = 2, output: str = "MAPS") -> onnx.ModelProto:
    node = helper.make_node("Mul", ["IMAGE", "factor"], [output])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in ("IMAGE", output)]
    made = helper.make_graph([node], "g", ends[:1], ends[1:], [numpy_helper.from_array(np.float32(factor), "factor")])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def answer(made: onnx.ModelProto, rows: int = 1) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(made.SerializeToString())
    return session.run(["MAPS", "NETWORK"], {"IMAGE": np.ones((rows, 3), np.float32)})


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_every_row_has_the_number_and_the_rest_is_as_it_was(rows: int) -> None:
    maps, network = answer(stamp(graph()), rows)
    assert (network.dtype, network.shape) == (np.int32, (rows, 1))
    assert (network > 0).all()
    np.testing.assert_array_equal(maps, np.full((rows, 3), 2, np.float32))


def test_it_follows_from_the_bytes_of_the_graph() -> None:
    one, again, other = (int(answer(stamp(graph(factor)))[1][0, 0]) for factor in (2, 2, 3))
    assert one == again != other
    metadata = graph()
    metadata.metadata_props.add(key="types", value="a,b")
    assert int(answer(stamp(metadata))[1][0, 0]) != one


def test_the_command_stamps_a_file_once_however_often_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graph().SerializeToString())
    main(path)
    first = path.read_bytes()
    main(path)
    assert path.read_bytes() == first
    assert [each.name for each in onnx.load(path).graph.initializer].count(CONSTANT) == 1


def test_a_network_of_its_own_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="output NETWORK that is not this command's"):
        stamp(graph(output="NETWORK"))

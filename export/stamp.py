"""Gives a graph the output `NETWORK`, which tells which graph answered: `python -m histoserve.export.stamp model.onnx`.

    before    IMAGE (N, …) ──▶ network ──▶ MAPS (N, …)
    after     IMAGE (N, …) ──▶ network ──▶ MAPS (N, …)
                 ╰──▶ N ──▶ the graph's own number, N times ──▶ NETWORK int32 (N, 1)

`histoserve export` does this to the networks of a pipeline's tiles. A graph from elsewhere is stamped by the command,
in place; again after every change of it, or rows of both states could be mixed.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from histoserve.ensemble.identity import number

OUTPUT = "NETWORK"
CONSTANT, PREFIX = "network_identity", "network_identity/"


def stamp(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Adds the output in place, or puts a new number into it; 31 bits of the sha256 of the graph with a 0 in its place.

    The first axis of the first input must be the batch. Raises ValueError for a graph that makes a NETWORK of its own.
    """
    remove_stamp(graph)
    of = graph.graph
    if OUTPUT in {tensor.name for tensor in of.output}:
        raise ValueError(f"the graph has an output {OUTPUT} that is not this command's: rename it")
    constants = {"one": np.array([1]), "start": np.array([0]), "end": np.array([1])}
    of.initializer.extend(numpy_helper.from_array(value, PREFIX + name) for name, value in constants.items())
    of.initializer.append(numpy_helper.from_array(np.zeros((1, 1), np.int32), CONSTANT))
    names = {name: PREFIX + name for name in ("shape", "batch", "size", *constants)}
    of.node.extend(
        [
            helper.make_node("Shape", [of.input[0].name], [names["shape"]], names["shape"]),
            helper.make_node("Slice", [names["shape"], names["start"], names["end"]], [names["batch"]], names["batch"]),
            helper.make_node("Concat", [names["batch"], names["one"]], [names["size"]], names["size"], axis=0),
            helper.make_node("Expand", [CONSTANT, names["size"]], [OUTPUT], PREFIX + OUTPUT),
        ]
    )
    of.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.INT32, ["N", 1]))
    identity = number(graph.SerializeToString(deterministic=True))
    of.initializer[-1].CopyFrom(numpy_helper.from_array(np.full((1, 1), identity, np.int32), CONSTANT))
    return graph


def remove_stamp(graph: onnx.ModelProto) -> None:
    of = graph.graph
    if not any(each.name == CONSTANT for each in of.initializer):
        return
    for parts in (of.initializer, of.node):
        for part in [part for part in parts if part.name == CONSTANT or part.name.startswith(PREFIX)]:
            parts.remove(part)
    for output in [output for output in of.output if output.name == OUTPUT]:
        of.output.remove(output)


def main(path: Path) -> None:
    """The file appears under its name only when it is complete."""
    graph = stamp(onnx.load(path))
    onnx.checker.check_model(graph)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(graph.SerializeToString())
    partial.replace(path)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))

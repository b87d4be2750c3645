"""A VGG16 from elsewhere computes here what it computed there, on our pictures."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn import functional

from histoserve.export.spread.network import POOLED, SpreadNetwork, SpreadRegions, channels_of, served
from histoserve.export.spread.weights import CAFFE_MEAN, Kernel, extractor_from_file
from histoserve.export.standardise import Standardise
from histoserve.export.weight_file import weights_from_file

CHANNELS = channels_of(1 / 16)


def kernels(channels: list[int] = CHANNELS) -> list[Kernel]:
    """Of a network that sees BGR in 0-255 less its mean."""
    random = np.random.default_rng(0)
    pairs = zip((3, *channels), channels, strict=False)
    made = [(random.normal(0, (2 / 9 / n) ** 0.5, (m, n, 3, 3)), random.normal(0, 0.1, m)) for n, m in pairs]
    return [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in made]


def picture() -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8))


def as_theirs(image: Tensor) -> Tensor:
    """uint8 RGB (N, H, W, 3) → BGR less the mean (N, 3, H, W)."""
    return (image.flip(3).float() - torch.tensor(CAFFE_MEAN)).permute(0, 3, 1, 2).contiguous()


def taps_by_hand(image: Tensor) -> list[Tensor]:
    x, found = as_theirs(image), []
    for number, (weight, bias) in enumerate(kernels(), start=1):
        x = functional.conv2d(x, torch.from_numpy(weight), torch.from_numpy(bias), padding=1).relu()
        found.append(x.mean((2, 3)))
        x = functional.max_pool2d(x, 2) if number in POOLED else x
    return found


def keras_3(path: Path, made: list[Kernel]) -> None:
    """Layers of a block are numbered from nothing, `conv2d`, `conv2d_1`, …; an optimiser holds the same shapes."""
    with h5py.File(path, "w") as file:
        number = iter(made)
        for block, count in enumerate((2, 2, 3, 3, 3), start=1):
            for layer in range(count):
                weight, bias = next(number)
                name = f"block{block}/layers/conv2d{f'_{layer}' if layer else ''}/vars"
                for part, value in (("0", weight.transpose(2, 3, 1, 0)), ("1", bias)):
                    file[f"{name}/{part}"] = value
                    file[f"optimizer/{name}/{part}"] = value
        file["dsn1/vars/0"], file["dsn1/vars/1"] = np.zeros((1, 1, 4, 1)), np.zeros(1)


def keras_in_one_row(path: Path, made: list[Kernel]) -> None:
    """`conv2d_2` comes before `conv2d_10`."""
    with h5py.File(path, "w") as file:
        for number, (weight, bias) in enumerate(made):
            name = f"model_weights/conv2d_{number}/conv2d_{number}"
            file[f"{name}/kernel:0"], file[f"{name}/bias:0"] = weight.transpose(2, 3, 1, 0), bias


def onnx_graph(path: Path, made: list[Kernel], producer: str = "tf2onnx") -> None:
    nodes, tensors, x = [], [], "input"
    for number, (weight, bias) in enumerate(made, start=1):
        for part, value in (("w", weight), ("b", bias)):
            tensors.append(numpy_helper.from_array(value, f"{part}{number}"))
        names = [x, f"w{number}", f"b{number}"]
        nodes.append(helper.make_node("Conv", names, [f"c{number}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        x = f"r{number}"
        if number in POOLED:
            nodes.append(helper.make_node("MaxPool", [x], [f"p{number}"], kernel_shape=[2, 2], strides=[2, 2]))
            x = f"p{number}"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["out"]))
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 64, 64])]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", made[-1][0].shape[0], 1, 1])]
    graph = helper.make_graph(nodes, "vgg", inputs, outputs, tensors)
    model = helper.make_model(graph, producer_name=producer, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)


def elsewhere(path: Path) -> None:
    """Kernels are in another file, which is not there."""
    onnx_graph(path, kernels())
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="gone.bin", size_threshold=0)
    path.with_name("gone.bin").unlink()


def taps_of(path: Path, image: Tensor) -> list[Tensor]:
    network = SpreadNetwork(CHANNELS)
    network.load_state_dict(extractor_from_file(path), strict=False)
    with torch.inference_mode():
        return network.taps(Standardise()(image))


@pytest.mark.parametrize(
    ("write", "name"), [(keras_3, "a.weights.h5"), (keras_in_one_row, "a.h5"), (onnx_graph, "a.onnx")]
)
def test_all_layers_compute_what_they_did(tmp_path: Path, write: Callable[..., None], name: str) -> None:
    write(tmp_path / name, kernels())

    torch.testing.assert_close(taps_of(tmp_path / name, picture()), taps_by_hand(picture()), rtol=1e-4, atol=1e-3)


def test_a_graph_gives_the_same_where_it_is_run(tmp_path: Path) -> None:
    onnx_graph(tmp_path / "a.onnx", kernels())
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])

    (theirs,) = session.run(None, {"input": as_theirs(picture()).numpy()})

    ours = taps_of(tmp_path / "a.onnx", picture())[-1]
    torch.testing.assert_close(ours, torch.from_numpy(theirs[:, :, 0, 0]), rtol=1e-4, atol=1e-3)


def test_torchvisions_file_and_our_own_are_taken_as_they_are(tmp_path: Path) -> None:
    network = SpreadNetwork(CHANNELS)
    network.beyond += 0.5
    state = network.state_dict()
    theirs = {name: each for name, each in state.items() if name.startswith("features")}
    torch.save(theirs | {"classifier.0.weight": torch.zeros(4, 4)}, tmp_path / "vgg16.pth")
    torch.save(state, tmp_path / "best.pt")

    assert extractor_from_file(tmp_path / "vgg16.pth").keys() == theirs.keys()
    own = extractor_from_file(tmp_path / "best.pt")
    assert own.keys() == {*theirs, "beyond"}
    assert all(torch.equal(each, state[name]) for name, each in own.items())


def test_convolutions_alone_are_not_served(tmp_path: Path) -> None:
    state = SpreadNetwork(CHANNELS).features.state_dict(prefix="features.")
    torch.save(state, tmp_path / "vgg16.pth")

    with pytest.raises(ValueError, match="without classifiers: train these"):
        served(weights_from_file(tmp_path / "vgg16.pth"))


@pytest.mark.parametrize(
    ("write", "name", "words"),
    [
        (lambda path: None, "a.pth", "no weights at .*a.pth"),
        (lambda path: path.write_bytes(b"words"), "a.pth", "no file of weights"),
        (lambda path: path.write_bytes(b""), "a.onnx", "holds 0 convolutions of 3×3"),
        (lambda path: path.write_bytes(b"words"), "a.onnx", "no ONNX graph"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\nwords"), "a.h5", "damaged HDF5"),
        (lambda path: torch.save({"conv1.weight": torch.zeros(2, 2)}, path), "a.pth", "features.0.weight is missing"),
        (lambda path: keras_in_one_row(path, kernels()[:12]), "a.h5", "holds 12 convolutions"),
        (lambda path: onnx_graph(path, kernels(), "pytorch"), "a.onnx", "written by PyTorch"),
        (lambda path: onnx_graph(path, kernels()[1:]), "a.onnx", "holds 12 convolutions"),
        (elsewhere, "a.onnx", "no ONNX graph, or a damaged one"),
        (lambda path: keras_in_one_row(path, [*kernels()[:12], kernels()[0]]), "a.h5", "convolution 13 is"),
        (lambda path: keras_in_one_row(path, [(w, b * np.nan) for w, b in kernels()]), "a.h5", "NaN or infinity"),
    ],
)
def test_a_file_of_something_else_is_told_in_a_line(
    tmp_path: Path, write: Callable[[Path], object], name: str, words: str
) -> None:
    write(tmp_path / name)

    with pytest.raises(ValueError, match=words) as told:
        extractor_from_file(tmp_path / name)
    assert "\n" not in str(told.value)


def test_the_served_values_are_finite_after_a_rewriting(tmp_path: Path) -> None:
    keras_3(tmp_path / "a.h5", kernels())
    network = SpreadNetwork(CHANNELS)
    network.load_state_dict(extractor_from_file(tmp_path / "a.h5"), strict=False)

    assert all(each.isfinite().all() for each in SpreadRegions(network.eval())(picture()))

"""The stages as the image and the chart have them: Python 3.12, `[stages]` alone, a root that nobody writes to.

The chart's pod gives its init container's command, its arguments, variables and volumes. Networks are run by the server
of the other tests.
"""

import ast
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from as_in_a_pod import arguments, pod, until_ready
from built_image import MODELS, TRITON, Image, built, why_not
from numpy.typing import NDArray
from read_only_root import volumes_of
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Arrays, Server
from histoserve.deploy.local.ports import ANY, LOOPBACK, chosen
from histoserve.deploy.local.triton import LocalTriton
from histoserve.export.config import read_config
from histoserve.phantom import write_phantom

pytest.importorskip("helm_python")
# Most of a minute is the compiler of the kernels, as in a build of the image; several where others compute too.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

REPOSITORY = Path(__file__).parents[2] / "model_repository"
PIPELINES = sorted(path.name.removesuffix("_tiles") for path in REPOSITORY.glob("*_tiles"))
PHANTOMS = {"ihc": "ihc", "peakmap": "cytology", "spread": "spread", "tissue": "lesion"}
"""What is drawn for a pipeline; H&E for one that is not named."""
TIMEOUT_S = 60.0
OF_OTHERS = ("onnxruntime", "pytriton", "torch", "scipy", "skimage", "onnx", "jinja2", "pytest")
"""Modules of other extras."""
WHAT_THERE_IS = f"""
import importlib.util, os, sys
print((sys.version_info[:2], os.getuid(), [each for each in {OF_OTHERS} if importlib.util.find_spec(each)]))
wrote = []
for place, *_ in os.walk("/"):
    if not place.startswith(("/proc", "/sys")):
        try:
            open(f"{{place}}/written", "w")
            wrote.append(place)
        except OSError as error:
            assert error.errno == 30, error
print(sorted(wrote))
"""
"""Errno 30: a read-only file system."""


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image as the chart's container of Triton gets it."""
    if why := why_not():
        pytest.skip(why)
    found, box = pod("cpu")
    variables = {each["name"]: each["value"] for each in box["env"] if "value" in each}
    return built(tmp_path_factory.mktemp("image")).container(volumes_of(found, box), variables)


@pytest.fixture(scope="module")
def alone(container: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the stages alone, as the chart starts it."""
    found, box = pod("cpu")
    ports, log = chosen(ANY), tmp_path_factory.mktemp("alone") / "log"
    # The image has a backend for the networks too, and the chart loads all that there is.
    told = arguments(box, ports, id="alone", model_repository=MODELS, model_control_mode="explicit")
    loaded = [f"--load-model={name}" for name in stages()]
    first = shlex.join(found["initContainers"][0]["command"])
    then = shlex.join(["exec", f"{TRITON}/bin/tritonserver", *told, *loaded])
    with log.open("w") as file:
        command = container.root.command("sh", "-ec", f"{first}\n{then}")
        running = subprocess.Popen(command, env=dict(container.variables), stdout=file, stderr=file)
    try:
        until_ready(running, ports["http"], REPOSITORY, log)
        yield Server(f"{LOOPBACK}:{ports['grpc']}")
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()


def stages(pipeline: str = "") -> list[str]:
    return sorted(path.parents[1].name for path in REPOSITORY.glob(f"{pipeline}*/1/model.py"))


def test_nothing_else_is_installed_and_nothing_can_be_written_but_the_volumes(container: Image) -> None:
    told, wrote = container.run("python3", "-I", "-c", WHAT_THERE_IS).splitlines()

    assert ast.literal_eval(told) == ((3, 12), 1000, [])
    assert ast.literal_eval(wrote) == ["/dev/shm", "/kernels", "/tmp"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_each_stage_answers_as_in_the_environment_of_the_tests(
    pipeline: str, alone: Server, server: LocalTriton, tmp_path: Path
) -> None:
    asked: list[str] = []
    given = request_of(pipeline, tmp_path / "slide.tiff")
    rows = compared(f"{pipeline}_tiles", given, Server(server.grpc), alone, asked)
    assert all(len(each) for each in rows.values())

    # The slide's stages take a core for each row.
    cores = {"CORE": given["CORE"][rows["TILE_INDEX"]]} if "TILE_INDEX" in rows else {}
    answer = compared(f"{pipeline}_slide", {**given, **rows, **cores}, Server(server.grpc), alone, asked)

    assert answer
    assert sorted(asked) == stages(f"{pipeline}_")


def request_of(pipeline: str, path: Path) -> dict[str, Any]:
    """Windows of a phantom side by side, overlapping where each has a core, put together from a PNG and a JPEG."""
    said = read_config(REPOSITORY / f"{pipeline}_decode").parameters
    px, mpp = int(said["tile_px"].string_value), float(said["mpp"].string_value if "mpp" in said else 1)
    cores = any(tensor.name == "CORE" for tensor in read_config(REPOSITORY / f"{pipeline}_tiles").input)
    across, step = (2, px // 2) if cores else (4, px)
    side = step * (across - 1) + px
    write_phantom(path, kind=PHANTOMS.get(pipeline, "he"), size=(side, side), mpp=mpp, seed=5, truth=None)
    pixels = cv2.imread(str(path))[..., ::-1]
    half = side // 2
    _, png = cv2.imencode(".png", pixels[:, :half, ::-1])
    corners = [(x * step, y * step) for y in range(across) for x in range(across)]
    return {
        "TILE": [png.tobytes(), encode(np.ascontiguousarray(pixels[:, half:]), Encoding("jpeg"))],
        "REGION": np.float32([(0, 0, half, side), (half, 0, side - half, side)]),
        "WINDOW": np.float32([(x, y, px, px) for x, y in corners]),
        "CORE": np.float32([(x + px / 4, y + px / 4, px / 2, px / 2) for x, y in corners]),
        "MPP": np.float32([mpp]),
        "FLOOR": np.full(3, -1, np.float32),
    }


def compared(model: str, given: Mapping[str, Any], here: Server, alone: Server, asked: list[str]) -> dict[str, NDArray]:
    """What `model` answers, step by step; each stage of Python is asked on both servers, and named in `asked`."""
    config, tensors = read_config(REPOSITORY / model), dict(given)
    for name, takes, makes in steps(config):
        arrays: Arrays = {tensor: tensors[each] for tensor, each in takes.items()}
        answer = here.infer(name, arrays, TIMEOUT_S)
        if name in stages():
            asked.append(name)
            assert bits(alone.infer(name, arrays, TIMEOUT_S)) == bits(answer), name
        tensors |= {each: answer[tensor] for tensor, each in makes.items()}
    return {tensor.name: tensors[tensor.name] for tensor in config.output}


def steps(config: ModelConfig) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Model, and its inputs' and outputs' names outside, of each step of an ensemble, or of a model that is one."""
    if config.ensemble_scheduling.step:
        return [(s.model_name, dict(s.input_map), dict(s.output_map)) for s in config.ensemble_scheduling.step]
    takes, makes = ({tensor.name: tensor.name for tensor in each} for each in (config.input, config.output))
    return [(config.name, takes, makes)]


def bits(answer: Mapping[str, NDArray]) -> dict[str, tuple[tuple[int, ...], str, bytes]]:
    return {name: (array.shape, array.dtype.str, array.tobytes()) for name, array in answer.items()}

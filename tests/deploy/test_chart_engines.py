"""The copy of the models with plans: replicas find it where the Job leaves it, and Triton takes its configs."""

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from as_in_a_pod import arguments, pod, served
from rendered_chart import DIGEST, merged, objects, values

from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Server
from histoserve.deploy.local.ports import ANY, LOOPBACK, chosen
from histoserve.export.accelerated import CACHE
from histoserve.export.around import padded_stages
from histoserve.export.config import read_config

pytest.importorskip("helm_python")

REPOSITORY = Path(__file__).parents[2] / "model_repository"
OTHER = f"sha256:{'1' * 64}"
ENGINES = {"enabled": True, "serve": True, "claim": "engines", "image": {"repository": "r.example/e", "digest": DIGEST}}
Spec = dict[str, Any]


def both(**more: Any) -> tuple[Spec, Spec]:
    """The Job's object and the replicas'."""
    rendered = objects(merged(values("tensorrt"), merged({"engines": ENGINES}, more)))
    [job] = [each for each in rendered.values() if each["kind"] == "Job"]
    return job, rendered["Deployment/h-triton"]


def place(each: Spec, option: str) -> tuple[str, str, bool] | None:
    """The claim, the folder on it that the option names, and whether it can only be read; None for no claim's."""
    spec = each["spec"]["template"]["spec"]
    [box] = spec["containers"]
    [path] = [argument.removeprefix(f"{option}=") for argument in box["args"] if argument.startswith(f"{option}=")]
    for mount in box["volumeMounts"]:
        sources = [volume for volume in spec["volumes"] if volume["name"] == mount["name"]]
        if path.startswith(f"{mount['mountPath']}/") and sources and "persistentVolumeClaim" in sources[0]:
            claim = sources[0]["persistentVolumeClaim"]["claimName"]
            return claim, path.removeprefix(mount["mountPath"]), mount.get("readOnly", False)
    return None


def test_replicas_read_what_the_job_writes_and_miss_it_where_the_volume_is_taken_away() -> None:
    job, replicas = both()
    claim, folder, read_only = place(job, "--out") or pytest.fail("the Job writes to no claim")
    assert (claim, read_only) == ("engines", False)
    assert place(replicas, "--model-repository") == (claim, folder, True)
    spec = replicas["spec"]["template"]["spec"]
    assert CACHE in {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    assert "--model-config-name=tensorrt" in spec["containers"][0]["args"]
    for holder, key in ((spec["containers"][0], "volumeMounts"), (spec, "volumes")):
        kept = holder[key]
        holder[key] = [each for each in kept if each["name"] != "engines"]
        assert place(replicas, "--model-repository") is None
        holder[key] = kept


def test_replicas_serve_their_models_as_before_until_they_are_told() -> None:
    waiting, before = both(engines={"serve": False}), objects(values("tensorrt"))["Deployment/h-triton"]

    assert waiting[0] == both()[0]
    assert waiting[1] == before
    assert place(waiting[1], "--model-repository") is None


@pytest.mark.parametrize(
    "other",
    [
        {"models": {"reference": f"r.example/m@{DIGEST}"}},
        {"engines": {"image": {"digest": OTHER}}},
        {"hardware": {"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-A10"}}},
    ],
)
def test_other_models_gpus_or_tensorrt_are_another_copy(other: dict[str, Any]) -> None:
    first, second = both(), both(**copy.deepcopy(other))

    assert place(first[0], "--out") != place(second[0], "--out")
    assert place(
        second[0],
        "--out",
    ) == (*(place(second[1], "--model-repository") or ())[:2], False)
    assert first[0]["metadata"]["name"] != second[0]["metadata"]["name"]


@pytest.mark.parametrize(("kind", "rows"), [("tensorrt", 32), ("gpu", 1)])
def test_triton_takes_the_stages_configs_for_plans_where_the_chart_says_so(
    kind: str, rows: int, tmp_path: Path
) -> None:
    models, ports = tmp_path / "models", chosen(ANY)
    for model in ("tissue_decode", "tissue_network", "tissue_rows", "tissue_tiles"):
        shutil.copytree(REPOSITORY / model, models / model, ignore=shutil.ignore_patterns("*.onnx", "*.json"))
    for path, content in padded_stages(read_config(models / "tissue_network"), models).items():
        path.parent.mkdir()
        path.write_bytes(content)
    for model in ("tissue_network", "tissue_rows", "tissue_tiles"):
        shutil.rmtree(models / model)
    whole = np.float32([[0, 0, 224, 224]])
    given = {"TILE": [encode(np.full((224, 224, 3), 99, np.uint8), Encoding())], "REGION": whole, "WINDOW": whole}

    told = arguments(pod(kind)[1], ports, id="pod", allow_gpu_metrics="false")
    with served(models, tmp_path, told, ports):
        server = Server(f"{LOOPBACK}:{ports['grpc']}")
        answer = server.infer("tissue_decode", {**given, "SLIDE_MPP": np.float32([2.28571])}, 30)

    assert (len(answer["IMAGE"]), len(answer["NETWORK"])) == (rows, 1)

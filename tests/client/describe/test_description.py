"""What `histoserve describe` says, against the configs that are served."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from histoserve.client.configs import config_in
from histoserve.client.contract import ModelConfig, Tensor, contract_from_configs
from histoserve.client.describe.command import descriptor_set, of_installed
from histoserve.client.describe.description import description, meanings
from histoserve.client.describe.every import ERRORS
from histoserve.client.describe.text import sections
from histoserve.client.errors import ServerError, WrongUsage
from histoserve.client.wire import PASSING

REPOSITORY = Path(__file__).parents[3] / "model_repository"
PIPELINES = sorted(path.name.removesuffix("_tiles") for path in REPOSITORY.glob("*_tiles"))
PARTS = ("tiles", "slide")


def tensors(facts: dict[str, Any], part: str) -> list[dict[str, Any]]:
    return facts[part]["inputs"] + facts[part]["outputs"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_tensor_has_a_meaning_and_every_axis_a_name(pipeline: str) -> None:
    facts = of_installed(pipeline)

    for part in PARTS:
        assert facts[part]["meaning"]
        for each in tensors(facts, part):
            assert each["meaning"], each["name"]
            assert "any" not in each["shape"], each["name"]


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("part", PARTS)
def test_no_meaning_is_left_of_a_tensor_that_is_gone(pipeline: str, part: str) -> None:
    config = config_in(REPOSITORY, f"{pipeline}_{part}")
    taken, given = ({each.name: each.dims.count(-1) for each in side} for side in (config.inputs, config.outputs))
    meant = meanings(pipeline)[part]

    for name, meaning in meant.tensors.items():
        assert len(meaning.axes) == {**given, **taken}.get(name), name
    for name, meaning in meant.answers.items():
        assert name in taken, f"{name} is no input, so its meaning belongs to all tensors"
        assert len(meaning.axes) == given.get(name), name


def test_the_json_has_the_shape_that_its_version_promises() -> None:
    facts = of_installed("nuclei")

    assert facts["histoserve_description"] == 1
    assert set(facts) == {
        *("histoserve_description", "pipeline", "source", "window", "limits", "tiles", "slide", "coordinates"),
        *("rows", "wire", "errors", "health", "models", "parameters"),
    }
    assert set(facts["tiles"]) == {"model", "meaning", "inputs", "outputs"}
    assert set(facts["tiles"]["inputs"][0]) == {"name", "dtype", "shape", "unit", "meaning", "values"}
    assert set(facts["window"]) == {"px", "mpp", "um", "margin_px", "margin_um"}


def test_numbers_and_columns_have_their_names() -> None:
    kind = next(each for each in tensors(of_installed("nuclei"), "tiles") if each["name"] == "TYPE")
    score = next(each for each in tensors(of_installed("peakmap"), "tiles") if each["name"] == "SCORE")

    assert kind["values"] == {"1": "other", "2": "inflammatory", "3": "epithelial", "4": "spindle"}
    assert score["values"] == {"0": "ascus", "1": "lsil", "2": "hsil"}
    assert score["shape"] == ["rows", 3]


def test_an_output_may_mean_something_else_than_the_input_of_its_name() -> None:
    facts = of_installed("tissue")["slide"]
    taken, given = (
        next(each for each in facts[side] if each["name"] == "PROBABILITY") for side in ("inputs", "outputs")
    )

    assert (taken["shape"], given["shape"]) == (["rows", "classes"], ["classes"])
    assert given["meaning"].startswith("Of the slide")
    assert taken["values"] == given["values"] == {"0": "normal", "1": "solid", "2": "cribriform"}


def test_sizes_and_limits_are_the_configs() -> None:
    facts = of_installed("nuclei")

    assert facts["window"] == {"px": 512, "mpp": 0.25, "um": 128.0, "margin_px": 32.0, "margin_um": 8.0}
    assert facts["limits"]["windows"] == 16
    assert facts["limits"]["pixels"] == 2**26


def test_a_pipeline_without_words_is_described_by_its_configs_alone() -> None:
    taken = (Tensor("TILE", "BYTES", (-1,)), Tensor("REGION", "FP32", (-1, 4)))
    taken = (*taken, Tensor("WINDOW", "FP32", (-1, 4)), Tensor("MPP", "FP32", (1,)))
    given = (Tensor("SCORE", "FP32", (-1, 3)),)
    configs = {
        "moons_tiles": ModelConfig("moons_tiles", "1", 0, {"tile_px": "64"}, inputs=taken, outputs=given),
        "moons_slide": ModelConfig("moons_slide", "1", 0, {}),
    }

    facts = description("moons", contract_from_configs("moons", configs.__getitem__), configs.__getitem__, "here")

    tile, score = facts["tiles"]["inputs"][0], facts["tiles"]["outputs"][0]
    assert tile["meaning"].startswith("Encoded pictures")
    assert (score["shape"], score["meaning"]) == (["any", 3], None)
    assert "any square" in dict(sections(facts))["A window"][0][1]


def test_every_code_that_our_own_client_knows_is_explained() -> None:
    told = {code for codes, _, _ in ERRORS for code in codes.split(", ")}

    assert told >= {"INVALID_ARGUMENT", "INTERNAL", "UNKNOWN", *(code.name for code in PASSING)}


def test_the_protocol_file_defines_the_call() -> None:
    pool = DescriptorPool()
    for each in FileDescriptorSet.FromString(descriptor_set()).file:
        pool.Add(each)

    assert "ModelInfer" in pool.FindServiceByName("inference.GRPCInferenceService").methods_by_name


def test_an_unknown_pipeline_is_told_those_that_there_are() -> None:
    with pytest.raises(WrongUsage, match=f"'moons' is no pipeline; installed are {', '.join(PIPELINES)}"):
        of_installed("moons")


@pytest.mark.parametrize("content", [None, b"input { nonsense", b"\xb5"])
def test_a_config_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "x_tiles").mkdir()
    if content is not None:
        (tmp_path / "x_tiles" / "config.pbtxt").write_bytes(content)

    with pytest.raises(ServerError, match=r"config\.pbtxt is no config that Triton takes"):
        config_in(tmp_path, "x_tiles")

"""A config that a stage cannot work with stops the server from becoming ready, and says what is wrong."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.text_format import Parse
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
from histoserve.ensemble.parameters import Range, parameters_from_config

REPOSITORY = Path(__file__).parents[1] / "model_repository"
STAGES = sorted(path.parents[1].name for path in REPOSITORY.glob("*/1/model.py"))


def stage(name: str) -> Any:
    return runpy.run_path(str(REPOSITORY / name / "1" / "model.py"))["TritonPythonModel"].function


def config(name: str) -> dict[str, Any]:
    text = (REPOSITORY / name / "config.pbtxt").read_text()
    return MessageToDict(Parse(text, ModelConfig(name=name)), preserving_proto_field_name=True)


def test_a_threshold_of_6_is_told_at_the_start(tmp_path: Path) -> None:
    model = shutil.copytree(REPOSITORY / "nuclei_watershed", tmp_path / "repository" / "nuclei_watershed")
    text = (model / "config.pbtxt").read_text()
    threshold = 'key: "edge_threshold" value { string_value: "0.1" }'
    assert threshold in text
    (model / "config.pbtxt").write_text(text.replace(threshold, threshold.replace("0.1", "6")))
    told = r"nuclei_watershed: parameter 'edge_threshold' of config.pbtxt is 6.0; wanted 0 to 1"
    with pytest.raises(LocalTritonError, match=told), LocalTriton(model.parent, state=tmp_path / "state"):
        pass


@pytest.mark.parametrize("name", STAGES)
def test_every_number_that_a_stage_takes_has_a_range(name: str) -> None:
    hints = get_type_hints(stage(name), include_extras=True)
    given = parameters_from_config(stage(name), config(name))
    numbers = {key for key, value in given.items() if isinstance(value, (int, float))}
    assert numbers == {key for key in numbers if get_origin(hints[key]) is Annotated}, json.dumps(given)
    assert all(isinstance(hints[key].__metadata__[0], Range) for key in numbers)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("wrong", ["nan", "-1", "1e9", "six", ""])
def test_a_number_out_of_its_range_is_refused_when_the_model_loads(name: str, wrong: str) -> None:
    good = config(name)
    for key in parameters_from_config(stage(name), good):
        bad = {**good, "parameters": {**good["parameters"], key: {"string_value": wrong}}}
        with pytest.raises(TypeError, match=f"{name}: parameter '[a-z_]+' of config.pbtxt is"):
            parameters_from_config(stage(name), bad)

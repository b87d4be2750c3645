"""What an integrator reads of biomarker, from the configs of its models."""

from functools import partial
from pathlib import Path

import pytest
from biomarker_repository import MARKERS, tiny_repository

from histoserve.client.configs import config_in
from histoserve.client.contract import contract_from_configs
from histoserve.client.describe.description import description
from histoserve.client.pipelines.biomarker.readings import rule_of


def test_the_configs_say_size_scale_and_markers_once(tmp_path: Path) -> None:
    config_of = partial(config_in, tiny_repository(tmp_path, k="20"))

    contract = contract_from_configs("biomarker", config_of)

    assert not contract.clashes
    assert (contract.tile_px, contract.mpp, contract.max_batch, contract.whole_tiles) == (1024, 0.3, 4, True)
    rule = rule_of(contract)
    assert (rule.stain, rule.markers, rule.k, rule.mean_of) == ("H&E", MARKERS, 20, "highest")


def test_every_tensor_is_explained_and_columns_have_the_markers_names(tmp_path: Path) -> None:
    config_of = partial(config_in, tiny_repository(tmp_path))

    said = description("biomarker", contract_from_configs("biomarker", config_of), config_of, "here")

    assert said["window"]["um"] == pytest.approx(307.2)
    told = [each for model in ("tiles", "slide") for side in ("inputs", "outputs") for each in said[model][side]]
    assert all(each["meaning"] for each in told)
    assert {tuple(each["values"].values()) for each in told if each["name"] in ("READING", "TOP")} == {MARKERS}
    assert [each["shape"] for each in said["slide"]["outputs"]] == [[4], [4, "k"]]

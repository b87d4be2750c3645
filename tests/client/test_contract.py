"""What a pipeline wants, from the configs of its models."""

import pytest

from histoserve.client.contract import TILES_TAKE, Contract, ModelConfig, Tensor, contract_from_configs, difference
from histoserve.client.errors import ServerError

TAKEN = tuple(Tensor(name, "FP32", (-1, 4)) for name in TILES_TAKE)


def gathered(*changed: ModelConfig) -> Contract:
    """Of a pipeline of a decoder, a network and a stage; `changed` replace models of their names."""
    configs = {
        config.name: config
        for config in (
            ModelConfig("x_tiles", "1", 0, {}, ("x_decode", "x_network", "x_stage"), TAKEN),
            ModelConfig("x_decode", "1", 0, {"tile_px": "256", "EXECUTION_ENV_PATH": "/a"}),
            ModelConfig("x_network", "7", 16, {"mpp": "0.25", "types": "a, b", "graph_sha256": "ab"}),
            ModelConfig("x_stage", "1", 64, {"margin_px": "16", "EXECUTION_ENV_PATH": "/b"}),
            ModelConfig("x_slide", "2", 2, {}, ("x_head",)),
            ModelConfig("x_head", "1", 1, {"k": "10", "graph_sha256": "cd"}),
            *changed,
        )
    }
    return contract_from_configs("x", configs.__getitem__)


def test_parameters_come_from_every_model_of_the_pipeline() -> None:
    contract = gathered()

    assert (contract.tile_px, contract.mpp, contract.margin_px, contract.number("k")) == (256, 0.25, 16, 10)
    assert contract.names("types") == ("a", "b")
    assert contract.inputs == ("TILE", "REGION", "WINDOW", "MPP")


def test_the_batch_is_the_smallest_that_a_step_of_the_tiles_takes() -> None:
    assert gathered().max_batch == 16
    assert gathered(ModelConfig("x_network", "7", 0, {}), ModelConfig("x_stage", "1", 0, {})).max_batch is None


def test_a_stage_may_take_fewer_windows_than_the_network() -> None:
    assert gathered(ModelConfig("x_decode", "1", 0, {"max_windows": "8"})).max_batch == 8


def test_a_repository_of_before_is_told_at_once_what_it_lacks() -> None:
    with pytest.raises(ServerError, match="x_tiles does not take WINDOW, MPP; it takes TILE, REGION"):
        gathered(ModelConfig("x_tiles", "1", 0, {}, (), TAKEN[:2]))


def test_every_model_is_recorded_with_its_own_graph() -> None:
    assert [(each.name, each.version, each.graph_sha256) for each in gathered().models] == [
        ("x_decode", "1", None),
        ("x_head", "1", "cd"),
        ("x_network", "7", "ab"),
        ("x_slide", "2", None),
        ("x_stage", "1", None),
        ("x_tiles", "1", None),
    ]


def test_a_contradiction_names_both_models_and_values_to_who_asks() -> None:
    contract = gathered(ModelConfig("x_stage", "1", 0, {"mpp": "0.5"}))

    assert contract.tile_px == 256
    with pytest.raises(ServerError, match=r"x_network says mpp = '0\.25', x_stage says '0\.5'"):
        _ = contract.mpp


def test_what_only_the_servers_backends_read_may_differ() -> None:
    counts = {"x_stage": "1", "x_head": "4"}
    threads = [ModelConfig(name, "1", 0, {"intra_op_thread_count": count}) for name, count in counts.items()]

    assert "intra_op_thread_count" not in gathered(*threads).parameters


def test_a_contradicting_margin_is_not_taken_for_none() -> None:
    with pytest.raises(ServerError, match="margin_px"):
        _ = gathered(ModelConfig("x_head", "1", 1, {"margin_px": "17"})).margin_px


def test_servers_may_differ_in_how_they_run_but_not_in_what_they_answer() -> None:
    one, fast, other = (
        gathered(ModelConfig("x_head", "1", 1, {name: text}))
        for name, text in (("intra_op_thread_count", "1"), ("intra_op_thread_count", "8"), ("threshold", "0.4"))
    )

    assert difference(one, fast) is None
    assert difference(one, other) == "the parameters"


def test_a_missing_parameter_says_where_it_was_looked_for() -> None:
    with pytest.raises(ServerError, match=r"no seam_px .*x_network"):
        gathered().number("seam_px")


@pytest.mark.parametrize("text", ["", "wide", "nan", "-1", "inf"])
def test_a_parameter_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ServerError, match="number"):
        _ = gathered(ModelConfig("x_decode", "1", 0, {"tile_px": text})).tile_px


def test_a_pipeline_without_margin_needs_none() -> None:
    assert gathered(ModelConfig("x_stage", "1", 0, {})).margin_px == 0

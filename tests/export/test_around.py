"""Which stages fill up a network's batches: found by the pipelines' ensembles, and asked for by name."""

import shutil
from pathlib import Path

import pytest

from histoserve.export import tensorrt_files
from histoserve.export.accelerated import plain
from histoserve.export.around import of_one_shape, padded_stages, stages_around
from histoserve.export.config import GraphDoesNotFit, read_config
from histoserve.export.origin import origin_of
from histoserve.export.plan import planned
from histoserve.export.repository import INSTALLED, Change
from histoserve.export.tensorrt_files import with_tensorrt

AROUND = {
    "nuclei_network": ["nuclei_decode", "nuclei_watershed"],
    "peakmap_classifier": [],
    "peakmap_encoder": ["peakmap_select"],
    "peakmap_network": ["peakmap_decode", "peakmap_filter"],
    "spread_network": ["spread_decode", "spread_rows"],
    "tissue_network": ["tissue_decode", "tissue_rows"],
}
SHAPES = {
    "peakmap_network": "IMAGE:32x128x128x3",
    "peakmap_encoder": "FEATURE_MAP:32x64x8x8",
    "peakmap_classifier": "POOLED:3x64",
}
"""What each is compiled for; the classifier takes no batches."""


@pytest.mark.parametrize("model", AROUND)
def test_the_stages_around_are_those_that_its_ensemble_names(model: str) -> None:
    config = read_config(INSTALLED / model)

    assert [stage.name for stage in stages_around(config, INSTALLED)] == AROUND[model]
    assert of_one_shape(config, INSTALLED)
    assert {path.parents[1].name for path in padded_stages(config, INSTALLED)} == set(AROUND[model])


def test_every_network_that_is_served_can_have_a_plan() -> None:
    graphs = {path.parents[1].name for path in INSTALLED.glob("*/1/model.onnx")}
    assert set(planned(INSTALLED)) == graphs >= AROUND.keys()


def test_without_the_stages_around_a_network_has_none(tmp_path: Path) -> None:
    shutil.copytree(INSTALLED / "peakmap_encoder", tmp_path / "peakmap_encoder")
    assert not of_one_shape(read_config(tmp_path / "peakmap_encoder"), tmp_path)


def change_of(model: Path) -> Change:
    """As an export plans it that changes nothing."""
    graph = model / "1" / "model.onnx"
    origin = origin_of(model, 1)
    assert origin is not None
    return Change(model.name, None, origin, [], read_config(model), {graph: graph.read_bytes()})


def test_all_three_graphs_of_peakmap_are_compiled_for_one_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Engines of these graphs are built by other tests.
    monkeypatch.setattr(tensorrt_files, "library", lambda: None)
    for model in INSTALLED.glob("peakmap_*"):
        shutil.copytree(model, tmp_path / model.name)
    changes = [change_of(tmp_path / model) for model in SHAPES]
    for stage in ("peakmap_decode", "peakmap_filter", "peakmap_select"):
        with pytest.raises(GraphDoesNotFit, match=f'^{stage} has padded_to none, .* 32 rows: put .*"padded_to"'):
            [with_tensorrt(tmp_path, each) for each in changes]
        with (tmp_path / stage / "config.pbtxt").open("a") as file:
            file.write('parameters { key: "padded_to" value { string_value: "32" } }\n')
    for each in changes:
        config = with_tensorrt(tmp_path, each).config
        first = config.optimization.execution_accelerators.gpu_execution_accelerator[0].parameters
        assert {first[f"trt_profile_{bound}_shapes"] for bound in ("min", "opt", "max")} == {SHAPES[each.model]}
        assert not config.HasField("dynamic_batching")
        assert plain(config) == each.config

"""Batches that are padded to one size, as an engine of one shape wants them, before a real Triton: the same bytes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from histoserve.client.wire import Server
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

REPOSITORY = Path(__file__).parents[1] / "model_repository"
STAGES = {
    "nuclei": ("nuclei_decode", "nuclei_watershed"),
    "peakmap": ("peakmap_decode", "peakmap_filter", "peakmap_select"),
    "tissue": ("tissue_decode", "tissue_rows"),
}
ROWS = {"nuclei": 16, "peakmap": 32, "tissue": 32}
"""The networks' max_batch_size."""


@pytest.fixture(scope="module")
def padded(tmp_path_factory: pytest.TempPathFactory) -> LocalTriton:
    """Serves these pipelines with batches of one size."""
    folder = tmp_path_factory.mktemp("padded")
    for pipeline, stages in STAGES.items():
        for model in REPOSITORY.glob(f"{pipeline}_*"):
            shutil.copytree(model, folder / "repository" / model.name)
        for stage in stages:
            config = folder / "repository" / stage / "config.pbtxt"
            said = f'parameters {{ key: "padded_to" value {{ string_value: "{ROWS[pipeline]}" }} }}\n'
            config.write_text(config.read_text() + said)
    models = [f"{pipeline}_{half}" for pipeline in STAGES for half in ("tiles", "slide")]
    with LocalTriton(folder / "repository", models=models, state=folder / "state") as triton:
        yield triton


@pytest.mark.parametrize(
    ("pipeline", "kind", "mpp", "size"),
    [
        ("nuclei", "he", 0.5, (500, 400)),
        ("peakmap", "cytology", 0.5, (1100, 900)),
        ("tissue", "he", 1.0, (1400, 1100)),
    ],
)
def test_padding_shows_in_no_byte(
    padded: LocalTriton,
    server: LocalTriton,
    histoserve: Callable[..., tuple[int, str]],
    tmp_path: Path,
    pipeline: str,
    kind: str,
    mpp: float,
    size: tuple[int, int],
) -> None:
    write_phantom(tmp_path / "s.tiff", kind=kind, size=size, mpp=mpp, seed=4, truth=None)
    files = []
    for name, triton in (("padded", padded), ("plain", server)):
        code, said = histoserve(
            "analyze", tmp_path / "s.tiff", "--pipeline", pipeline, "-o", tmp_path / name, "--server", triton.grpc,
            "--batch", 3 if name == "plain" else 5,
        )  # fmt: skip
        assert code == 0, said
        folder = next((tmp_path / name).glob(f"*/{pipeline}"))
        files.append({path.name: path.read_bytes() for path in folder.iterdir() if path.name != "result.json"})
    assert files[0] == files[1]
    assert len(files[0]) >= 2


@pytest.mark.parametrize("rows", [0, 1, 7, 60])
def test_a_slide_of_any_number_of_rows_fills_the_encoders_batch_and_has_the_same_peaks(
    padded: LocalTriton, server: LocalTriton, rows: int
) -> None:
    random = np.random.default_rng(rows)
    corner = np.arange(rows)[:, None] * [128, 0]
    given = {
        "TILE_REGION": np.hstack([corner, np.full((rows, 2), 128)]).astype(np.float32),
        "SCORE": random.random((rows, 3), np.float32),
        "FEATURE_MAP": random.random((rows, 64, 8, 8), np.float32).astype(np.float16),
        "NETWORK": np.full((max(rows, 1), 1), 7, np.int32),
    }
    chosen = {"REGION" if name == "TILE_REGION" else name: array for name, array in given.items()}
    full, plain = (Server(each.grpc) for each in (padded, server))
    counts = [len(each.infer("peakmap_select", chosen, 30)["PEAK_MAP"]) for each in (full, plain)]
    assert counts[0] == ROWS["peakmap"]
    assert counts[1] <= min(rows, 30) + 1
    one, other = (each.infer("peakmap_slide", given, 30) for each in (full, plain))
    assert {name: array.tobytes() for name, array in one.items()} == {
        name: array.tobytes() for name, array in other.items()
    }

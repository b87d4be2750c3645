"""Batches that are padded to one size, as an engine of one shape wants them, before a real Triton: the same bytes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

REPOSITORY = Path(__file__).parents[1] / "model_repository"
STAGES = {"nuclei": ("nuclei_decode", "nuclei_watershed"), "tissue": ("tissue_decode", "tissue_rows")}
ROWS = {"nuclei": 16, "tissue": 32}
"""The networks' max_batch_size."""


@pytest.fixture(scope="module")
def padded(tmp_path_factory: pytest.TempPathFactory) -> LocalTriton:
    """Serves both pipelines with batches of one size."""
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


@pytest.mark.parametrize(("pipeline", "mpp", "size"), [("nuclei", 0.5, (500, 400)), ("tissue", 1.0, (1400, 1100))])
def test_padding_shows_in_no_byte(
    padded: LocalTriton,
    server: LocalTriton,
    histoserve: Callable[..., tuple[int, str]],
    tmp_path: Path,
    pipeline: str,
    mpp: float,
    size: tuple[int, int],
) -> None:
    write_phantom(tmp_path / "s.tiff", kind="he", size=size, mpp=mpp, seed=4, truth=None)
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

"""Which folder may know what: the rules that keep each library at one edge."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("benchmark", "client", "deploy", "ensemble", "export", "model_repository", "phantom")
MAY_IMPORT = {
    "benchmark": {"benchmark", "client", "deploy", "ensemble", "export", "phantom"},
    "client": {"client", "deploy"},
    "deploy": {"deploy"},
    "ensemble": {"ensemble"},
    # Phantoms are training data: what draws them knows neither slides nor servers.
    "export": {"export", "ensemble", "phantom"},
    # What a served network is measured against sees the same tiles: by the code that reads slides.
    "export/served_pictures.py": {"export", "ensemble", "client"},
    # Labels are made by the client, which reads slides.
    "export/biomarker/labelled.py": {"export", "client"},
    # A network is tried as it would be served.
    "export/as_served.py": {"export", "deploy"},
    "model_repository": {"ensemble"},
    "phantom": {"phantom"},
}
ONE_FILE = {
    "openslide": "client/formats/scanned.py",
    "grpc": "client/wire.py",
    "pyarrow": "client/results/parquet.py",
    "triton_python_backend_utils": "ensemble/stage.py",
    "tensorrt_rtx_bindings": "export/tensorrt.py",
}
"""Each of these has one file that knows it; the backend of the local server is Triton's own side of that API."""


def imports(path: Path, top_level: bool = False) -> Iterator[str]:
    """Full names of what `path` imports; with `top_level` only what it imports when it is itself imported."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield f"{node.module}"


def files(folder: str) -> list[Path]:
    return [path for path in sorted((ROOT / folder).rglob("*.py")) if "backends" not in path.parts]


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_import_only_what_they_may(folder: str) -> None:
    for path in files(folder):
        for name in imports(path, top_level=folder == "client"):
            if name.startswith("histoserve."):
                other, place = name.split(".")[1], str(path.relative_to(ROOT))
                assert other in MAY_IMPORT.get(place, MAY_IMPORT[folder]), f"{place} imports {name}"


@pytest.mark.parametrize("library", ONE_FILE)
def test_each_edge_is_one_file(library: str) -> None:
    for folder in FOLDERS:
        for path in files(folder):
            names = {name.split(".")[0] for name in imports(path)}
            assert library not in names or str(path.relative_to(ROOT)) == ONE_FILE[library], path


def test_dicom_is_known_by_the_readers_of_its_two_kinds() -> None:
    knowing = [
        path for folder in FOLDERS for path in files(folder) if "pydicom" in {n.split(".")[0] for n in imports(path)}
    ]
    assert [path.name for path in knowing] == ["radiology.py", "stored_dicom.py"]


def test_only_export_knows_torch() -> None:
    for folder in FOLDERS:
        for path in files(folder):
            assert folder == "export" or "torch" not in {name.split(".")[0] for name in imports(path)}, path


def test_only_the_page_knows_web_libraries() -> None:
    web = {"jinja2", "orjson", "starlette", "uvicorn"}
    for path in (path for folder in FOLDERS for path in files(folder)):
        found = web & {name.split(".")[0] for name in imports(path)}
        assert not found or "client/view" in str(path.relative_to(ROOT).parent), f"{path} imports {found}"


def test_the_thin_client_imports_nothing_of_the_server() -> None:
    heavy = {"torch", "onnx", "onnxruntime", "numba", "scipy", "skimage"}
    for path in files("client"):
        found = heavy & {name.split(".")[0] for name in imports(path)}
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_nothing_outside_its_rooms_knows_a_pipeline_by_name() -> None:
    pipelines = {path.parent.name for path in (ROOT / "export").glob("*/network.py")}
    floors = ("client.pipelines", "ensemble", "export")
    rooms = tuple(f"histoserve.{floor}.{pipeline}" for floor in floors for pipeline in pipelines)
    # A benchmark measures a certain stage: each has a folder of its own too.
    for path in (path for folder in set(FOLDERS) - {"benchmark"} for path in files(folder)):
        known = {part.partition(".")[0].partition("_")[0] for part in path.relative_to(ROOT).parts} & pipelines
        assert known or not [name for name in imports(path) if name.startswith(rooms)], path


def test_training_and_scoring_do_not_import_each_other() -> None:
    for path in files("export"):
        other = {"train.py": "score", "score.py": "train"}.get(path.name)
        assert f"histoserve.export.{path.parent.name}.{other}" not in imports(path), path


def test_every_package_is_linked_where_tools_look_for_it() -> None:
    source = ROOT / "src" / "histoserve"
    assert {path.name for path in source.iterdir() if path.is_symlink()} == set(FOLDERS)
    assert all((source / folder).resolve() == ROOT / folder for folder in FOLDERS)
    code = [path for folder in FOLDERS if folder != "model_repository" for path in files(folder)]
    assert all((path.parent / "__init__.py").exists() for path in code)

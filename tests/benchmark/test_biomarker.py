"""The closed loop: what its parts say of phantoms whose cells are known, and all of it once, at a tiny size."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from biomarker_repository import REPOSITORY, put_network

from histoserve.benchmark.biomarker import loop
from histoserve.benchmark.biomarker.by_hand import features, fitted
from histoserve.benchmark.biomarker.figures import Truth, compared, fails, highest
from histoserve.benchmark.biomarker.labels import shifted
from histoserve.benchmark.biomarker.plan import OTHERS, USUAL, Plan
from histoserve.benchmark.biomarker.repository import repository_for
from histoserve.benchmark.biomarker.true_cells import counted, read_known, true_readings
from histoserve.client.errors import SlideError
from histoserve.client.registration.registration import Registration, Section
from histoserve.export.agreement import check_ensemble
from histoserve.export.config import read_config
from histoserve.phantom.biomarker.pair import biomarker_pair
from histoserve.phantom.drawing import Pair

SIZE, MPP = (700, 600), 0.6
NAN = float("nan")


@pytest.fixture(scope="module")
def pair() -> Pair:
    return biomarker_pair(SIZE, MPP, 3, False, marker="ki67", share="0.6", damage="none")


@pytest.fixture(scope="module")
def laid(pair: Pair) -> Registration:
    sections = Section("he", SIZE, MPP, ""), Section("ihc", pair.second_size, MPP, "")
    return Registration(*sections, np.array(pair.relation["matrix"]), (), 1.0)


def test_a_tile_over_all_of_a_slide_holds_all_of_its_cells(pair: Pair, laid: Registration) -> None:
    everywhere = (-100, -100, SIZE[0] + 200, SIZE[1] + 200)
    true = pair.second.facts["cells"]
    tumour, every = (counted(laid, pair.second, everywhere, lesion) for lesion in (True, False))  # type: ignore[arg-type]
    assert (tumour.positive, tumour.negative) == (true["tumour positive"], true["tumour negative"])  # type: ignore[index]
    assert every.positive == true["tumour positive"] + true["other positive"]  # type: ignore[index]
    assert every.negative == true["tumour negative"] + true["other negative"]  # type: ignore[index]
    assert tumour.positive + tumour.negative > 50


def test_halves_of_a_tile_share_its_cells(pair: Pair, laid: Registration) -> None:
    whole, left, right = ((100, 100, 400, 300), (100, 100, 150, 300), (250, 100, 250, 300))
    found = [counted(laid, pair.second, each, False) for each in (whole, left, right)]  # type: ignore[arg-type]
    assert found[0].positive == found[1].positive + found[2].positive
    assert found[0].negative == found[1].negative + found[2].negative


def test_true_readings_are_those_of_the_h_and_e(pair: Pair) -> None:
    readings = true_readings(pair.first.section, [(0, 0, *SIZE), (0, 0, 2, 2)])  # type: ignore[attr-defined]
    ratios = list(pair.first.facts["ratios"].values())  # type: ignore[attr-defined]
    assert np.allclose(readings[0], ratios, atol=1e-4)
    assert np.isnan(readings[1]).all()


def test_only_tiles_of_the_pair_are_known() -> None:
    with pytest.raises(SlideError, match="no tile of this pair"):
        read_known({}, np.zeros((4, 4, 3), np.uint8), 0.3)


def test_a_shift_reads_the_ihc_to_the_right_of_where_it_lies(laid: Registration) -> None:
    moved = shifted(laid, 30.0).to_ihc([(10, 20)]) - laid.to_ihc([(10, 20)])
    assert moved.tolist() == [[pytest.approx(50.0), pytest.approx(0.0)]]


def test_the_rule_takes_the_highest_tiles_that_have_a_reading() -> None:
    assert highest(np.array([0.1, NAN, 0.9, 0.5]), 2) == pytest.approx(0.7)
    assert highest(np.array([0.1, NAN]), 2) == pytest.approx(0.1)
    assert np.isnan(highest(np.array([NAN])))


def test_slides_without_a_truth_or_a_reading_count_for_nothing() -> None:
    found, true = np.array([0.1, 0.4, NAN, 0.6]), np.array([0.2, 0.4, 0.9, NAN])
    assert compared(found, true) == pytest.approx((0.05, 1.0))
    assert np.isnan(compared(found[2:], true[2:])).all()


@pytest.mark.parametrize(
    ("marker", "found", "said"),
    [
        ("ki67", [0.1, 0.3, 0.5, 0.7], ""),
        ("ki67", [0.2, 0.4, 0.6, 0.8], "ki67: error 0.100, rank correlation 1.00"),
        ("ki67", [NAN] * 4, "ki67: error nan, rank correlation nan"),
        ("null", [0.1, 0.3, 0.5, 0.7], "null: rank correlation 1.00, so something else tells of it"),
        ("null", [0.5, 0.4, 0.4, 0.5], ""),
    ],
)
def test_markers_must_be_read_and_null_must_not(marker: str, found: list[float], said: str) -> None:
    true = np.array([0.1, 0.3, 0.5, 0.7])
    assert fails(marker, np.array(found), Truth(true, true)) == said


@dataclass(frozen=True)
class Grey:
    reading: float

    def image(self) -> np.ndarray:
        noise = np.random.default_rng(round(self.reading * 100)).normal(0, 4, (64, 64, 3))
        return (60 + 120 * self.reading + noise).astype(np.uint8)


def test_hand_made_features_learn_what_texture_tells() -> None:
    read = fitted([Grey(value) for value in np.linspace(0, 1, 21).tolist()])  # type: ignore[misc]
    assert read(features([Grey(0.2).image(), Grey(0.8).image()])) == pytest.approx([0.2, 0.8], abs=0.12)


def test_of_readings_that_hardly_differ_only_their_mean_is_learned() -> None:
    read = fitted([Grey(0.30), Grey(0.36)])  # type: ignore[list-item]
    assert read(features([Grey(0.9).image()])).tolist() == pytest.approx([0.33])


def test_a_repository_serves_the_markers_of_a_run(tmp_path: Path) -> None:
    folder = repository_for(("ki67", "null", "er", "pr", "her2"), REPOSITORY, tmp_path / "models")
    for marker in ("ki67", "null", "er", "pr", "her2"):
        put_network(folder, marker, b"")
    configs = {path.parent.name: read_config(path.parent) for path in folder.glob("*/config.pbtxt")}
    check_ensemble(configs["biomarker_tiles"], configs)
    assert {configs[f"biomarker_{part}"].output[0].dims[-1] for part in ("tiles", "rows", "slide")} == {5}
    with pytest.raises(ValueError, match="holds no biomarker_tiles"):
        repository_for(("ki67",), tmp_path / "nothing", tmp_path / "models")


def test_a_folder_goes_on_with_its_own_run_alone(tmp_path: Path) -> None:
    plan = Plan(tmp_path / "run", REPOSITORY, 2, 2, SIZE, SIZE, MPP, MPP)
    assert [plan.markers_of(way) for way in (USUAL, OTHERS[0])] == [plan.markers, ("ki67",)]
    plan.bind()
    replace(plan, scored=9).bind()
    with pytest.raises(ValueError, match=r"holds another run: .*Give another folder"):
        replace(plan, training=3).bind()


@pytest.mark.slow
def test_the_loop_closes_and_goes_on_where_it_was_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = [
        "--markers",
        "er",
        "--training",
        "2",
        "--scored",
        "1",
        "--no-others",
        "--size",
        "2200",
        "--unseen-size",
        "2200",
    ]
    steps = ["--width", "0.05", "--batch", "2", "--steps", "2"]
    command = ["-o", str(tmp_path), "--models", str(REPOSITORY), "--markers", "er", "--no-others", *size, *steps]
    assert loop.main(command) == 1, "two steps teach nothing"
    first = capsys.readouterr().out
    made = {path: path.stat().st_mtime_ns for kind in ("tiff", "pt") for path in tmp_path.rglob(f"*.{kind}")}
    assert loop.main(command) == 1
    assert _table(capsys.readouterr().out) == _table(first)
    assert {path: path.stat().st_mtime_ns for path in made} == made


def _table(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("│")]

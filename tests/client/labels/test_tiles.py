"""How the tiles of a pair are cut, read and recorded, whatever happens on the way."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from histoserve.client.errors import LabelsError, OutputError, SlideError, UnreadableRegion
from histoserve.client.grid import Rectangle
from histoserve.client.labels.cut import picture_of, tiles_of
from histoserve.client.labels.label import Decision, Pair, SlideOf, picture_name
from histoserve.client.labels.read import read_labels
from histoserve.client.labels.record import JOURNAL
from histoserve.client.labels.sheets import write_sheets
from histoserve.client.labels.tiles import Source, record_tiles
from histoserve.client.labels.which import Found, alone, known_pair, new_pair
from histoserve.client.labels.write import finish_pair
from histoserve.client.slide import open_slide

REGIONS = [(0, 0, 64, 64), (64, 0, 64, 64), (128, 0, 64, 64), (192, 0, 64, 64)]
WANTED = Pair(0, "er", SlideOf("he.svs", "one"), SlideOf("ihc.svs", "other"), 32, 0.3)
SIDE_UM = 32 * 0.3


@dataclass(frozen=True)
class Counts:
    """As tile_reading.Reading."""

    positive: int
    negative: int

    @property
    def ratio(self) -> float:
        return self.positive / (self.positive + self.negative) if self.positive + self.negative else math.nan


@dataclass
class Moved:
    """The IHC lies 1000 px to the right; `residuals` by the region's x."""

    residuals: dict[int, float] = field(default_factory=dict)

    def corners_in_ihc(self, region: Rectangle) -> NDArray[np.float64]:
        x, y, width, height = self.ihc_region(region)
        return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float64)

    def ihc_region(self, region: Rectangle) -> Rectangle:
        return region[0] + 1000, region[1], region[2], region[3]

    def residual_um(self, region: Rectangle) -> float:
        return self.residuals.get(region[0], 0.25)


def picture(region: Rectangle) -> NDArray[np.uint8]:
    return np.full((32, 32, 3), (region[0], 100, 200), np.uint8)


def read(shown: NDArray[np.uint8], mpp: float) -> Counts:
    """As many positive as the picture's red says."""
    assert mpp == 0.3
    return Counts(int(shown[0, 0, 0]) // 64, 3)


def source(laid: Moved | None = None, ihc_size: tuple[int, int] = (2000, 100), **changed: object) -> Source:
    return Source(**{"laid": laid or Moved(), "ihc_size": ihc_size, "he_picture": picture,
                     "ihc_picture": picture, "read": read, **changed})  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture
def found(tmp_path: Path) -> Found:
    return new_pair(tmp_path / "set", WANTED)


def all_files(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def run(found: Found, given: Source) -> list[str | None]:
    told = list(record_tiles(found.pair, found.place, REGIONS, given))
    finish_pair(found.place.parents[1], found.pair)
    return told


def test_each_tile_is_cut_from_both_and_read(found: Found) -> None:
    assert run(found, source()) == [None] * 4

    labels = read_labels(found.place.parents[1])
    assert [(label.tile.positive, label.tile.negative, label.tile.reading) for label in labels] == [
        (0, 3, 0.0), (1, 3, 0.25), (2, 3, 0.4), (3, 3, 0.5)
    ]  # fmt: skip
    second = labels[1]
    assert (second.tile.he_region, second.tile.ihc_region) == ((64, 0, 64, 64), (1064, 0, 64, 64))
    assert (second.tile.residual_um, second.decision) == (0.2, Decision.UNDECIDED)
    for path in (second.he_picture, second.ihc_picture):
        shown = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert (shown == picture((64, 0, 64, 64))).all()


def test_what_cannot_teach_is_dropped_beforehand(found: Found) -> None:
    laid = Moved({0: SIDE_UM / 10, 64: SIDE_UM / 10 + 0.06, 128: math.inf})
    run(found, source(laid, ihc_size=(1255, 100)))

    labels = read_labels(found.place.parents[1])
    assert [(label.decision.value, label.tile.reading, label.tile.residual_um) for label in labels] == [
        ("", 0.0, 1.0), ("drop", None, 1.0), ("drop", None, None), ("", 0.5, 0.2)
    ]  # fmt: skip
    assert labels[1].tile.reason.startswith("The two sections are 1.0 µm off each other here, more than a tenth of the")
    assert labels[2].tile.reason == "How far the two sections are off each other here could not be measured."


def test_tissue_that_the_other_slide_does_not_have_is_dropped(found: Found) -> None:
    run(found, source(ihc_size=(1254, 100)))

    assert [label.tile.reason for label in read_labels(found.place.parents[1])] == [
        "", "", "", "It reaches beyond the IHC slide."
    ]  # fmt: skip


def test_a_tile_without_tumour_has_no_reading(found: Found) -> None:
    run(found, source(read=lambda shown, mpp: Counts(0, 0)))

    label = read_labels(found.place.parents[1])[0]
    assert (label.tile.reading, label.decision) == (None, Decision.DROP)
    assert label.tile.reason == "No tumour was found, so there is no reading."


def test_a_tile_that_cannot_be_read_costs_itself(found: Found) -> None:
    def broken(region: Rectangle) -> NDArray[np.uint8]:
        if region[0] == 64:
            raise UnreadableRegion("damaged at 64")
        return picture(region)

    told = run(found, source(he_picture=broken))

    assert told == [None, "Tile 2 is left out: damaged at 64", None, None]
    assert [label.tile.number for label in read_labels(found.place.parents[1])] == [1, 3, 4]


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_run_that_died_goes_on_and_ends_with_the_same_bytes(found: Found, tmp_path: Path, cut: int) -> None:
    undisturbed = new_pair(tmp_path / "undisturbed", WANTED)
    run(undisturbed, source())
    asked: list[int] = []

    def dying(shown: NDArray[np.uint8], mpp: float) -> Counts:
        asked.append(int(shown[0, 0, 0]))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return read(shown, mpp)

    with pytest.raises(KeyboardInterrupt):
        run(found, source(read=dying))
    journal = found.place / JOURNAL
    # The line under way when the power went.
    journal.write_bytes(journal.read_bytes() + b'{"number": 3, "he_region": [128, 0, 64, 64], "ihc'[:cut])
    run(found, source(read=dying))

    assert asked == [0, 64, 128, 128, 192]
    assert all_files(found.place.parents[1]) == all_files(tmp_path / "undisturbed")


def test_the_same_pair_is_known_again(found: Found, tmp_path: Path) -> None:
    folder = tmp_path / "set"

    assert known_pair(folder, WANTED) == found
    assert not found.is_whole
    run(found, source())
    assert found.is_whole
    other = Pair(0, "pr", WANTED.he, SlideOf("pr.svs", "third"), 32, 0.3)
    assert known_pair(folder, other) is None
    assert new_pair(folder, other).pair.number == 2


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Pair(0, "pr", WANTED.he, WANTED.ihc, 32, 0.3), "are pair 1 of .*set already, for er; now --marker says pr"),
        (Pair(0, "er", WANTED.ihc, WANTED.he, 64, 0.3), "holds tiles of 32 px at 0.3 µm/px, and 64 px at 0.3 µm/px"),
        (Pair(0, "er", WANTED.he, WANTED.ihc, 32, 0.5), "and 32 px at 0.5 µm/px were asked for"),
    ],
)
def test_what_does_not_go_with_the_rest_is_told(found: Found, tmp_path: Path, wanted: Pair, told: str) -> None:
    with pytest.raises(LabelsError, match=told):
        known_pair(tmp_path / "set", wanted)


def test_of_two_runs_at_a_pair_the_second_is_told(found: Found) -> None:
    with alone(found), pytest.raises(OutputError, match="Another run is at pair 1"), alone(found):
        pass


def test_tiles_lie_side_by_side_where_tissue_is(tmp_path: Path) -> None:
    image = np.full((400, 600, 3), 245, np.uint8)
    image[:, 100:450] = (200, 90, 160)
    cv2.imwrite(str(tmp_path / "slide.png"), image[..., ::-1])

    with open_slide(tmp_path / "slide.png") as slide:
        regions = tiles_of(slide, 1.0, 64, 2.0)
        shown = picture_of(slide, (100, 0, 128, 128), 64)

    # The grid begins at 0; of 0-128 a fifth is tissue, of 384-512 half.
    assert regions == [(x, y, 128, 128) for y in (0, 128, 256) for x in (128, 256, 384)]
    assert shown.shape == (64, 64, 3)
    assert (shown == (200, 90, 160)).all()


def test_a_slide_without_a_tile_is_told(tmp_path: Path) -> None:
    image = np.full((400, 600, 3), 245, np.uint8)
    image[100:130, 100:130] = (200, 90, 160)
    cv2.imwrite(str(tmp_path / "slide.png"), image[..., ::-1])

    with open_slide(tmp_path / "slide.png") as slide:
        with pytest.raises(SlideError, match="has no tile of 128 µm with tissue on a quarter of it"):
            tiles_of(slide, 1.0, 64, 2.0)
        with pytest.raises(SlideError, match="the network was trained at"):
            tiles_of(slide, 1.0, 64, 0.3)


def test_sheets_show_every_tile(found: Found, tmp_path: Path) -> None:
    many = [(64 * (i % 4), i, 64, 64) for i in range(13)]
    list(record_tiles(found.pair, found.place, many, source(Moved({0: 50.0}), (9000, 100))))
    finish_pair(tmp_path / "set", found.pair)
    stale = tmp_path / "set" / "sheets" / "0001-9.png"
    stale.parent.mkdir()
    stale.touch()

    paths = write_sheets(tmp_path / "set", read_labels(tmp_path / "set"), found.pair)

    first, second = (cv2.imread(str(path)) for path in paths)
    assert (
        [path.name for path in paths]
        == ["0001-1.png", "0001-2.png"]
        == sorted(each.name for each in stale.parent.iterdir())
    )
    assert first.shape == (40 + 4 * 390, 3 * 652 + 12, 3)
    assert second.shape == (40 + 390, 3 * 652 + 12, 3)
    # The bar of a tile dropped beforehand is red, of an undecided one grey; the pictures are those of the tiles.
    assert first[60, 16].tolist() == [60, 70, 210]
    assert first[60, 16 + 652].tolist() == [150, 150, 150]
    assert first[300, 652 + 12 + 100].tolist() == [200, 100, 64]


def test_a_damaged_picture_is_told(found: Found, tmp_path: Path) -> None:
    run(found, source())
    (found.place / picture_name(2, "ihc")).write_bytes(b"no picture")

    with pytest.raises(LabelsError, match=r"0002_ihc.*is damaged"):
        write_sheets(tmp_path / "set", read_labels(tmp_path / "set"), found.pair)

"""What a run of the closed loop consists of, and where its parts lie."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from histoserve.phantom.biomarker.markers import MARKERS

FIRST_UNSEEN = 100_001
"""Seeds of slides that are scored; those that train begin at 1."""


@dataclass(frozen=True)
class Way:
    """How labels come about."""

    name: str
    shift_um: float = 0.0
    """By which the IHC is read beside where it was registered."""
    lesion: bool = True
    """Whether tumour cells alone count."""


USUAL = Way("usual")
OTHERS = (Way("all-cells", lesion=False), *(Way(f"shift-{um}", float(um)) for um in (25, 50, 100)))
"""Those that show what a step is worth."""


@dataclass(frozen=True)
class Plan:
    """One run."""

    folder: Path
    models: Path
    """Model repository that holds the pipeline's models; of these only the networks are made here."""
    training: int
    """Pairs of each marker."""
    scored: int
    """Slides."""
    size: tuple[int, int]
    """Of the H&E of each pair, px."""
    unseen_size: tuple[int, int]
    """Of each slide that is scored, px."""
    mpp: float
    """Of the H&E."""
    ihc_mpp: float
    """Of the stained slides: no finer than whoever reads them needs."""
    markers: Sequence[str] = MARKERS
    tried: str = MARKERS[0]
    """Marker of which labels are made in the other ways too."""
    others: Sequence[Way] = OTHERS
    options: Sequence[str] = ()
    """Of `histoserve train biomarker`."""

    @property
    def seeds(self) -> range:
        """Of the pairs that train."""
        return range(1, 1 + self.training)

    @property
    def unseen(self) -> range:
        """Of the slides that are scored."""
        return range(FIRST_UNSEEN, FIRST_UNSEEN + self.scored)

    @property
    def slides(self) -> Path:
        return self.folder / "slides"

    def markers_of(self, way: Way) -> Sequence[str]:
        """Whose labels are made this way."""
        return self.markers if way == USUAL else (self.tried,)

    def part(self, what: str, way: Way) -> Path:
        """Folder of a way's `labels`, `weights`, `repository` or `results`."""
        return self.folder / what / way.name

    def labels(self, way: Way, marker: str) -> Path:
        """Training set of a marker: each has its own, so that they can be made side by side."""
        return self.part("labels", way) / marker

    @property
    def first(self) -> str:
        """The marker whose network starts from nothing; the others start from its weights."""
        return self.markers[0]

    def bind(self) -> None:
        """To its folder, which holds what this plan made. Raises ValueError if that was another one."""
        # More slides may be scored at any time.
        said = repr(replace(self, folder=Path(), models=Path(), scored=0)) + "\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "plan.txt"
        if not file.exists():
            file.write_text(said)
        if file.read_text() != said:
            raise ValueError(f"{self.folder} holds another run: {file.read_text()[:-1]}. Give another folder with -o")

    def he(self, seed: int) -> Path:
        return self.slides / f"{seed}-he.tiff"

    def ihc(self, seed: int, marker: str) -> Path:
        return self.slides / f"{seed}-{marker}.tiff"

"""How many tumour cells of a phantom stained for a marker are positive, by its truth file."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Truth:
    """Of one slide."""

    group: str
    """What it is listed with: its marker."""
    positive: int
    """Tumour cells; others do not count."""
    negative: int

    @property
    def ratio(self) -> float:
        """NaN for a slide without tumour."""
        cells = self.positive + self.negative
        return self.positive / cells if cells else float("nan")


def read_truth(path: Path) -> Truth:
    """ValueError for what is no truth of a phantom of kind "ihc"."""
    if not path.is_file():
        raise ValueError(f"no truth at {path}, where `histoserve phantom --kind ihc --truth` should have written it")
    try:
        header = json.loads(path.read_text(encoding="utf-8"))["phantom"]
        if header["kind"] != "ihc":
            raise ValueError(f"it is of a {header['kind']} phantom, wanted one of --kind ihc")
        cells = header["cells"]
        return Truth(header["marker"], int(cells["tumour positive"]), int(cells["tumour negative"]))
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the truth that was wanted: {error}") from error

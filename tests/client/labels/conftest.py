"""A small training set."""

from pathlib import Path

import pytest
from made_up_labels import add_pair


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Of one pair with four tiles: 0.25, 0.75, no tumour, and a third; none is decided."""
    add_pair(tmp_path / "set")
    return tmp_path / "set"

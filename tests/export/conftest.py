"""What tests of several pipelines' networks share."""

from types import ModuleType

import pytest

from histoserve.export.engines import ABSENT
from histoserve.export.tensorrt import library


@pytest.fixture(scope="session")
def tensorrt() -> ModuleType:
    """It takes a second to load."""
    trt = library()
    if trt is None:
        pytest.skip(ABSENT)
    return trt

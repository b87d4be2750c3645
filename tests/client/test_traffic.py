"""Bytes are counted by model, of answered requests only."""

from typing import Any

import numpy as np
import pytest

from histoserve.client.errors import Refused
from histoserve.client.traffic import Traffic


class Echo:
    """A wire that answers 8 bytes, but refuses empty requests."""

    def infer(self, model: str, arrays: Any) -> dict[str, np.ndarray]:
        if not len(arrays["TILE"]):
            raise Refused("nothing to do")
        return {"SCORE": np.zeros((2, 1), np.float32)}


def test_bytes_are_counted_by_model() -> None:
    traffic = Traffic(Echo())  # type: ignore[arg-type]
    traffic.infer("tiles", {"TILE": [b"abc", b"de"], "REGION": np.zeros((2, 4), np.float32)})
    traffic.infer("tiles", {"TILE": [b"f"]})
    traffic.infer("slide", {"TILE": [b"g"]})

    assert traffic.models == {
        "tiles": {"requests": 2, "sent_bytes": 5 + 32 + 1, "returned_bytes": 16},
        "slide": {"requests": 1, "sent_bytes": 1, "returned_bytes": 8},
    }


def test_a_request_without_answer_does_not_count() -> None:
    traffic = Traffic(Echo())  # type: ignore[arg-type]
    with pytest.raises(Refused):
        traffic.infer("tiles", {"TILE": []})
    assert traffic.models == {}

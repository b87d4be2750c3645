"""How many bytes travel between the client and its servers."""

import threading
from typing import Any

import numpy as np

from histoserve.client.connect import Wire
from histoserve.client.contract import Contract
from histoserve.client.wire import Arrays, Outputs


class Traffic:
    """A `Wire` that counts what it carries; used by several threads."""

    def __init__(self, wire: Wire):
        self._wire = wire
        self._lock = threading.Lock()
        self.models: dict[str, dict[str, int]] = {}
        """Answered requests of each model, and the bytes of their tensors, as in `result.json`."""

    def versions(self) -> list[str]:
        """As Wire.versions."""
        return self._wire.versions()

    def contract(self, pipeline: str) -> Contract:
        """As Wire.contract."""
        return self._wire.contract(pipeline)

    def record(self) -> list[dict[str, Any]]:
        """As Wire.record."""
        return self._wire.record()

    def stop(self) -> None:
        """As Wire.stop."""
        self._wire.stop()

    def infer(self, model: str, arrays: Arrays) -> Outputs:
        """As Wire.infer."""
        outputs = self._wire.infer(model, arrays)
        with self._lock:
            counts = self.models.setdefault(model, {"requests": 0, "sent_bytes": 0, "returned_bytes": 0})
            counts["requests"] += 1
            counts["sent_bytes"] += _bytes(arrays)
            counts["returned_bytes"] += _bytes(outputs)
        return outputs


def _bytes(arrays: Arrays) -> int:
    return sum(each.nbytes if isinstance(each, np.ndarray) else sum(map(len, each)) for each in arrays.values())

"""A page of `histoserve view`, once all of it is there."""

import time
from typing import Any

from starlette.testclient import TestClient


def opened(client: TestClient) -> Any:
    """The description once the layers are open."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        said = client.get("/s/0/description.json").json()
        if said["results"][0]["ready"]:
            return said
    raise AssertionError("the layers are never ready")

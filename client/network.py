"""One slide, one network: who answers may change while a slide is analysed, its result may not be of both."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import ServerError
from histoserve.client.wire import Arrays, Outputs

NAME = "NETWORK"


class OtherNetwork(ServerError):
    """The rows are of another network than those before."""


class OneNetwork:
    """The identity of all that decided the rows so far; every `<pipeline>_tiles` tells it for each tile."""

    def __init__(self, pipeline: str, identity: int | None = None):
        self._pipeline = pipeline
        self.identity = identity
        """None until the first answer."""

    def check(self, tiles: int, outputs: Outputs) -> Outputs:
        """The answer to a request of `tiles` tiles, without its NETWORK; OtherNetwork if that is another one's."""
        rest = dict(outputs)
        network = rest.pop(NAME, None)
        if network is None or network.dtype != np.int32 or network.shape != (tiles, 1):
            came = "none" if network is None else f"{network.dtype} {network.shape}"
            raise ServerError(
                f"{self._pipeline}_tiles answered {NAME} {came}, wanted int32 {(tiles, 1)}: which network decided each "
                "tile's rows. Serve a model repository of this version."
            )
        for identity in np.unique(network).tolist():
            if self.identity not in (None, identity):
                raise OtherNetwork(
                    f"{self._pipeline}_tiles answered with two networks, {self.identity} and {identity}: a model or "
                    "its config was replaced on a server while the slide was analysed, or the servers differ. "
                    "Nothing was written; run it again when all servers are of one state."
                )
            self.identity = identity
        return rest

    def telling(self, infer: Callable[[str, Arrays], Outputs]) -> Callable[[str, Arrays], Outputs]:
        """`infer` of `<pipeline>_slide`, which is told the network too."""

        def told(model: str, arrays: Arrays) -> Outputs:
            network: Mapping[str, NDArray[np.int32]] = {}
            if self.identity is not None:
                network = {NAME: np.array([[self.identity]], np.int32)}
            return infer(model, {**arrays, **network})

        return told

"""A slide's rows are of one network, or there is no result."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoserve.client.analyze import Order, analyze
from histoserve.client.errors import ServerError
from histoserve.client.network import OneNetwork


def column(*identities: int) -> dict[str, Any]:
    return {"NETWORK": np.array(identities, np.int32)[:, None], "AREA": np.zeros(0, np.float32)}


def test_rows_of_one_network_pass_without_it() -> None:
    network = OneNetwork("nuclei")
    assert list(network.check(2, column(7, 7))) == ["AREA"]
    assert list(network.check(1, column(7))) == ["AREA"]
    told = network.telling(lambda model, arrays: {"KEEP": arrays["NETWORK"]})
    assert told("nuclei_slide", {})["KEEP"].tolist() == [[7]]


@pytest.mark.parametrize("second", [(8,), (7, 8)])
def test_rows_of_another_network_end_it(second: tuple[int, ...]) -> None:
    network = OneNetwork("nuclei")
    network.check(1, column(7))
    with pytest.raises(ServerError, match=r"nuclei_tiles answered with two networks, 7 and 8: .*run it again"):
        network.check(len(second), column(*second))


@pytest.mark.parametrize("outputs", [{}, column(), {"NETWORK": np.zeros((1, 1), np.int64)}])
def test_an_answer_that_does_not_say_is_refused(outputs: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match=r"nuclei_tiles answered NETWORK .*wanted int32 \(1, 1\)"):
        OneNetwork("nuclei").check(1, outputs)


class Silent:
    def phase(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...


def order(slide: Path) -> Order:
    return Order(slide, "nuclei", slide.with_name("out"), mpp=0.25, in_flight=1, batch=1)


def test_the_result_names_the_network(slide_path: Path, disc_wire: Callable[..., Any]) -> None:
    result = analyze(order(slide_path), lambda: nullcontext(disc_wire()), Silent()).result
    assert result["pipeline"]["network"] == 7


def test_a_change_where_no_nucleus_is_found_ends_the_run_and_leaves_nothing(
    slide_path: Path, disc_wire: Callable[..., Any]
) -> None:
    wire = disc_wire(network=lambda request: 7 if request < 5 else 8)
    with pytest.raises(ServerError, match="two networks, 7 and 8"):
        analyze(order(slide_path), lambda: nullcontext(wire), Silent())
    assert not (slide_path.with_name("out") / "result.json").exists()

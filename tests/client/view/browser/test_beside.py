"""Two slides side by side: where one is moved, the other follows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from client.view.browser.looking import canvas, settle

Open = Callable[..., Any]
VIEWS = """() => [...document.querySelectorAll("[data-part=picture]")].map((each) => {
  const { viewport, world } = OpenSeadragon.getViewer(each), image = world.getItemAt(0);
  const { x, y } = image.viewportToImageCoordinates(viewport.getCenter(false));
  return [x, y, 1 / image.viewportToImageZoom(viewport.getZoom(false)), viewport.getRotation(false)];
})"""

ACROSS = """([matrix, view]) => import("../../../files/linked.js").then(({ across, inverse }) => {
  const other = across(matrix, view);
  return [other, across(inverse(matrix), other)];
})"""


@pytest.fixture(scope="module")
def beside(made_up_page: str, opened: Open) -> Any:
    page = opened(f"{made_up_page}beside/0/1/")
    settle(page)
    return page


def views(page: Any) -> list[list[float]]:
    """Centre, level-0 px per page px and turn of both."""
    page.wait_for_timeout(100)
    return page.evaluate(VIEWS)  # type: ignore[no-any-return]


def follows(first: list[float], second: list[float]) -> bool:
    """The second slide has half as many px for the same µm; middle lies on middle."""
    expected = [400 + (first[0] - 1601 / 2) / 2, 300 + (first[1] - 1203 / 2) / 2, first[2] / 2, first[3]]
    return second == pytest.approx(expected, abs=0.1)


def test_both_are_drawn(beside: Any, keep: Callable[..., None]) -> None:
    keep(beside, "beside")
    assert min(canvas(beside, 0).std(), canvas(beside, 1).std()) > 5


@pytest.mark.parametrize("leader", [0, 1])
def test_the_other_follows_when_one_is_moved_enlarged_or_turned(beside: Any, leader: int) -> None:
    side = beside.locator("[data-slide]").nth(leader)
    for name in ("Zoom in", "Turn right", "Zoom out", "Whole slide", "Zoom in"):
        side.get_by_role("button", name=name).click()
        assert follows(*views(beside)), name
    before = views(beside)
    side.get_by_role("application").focus()
    beside.keyboard.press("ArrowRight")

    assert follows(*views(beside))
    assert views(beside) != before


def test_dragging_one_drags_the_other(beside: Any) -> None:
    before = views(beside)
    box = beside.locator("[data-part=picture]").first.bounding_box()
    beside.mouse.move(box["x"] + 300, box["y"] + 300)
    beside.mouse.down()
    beside.mouse.move(box["x"] + 200, box["y"] + 260, steps=4)
    beside.mouse.up()

    assert follows(*views(beside))
    assert views(beside)[1] != before[1]


def test_each_moves_alone_when_the_link_is_off(beside: Any) -> None:
    beside.get_by_role("checkbox", name="Linked views").uncheck()
    before = views(beside)
    beside.get_by_role("button", name="Zoom in").first.click()
    alone = views(beside)
    beside.get_by_role("checkbox", name="Linked views").check()

    assert alone[1] == before[1]
    assert alone[0] != before[0]
    assert follows(*views(beside))


def l0_place(view: dict[str, float], offset: tuple[float, float]) -> np.ndarray:
    """Of what lies this many page px from the middle of a view."""
    turn = np.deg2rad(view["turn"])
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.array([view["x"], view["y"]]) + view["scale"] * back @ offset


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (30, 1), (-135, 0.5), (2.5, 3)])
def test_registered_slides_show_the_same_place_everywhere(beside: Any, degrees: float, scale: float) -> None:
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn), 7 / scale], [np.sin(turn), np.cos(turn), -40 / scale]]) * scale
    view = {"x": 300, "y": 500, "scale": 2, "turn": 40}
    other, back = beside.evaluate(ACROSS, [matrix.tolist(), view])

    for offset in ((0, 0), (100, 0), (-30, 250)):
        there = matrix @ [*l0_place(view, offset), 1]
        np.testing.assert_allclose(l0_place(other, offset), there, atol=1e-6)
    assert back == pytest.approx(view)


def test_it_is_said_that_the_slides_are_not_registered(beside: Any) -> None:
    said = beside.locator("[data-part=how]").inner_text()
    assert "not registered" in said
    assert "0.25 and 0.5" in said

"""Into which regions a picture is cut whose scale is not known, or of which the user says how many there are.

Squares of one side from the upper left corner, row by row; what remains on the right and below is nobody's.
"""

from bisect import bisect_right

from histoserve.client.errors import SlideError

LEAST_PX = 8
"""Of a region's side: fewer show nothing that a network could tell."""


def region_side(name: str, l0_size: tuple[int, int], tile_px: int, count: int | None) -> int:
    """In px: the network's own, or a smaller picture's shorter side; with `count` so that there are as many squares.

    Raises SlideError for a picture too small for any, or a count that its squares cannot have.
    """
    if min(l0_size) < LEAST_PX:
        raise SlideError(
            f"{name} has {l0_size[0]}×{l0_size[1]} px to be cut, and a region has at least {LEAST_PX}×{LEAST_PX}; "
            "give a larger picture, or a larger part of it."
        )
    if count is None:
        return min(tile_px, *l0_size)
    return _side_of(name, l0_size, count)


def _side_of(name: str, l0_size: tuple[int, int], count: int) -> int:
    """The longest side of which there are `count` squares, so that least remains."""

    def squares(side: int) -> int:
        return (l0_size[0] // side) * (l0_size[1] // side)

    longest = min(l0_size)
    # The shorter the side the more there are: how many sides, from the shortest, give as many as wanted or more.
    sides = range(LEAST_PX, longest + 1)
    enough = bisect_right(sides, -count, key=lambda side: -squares(side))
    side = sides[enough - 1] if enough else 0
    if side and squares(side) == count:
        return side
    near = [squares(each) for each in (side + 1, side) if LEAST_PX <= each <= longest]
    raise SlideError(
        f"{name}, {l0_size[0]}×{l0_size[1]} px, cannot be cut into {count} equal squares: "
        f"give --regions {' or '.join(map(str, near or [squares(LEAST_PX)]))}."
    )

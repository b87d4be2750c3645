"""What a tile is sorted into, and how large it is."""

from histoserve.phantom.lesion.plan import CLASSES

__all__ = ["CLASSES", "MPP", "TILE_PX"]


TILE_UM = 512.0
"""Side of a tile: 1024 px at 20× (CN113887377A [0068])."""
TILE_PX = 224
"""What the network sees of it."""
MPP = TILE_UM / TILE_PX

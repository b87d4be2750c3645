"""Layers of a prepared picture in px of its original."""

from dataclasses import replace

import numpy as np

from histoserve.client.frame import Frame
from histoserve.client.results.layers import Arrows, Card, Grid, Layer, Ring, Shape, Shapes


def placed(layer: Layer, frame: Frame) -> Layer:
    """The layer itself where the picture is the original; a card's region is the upright one around it."""
    if frame.is_identity:
        return layer
    if isinstance(layer, Grid):
        x, y, width, height = layer.l0_first
        left, top = frame.points(np.array([(x, y)]))[0].tolist()
        first = (left, top, width / frame.scale, height / frame.scale)
        return replace(layer, l0_first=first, turned=(layer.turned + frame.degrees) % 360)
    if isinstance(layer, Arrows):
        tails, heads = (frame.points(ends).astype(np.float32) for ends in (layer.l0_tails, layer.l0_heads))
        return replace(layer, l0_tails=tails, l0_heads=heads)
    if isinstance(layer, Shapes):
        return replace(layer, each=lambda: (_shape(shape, frame) for shape in layer.each()))
    return replace(layer, each=[_card(card, frame) for card in layer.each])


def _shape(shape: Shape, frame: Frame) -> Shape:
    def ring(l0_points: Ring) -> Ring:
        return frame.points(l0_points).astype(np.float32)

    holes, further = map(ring, shape.l0_holes), (tuple(map(ring, part)) for part in shape.l0_further)
    return shape._replace(l0_outline=ring(shape.l0_outline), l0_holes=tuple(holes), l0_further=tuple(further))


def _card(card: Card, frame: Frame) -> Card:
    region = np.array(frame.around(card.l0_region.tolist()), np.float32)
    return replace(card, l0_region=region, inside=[_shape(shape, frame) for shape in card.inside])

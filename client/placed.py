"""Layers of a prepared picture in px of its original."""

from dataclasses import replace

import numpy as np

from histoserve.client.frame import Frame
from histoserve.client.results.layers import Arrows, Card, Grid, Layer, Shape, Shapes


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
    return shape._replace(l0_outline=frame.points(shape.l0_outline).astype(np.float32))


def _card(card: Card, frame: Frame) -> Card:
    region = np.array(frame.around(card.l0_region.tolist()), np.float32)
    return replace(card, l0_region=region, inside=[_shape(shape, frame) for shape in card.inside])

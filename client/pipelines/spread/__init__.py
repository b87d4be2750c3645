"""Spread: the share of lesion cells in each region, and the direction and extent that they tell (`rows`)."""

from histoserve.client.pipelines.spread.rows import Rows

__all__ = ["Rows"]

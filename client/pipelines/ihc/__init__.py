"""Tumour cells of a slide stained for a marker, positive or negative (CN114387243A [0126-0132])."""

from histoserve.client.pipelines.ihc.rows import Rows

__all__ = ["Rows"]

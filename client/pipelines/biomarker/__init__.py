"""Biomarker: the rows and their result (`rows`), what it shows (`shown`), and the readings themselves (`readings`)."""

from histoserve.client.pipelines.biomarker.rows import Rows

__all__ = ["Rows"]

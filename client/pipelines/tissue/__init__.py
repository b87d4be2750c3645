"""Tissue: the rows and what is written of them (`rows`), and the abnormal regions (`regions`)."""

from histoserve.client.pipelines.tissue.rows import Rows

__all__ = ["Rows"]

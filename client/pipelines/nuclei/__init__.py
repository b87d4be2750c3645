"""Nuclei: the rows and what is written of them (`rows`), and what the public tensors mean (`tensors`)."""

from histoserve.client.pipelines.nuclei.rows import Rows

__all__ = ["Rows"]

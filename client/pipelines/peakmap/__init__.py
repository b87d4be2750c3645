"""Peakmap: the peaks while rows come in (`peaks`), and the slide's class and what is written of it (`rows`)."""

from histoserve.client.pipelines.peakmap.rows import Rows

__all__ = ["Rows"]

"""H&E tissue with nuclei of known outlines and types."""

from histoserve.phantom.he.slide import HeSlide

drawing = HeSlide

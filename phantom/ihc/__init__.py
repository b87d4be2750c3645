"""A section stained for one marker: brown DAB where it is expressed, pale blue haematoxylin in all nuclei."""

from histoserve.phantom.ihc.plan import ihc_slide

drawing = ihc_slide

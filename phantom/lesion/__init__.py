"""H&E tissue that is normal or holds a solid or cribriform lesion, with look-alikes of one on every slide."""

from histoserve.phantom.lesion.plan import lesion_slide

drawing = lesion_slide

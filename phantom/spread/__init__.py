"""H&E tissue with a primary lesion, and lesion cells that thin out from it along a planted direction."""

from histoserve.phantom.spread.plan import spread_slide

drawing = spread_slide

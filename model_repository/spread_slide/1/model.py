from histoserve.ensemble.spread.slide import spread_slide
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(spread_slide)

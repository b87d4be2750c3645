from histoserve.ensemble.stage import bind
from histoserve.ensemble.tissue.slide import tissue_slide

TritonPythonModel = bind(tissue_slide)

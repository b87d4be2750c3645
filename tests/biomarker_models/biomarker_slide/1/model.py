from histoserve.ensemble.biomarker.slide import biomarker_slide
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(biomarker_slide)

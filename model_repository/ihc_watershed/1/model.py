from histoserve.ensemble.nuclei.watershed import watershed
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(watershed)

from histoserve.ensemble.stage import bind
from histoserve.ensemble.watershed import watershed

TritonPythonModel = bind(watershed)

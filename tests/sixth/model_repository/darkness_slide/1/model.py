from histoserve.ensemble.darkness.mean import mean
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(mean)

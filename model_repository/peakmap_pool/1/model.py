from histoserve.ensemble.attention import peakmap_pool
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(peakmap_pool)

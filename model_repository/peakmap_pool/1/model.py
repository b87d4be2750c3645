from histoserve.ensemble.peakmap.pool import peakmap_pool
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(peakmap_pool)

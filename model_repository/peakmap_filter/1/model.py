from histoserve.ensemble.peakmap.filter import peakmap_filter
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(peakmap_filter)

from histoserve.ensemble.peakmap.select import peakmap_select
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(peakmap_select)

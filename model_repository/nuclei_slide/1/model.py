from histoserve.ensemble.nuclei.seams import seams
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(seams)

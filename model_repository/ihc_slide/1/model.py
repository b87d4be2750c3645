from histoserve.ensemble.ihc.slide import read
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(read)

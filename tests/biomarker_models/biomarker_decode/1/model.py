from histoserve.ensemble.decode import decode
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(decode)

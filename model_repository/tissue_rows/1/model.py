from histoserve.ensemble.stage import bind
from histoserve.ensemble.tissue.rows import tissue_rows

TritonPythonModel = bind(tissue_rows)

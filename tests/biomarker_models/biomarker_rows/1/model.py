from histoserve.ensemble.biomarker.rows import biomarker_rows
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(biomarker_rows)

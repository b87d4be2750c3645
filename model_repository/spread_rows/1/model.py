from histoserve.ensemble.spread.rows import spread_rows
from histoserve.ensemble.stage import bind

TritonPythonModel = bind(spread_rows)

"""The closed loop of `biomarker`: are slides read as their true cells say, by a network that saw only stained pairs?

phantom pairs ─▶ `register` ─▶ `label`, each IHC tile by a reader ─▶ `train` ─▶ `export` ─▶ served ─▶ `analyze` of
unseen slides ─▶ against their true cells

Everything is kept in one folder; a run that was stopped goes on.
"""

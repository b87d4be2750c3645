"""The contract of a pipeline, for who calls it from other software: `histoserve describe`.

configs (installed, or a server's) ─┐
meaning (of every pipeline) ────────┼─▶ description (data) ─▶ text, or JSON
a room's `tensors` (of its own) ────┘
"""

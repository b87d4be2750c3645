"""A real Triton on this machine, from a Python wheel and on loopback only.

`triton.LocalTriton` → `supervise` (a process of its own) → tritonserver → one Python stub per stage instance.
`wheel` knows what the wheel holds, `backends` what it lacks, `models` which models are whole, `ports` where to listen;
`command` is what tritonserver is told, `prepare` what it finds on disk. `serve` is the command.
"""

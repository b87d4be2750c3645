"""A real Triton on this machine, from a Python wheel and on loopback only.

`triton.LocalTriton` → `supervise` (a process of its own) → tritonserver → one Python stub per stage instance.
`wheel` knows what the wheel holds, `backends` what it lacks, `serve` is the command.
"""

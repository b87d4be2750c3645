"""A network behind Triton against the same network in a bare loop."""

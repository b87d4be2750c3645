"""Triton backends that the wheel does not carry, one folder each."""

"""Replicas that follow the load: the closed loop."""

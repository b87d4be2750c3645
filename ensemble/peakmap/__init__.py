"""Stages of the peakmap pipeline: rows → those that can still be peaks (filter) → peaks (select) → feature (pool)."""

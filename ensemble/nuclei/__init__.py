"""Stages of the nuclei pipeline: maps → labels → nuclei of a tile (watershed) → one of each on the slide (seams)."""

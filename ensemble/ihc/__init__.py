"""Stages of `ihc`: which cells of a stained slide are tumour cells of the lesion region, and their reading."""

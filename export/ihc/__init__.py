"""Cells of slides stained for a marker, positive or negative, of the tumour or not (CN114387243A [0126-0132])."""

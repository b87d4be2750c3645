"""Tiles stained for a marker, read as labels are: whether tumour is told from none, and how far off readings are."""

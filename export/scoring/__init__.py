"""How good served results are, against labelled data."""

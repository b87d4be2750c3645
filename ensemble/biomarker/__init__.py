"""`biomarker`: readings of immunohistochemical markers, by tile and of the slide (CN114387243A)."""

"""`biomarker`: networks that read Ki67, ER, PR and HER2 from H&E, one a marker, and their training (CN114387243A)."""

"""Whether phantoms of kind "biomarker" hold a sign of each marker, and none in colour or in the number of cells."""

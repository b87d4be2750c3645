"""Whether phantoms of kind "lesion" are as hard as they should be: for hand-made features, and for the true nuclei."""

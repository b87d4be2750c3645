"""Post-processing of nuclei against the reference implementation."""

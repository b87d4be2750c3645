"""Nuclei of H&E tissue, outlined and typed (CN114627142A)."""

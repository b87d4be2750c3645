"""Tissue with nests of tumour cells that express markers, to each of which its H&E holds a weak sign."""

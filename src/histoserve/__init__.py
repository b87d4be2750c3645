"""Serves pathology networks on whole-slide images through NVIDIA Triton; the folders beside `src` are its packages."""

"""Layers as pictures: `overview.png` and the contact sheets. Pictures are RGB (h, w, 3)."""

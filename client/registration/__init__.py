"""Two stained sections of one tissue, laid on each other: `histoserve register`.

H&E, IHC ─▶ views (optical density, foreground, µm) ─▶ coarse ─▶ fine ─▶ mutual information ─▶ even
         ─▶ checks ─▶ registration.json ─▶ Registration ─▶ through

Frames: `he_` are level-0 px of the H&E slide, which stays; `ihc_` those of the other, which is read through the matrix.
"""

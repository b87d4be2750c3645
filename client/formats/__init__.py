"""How slide files are read: what a file says of itself, and whether what a decoder returned can be that.

scanned ── OpenSlide's drivers;  plain ── images held in memory (tiff, png, jpeg, and CT or MR by
radiology);  tags ── what a TIFF says;
levels ── which levels of a pyramid are what they state
"""

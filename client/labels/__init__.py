"""Training sets: tiles of H&E slides, each with the reading of the same place of an IHC slide, and people's decisions.

DIR/labels.csv              a row a tile, for people; of what stands in it only `decision` is theirs
DIR/pairs/0001/pair.json    the two slides, the marker, the tiles' size
              /tiles.jsonl  the record: a line a tile, as it was read; `journal.jsonl` while the pair is not whole
              /registration.json, checkerboard.png
              /0001_he.png, 0001_ihc.png   tile 1, both in the H&E's orientation

The record does not change any more; each number in labels.csv is compared with it, since spreadsheets change numbers.
"""

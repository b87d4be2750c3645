"""The page on which people accept or drop the pairs of a training set: `histoserve view` of what `label` wrote.

labels.csv ─▶ tiles.json ─▶ page ─ a key ─▶ POST /decide ─▶ labels.csv, at once
"""

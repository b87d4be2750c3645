"""python -m histoserve.benchmark.any_size --tiles 1000000 -o DIR: exits with 1 if a target is missed."""

import argparse
import sys
from pathlib import Path

from histoserve.benchmark.any_size.bench import OUT, TILES, measure

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m histoserve.benchmark.any_size", description=__doc__)
    parser.add_argument("--tiles", type=int, default=TILES)
    parser.add_argument("-o", "--out", type=Path, default=OUT)
    given = parser.parse_args()
    sys.exit(measure(given.tiles, given.out))

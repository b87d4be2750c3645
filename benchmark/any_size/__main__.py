"""python -m histoserve.benchmark.any_size --tiles 1000000 -o DIR: exits with 1 if a target is missed."""

import argparse
import sys
from pathlib import Path

from histoserve.benchmark.any_size.bench import OUT, TILES, measure

LEAST = 1000

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m histoserve.benchmark.any_size", description=__doc__)
    parser.add_argument("--tiles", type=int, default=TILES)
    parser.add_argument("-o", "--out", type=Path, default=OUT)
    given = parser.parse_args()
    if given.tiles < LEAST:
        parser.error(f"--tiles {given.tiles}: fewer than {LEAST} are done before anything can be measured")
    sys.exit(measure(given.tiles, given.out))

"""Feeds the decode stage pictures that are nearly right: `python tests/fuzz_decode.py CASES SEED FILE`.

Each case is written to FILE before it is tried: when the process dies, what killed it stands there. Prints, as JSON,
how many of each format were decoded and refused, the slowest case, and the resident memory on the way.
"""

import json
import mmap
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from mutants import Rng, mutated, region, seeds

from histoserve.ensemble.decode import decode

SIDE, MAX_PIXELS = 32, 2**20
ANY_MPP = np.array([np.nan], np.float32)
MOST_SECONDS = 5.0
"""For one case."""
ADDRESSES = 4 * 2**30
"""More is not needed: a case that wants it fails."""


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 2**20, 1)


def outcome(data: bytes, where: np.ndarray) -> str:
    """Anything but these two fails the run."""
    try:
        limits = {"max_windows": 1, "max_tiles": 1, "max_pixels": MAX_PIXELS}
        pictures = np.array([data], object), where
        image = decode(*pictures, where, ANY_MPP, identity=1, tile_px=SIDE, **limits)["IMAGE"]
    except ValueError as error:
        message = str(error)
    else:
        assert (image.shape, image.dtype) == ((1, SIDE, SIDE, 3), np.uint8)
        assert np.isfinite(where).all()
        return "decoded"
    assert message.startswith(("TILE 0 ", "WINDOW ")), message
    return "refused by decoder" if "cannot be decoded" in message else "refused by header"


def pick(files: dict[str, list[bytes]], rng: Rng) -> tuple[str, bytes]:
    """One of a hundred is noise, the others are mutants."""
    if rng.random() < 0.01:
        return "noise", (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"P6")[rng.integers(4)] + rng.bytes(
            rng.integers(200)
        )
    form = str(rng.choice(list(files), p=(0.45, 0.4, 0.1, 0.05)))
    return form, mutated(files[form][rng.integers(len(files[form]))], rng)


def every_length(files: dict[str, list[bytes]]) -> Counter[str]:
    """The smallest file of each format, cut after 0, 1, 2, … bytes; only the whole one may be decoded."""
    found: Counter[str] = Counter()
    for form in ("JPEG", "PNG", "PPM"):
        data = min(files[form], key=len)
        cuts = [outcome(data[:length], np.array([[0, 0, 9, 9]], np.float32)) for length in range(len(data))]
        found.update(f"{form} cut: {each}" for each in cuts)
    return found


def run(cases: int, seed: int, file: Path) -> dict[str, object]:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    rng, files, found = np.random.default_rng(seed), seeds(), Counter[str]()
    file.write_bytes(bytes(2**20))
    memory, slowest, started = {}, 0.0, time.perf_counter()
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as last:
        for case in range(cases):
            form, data = pick(files, rng)
            last[: len(data) + 8] = len(data).to_bytes(8, "big") + data
            begun = time.perf_counter()
            found[f"{form}: {outcome(data, region(rng))}"] += 1
            slowest = max(slowest, time.perf_counter() - begun)
            assert slowest < MOST_SECONDS, f"{slowest:.1f} s for one case"
            if case + 1 in (cases // 10, cases // 2, cases):
                memory[f"{100 * (case + 1) // cases} %"] = resident_mib()
    found += every_length(files)
    seconds = round(time.perf_counter() - started, 1)
    return {"cases": dict(sorted(found.items())), "slowest_s": round(slowest, 4), "rss_mib": memory, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))

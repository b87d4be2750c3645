"""No bytes end the process of the decode stage; HISTOSERVE_FUZZ_CASES=100000 in the environment tries more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz_decode.py"
CASES = int(os.environ.get("HISTOSERVE_FUZZ_CASES", "3000"))
GROWTH_MIB = 32
"""Of the resident memory in the second half: more is a leak."""


def fuzzed(cases: int, seed: int, file: Path) -> dict:
    """The report; fails, with what is needed to try the case again, if the process dies."""
    command = [sys.executable, str(FUZZ), str(cases), str(seed), str(file)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60 + cases / 100)
    if process.returncode:
        last = file.read_bytes()
        data = last[8 : 8 + int.from_bytes(last[:8], "big")]
        pytest.fail(f"seed {seed}, exit {process.returncode}, bytes.fromhex({data.hex()!r})\n{process.stderr[-3000:]}")
    return json.loads(process.stdout)


@pytest.mark.parametrize("seed", [0, None], ids=["the same cases", "new cases"])
def test_no_mutant_ends_the_process_or_is_anything_but_decoded_or_refused(seed: int | None, tmp_path: Path) -> None:
    report = fuzzed(CASES, int.from_bytes(os.urandom(4), "big") if seed is None else seed, tmp_path / "last")
    print(report)
    assert (
        min(
            report["cases"][f"{form}: {end}"]
            for form in ("JPEG", "PNG", "PPM")
            for end in ("decoded", "refused by header")
        )
        > 9
    )
    assert not {"other: decoded", "JPEG cut: decoded", "PNG cut: decoded", "PPM cut: decoded"} & set(report["cases"])
    assert report["rss_mib"]["100 %"] - report["rss_mib"]["50 %"] < GROWTH_MIB

"""What the processes of a server hold, as Linux counts it: a page that several share counts once over all of them."""

import re
from collections import Counter
from pathlib import Path

PROCESSES = Path("/proc")
PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


def held_kib(server: int) -> Counter[str]:
    """KiB of memory of the tritonserver with this process number, its stages and its supervisor, by what they serve.

    Stages have the names of their models; several instances of one are added up.
    """
    held: Counter[str] = Counter()
    groups = {server, _parent_and_group(server)[0]}
    for process in _processes():
        try:
            if _parent_and_group(int(process.name))[1] in groups:
                held[_name(process)] += int(PSS.findall((process / "smaps_rollup").read_bytes())[0])
        except (OSError, IndexError):
            # It ended while it was looked at.
            continue
    return held


def threads(server: int) -> int:
    """Of all these processes."""
    groups = {server, _parent_and_group(server)[0]}
    mine = [each for each in _processes() if _parent_and_group(int(each.name))[1] in groups]
    return sum(len(list((each / "task").glob("*"))) for each in mine)


def _processes() -> list[Path]:
    return [each for each in PROCESSES.iterdir() if each.name.isdecimal()]


def _parent_and_group(pid: int) -> tuple[int, int]:
    """(0, 0) of a process that is gone."""
    try:
        # The second field, the name in brackets, may itself hold blanks and brackets.
        _, parent, group = (PROCESSES / str(pid) / "stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return 0, 0
    return int(parent), int(group)


def _name(process: Path) -> str:
    """A stage's model; of another process its command."""
    command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    if "stub" in command[0]:
        # Its first argument is <model>/<version>/<file>.
        return Path(command[1]).parent.parent.name
    return "supervise" if any("supervise" in word for word in command) else Path(command[0]).name

"""What a fresh clone has: all that git holds, as it is in the tree."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def tracked() -> list[str]:
    """Paths from the root of the checkout."""
    return subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()


def clone(folder: Path) -> Path:
    """`folder`, filled: a build leaves folders behind where it runs."""
    for name in filter(lambda name: (ROOT / name).exists(), tracked()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    return folder

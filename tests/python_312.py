"""The image's Python on this machine, if there is one that Triton's stub can be linked to."""

import os
import shutil
import subprocess
from pathlib import Path

ASKED = "import sys, sysconfig; print(sys.base_prefix, sysconfig.get_config_var('Py_ENABLE_SHARED'))"


def python_312() -> Path | None:
    """Its prefix; from PATH, or from pyenv, whose shims run only what a folder chose."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [shutil.which("python3.12"), *versions.glob("3.12*/bin/python3.12")]
    for python in filter(None, found):
        done = subprocess.run([python, "-I", "-c", ASKED], capture_output=True, text=True)
        prefix, _, shared = done.stdout.strip().rpartition(" ")
        if done.returncode == 0 and shared == "1":
            return Path(prefix)
    return None

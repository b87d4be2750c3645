"""The image of the servers without an engine that builds it, and its containers as processes of this machine.

    wheel of this tree ─▶ environment of Python 3.12 ─▶ kernels, as the Dockerfile compiles them ─▶ read-only root

Triton's server and its stub for Python 3.12 are of the wheel `nvidia-pytriton`; NVIDIA's image brings them.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fresh_clone import ROOT, clone
from python_312 import python_312
from read_only_root import ReadOnlyRoot, refusal

from histoserve.deploy.local.wheel import TritonWheel

MODELS, ENVIRONMENT, TRITON, KERNELS = "/models", "/opt/environment", "/opt/tritonserver", "/opt/histoserve/kernels"


@dataclass(frozen=True)
class Image:
    """What the image holds, and the variables of its containers."""

    root: ReadOnlyRoot
    variables: Mapping[str, str]

    def container(self, volumes: Mapping[str, str], variables: Mapping[str, str]) -> "Image":
        """The same where a container can write to these `volumes`, with `variables` besides those of the image."""
        return Image(replace(self.root, volumes=volumes), {**self.variables, **variables})

    def run(self, *argv: object) -> str:
        """What the command printed; it must end with 0."""
        command = self.root.command(*argv)
        done = subprocess.run(command, env=dict(self.variables), capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def why_not() -> str | None:
    """What this machine lacks for such an image."""
    if python_312() is None:
        return "needs Python 3.12, the image's, built with --enable-shared: as python3.12 on PATH, or in pyenv"
    return refusal()


def built(folder: Path) -> Image:
    """The image, its files in the empty `folder`."""
    prefix, wheel = python_312(), TritonWheel.installed()
    assert prefix is not None
    wheel = replace(wheel, stub=wheel.stub.parents[1] / "3.12" / wheel.stub.name)
    shown = {
        str(prefix): prefix,
        ENVIRONMENT: environment(prefix, folder),
        f"{TRITON}/bin": wheel.server.parent,
        f"{TRITON}/lib": wheel.libraries,
        f"{TRITON}/backends": wheel.assemble_backends(folder / "backends"),
        MODELS: ROOT / "model_repository",
    }
    for name in ("root", "kernels"):
        (folder / name).mkdir()
    first, then = variables_of_dockerfile()
    first |= {"PATH": f"{ENVIRONMENT}/bin:/usr/bin", "LD_LIBRARY_PATH": f"{prefix}/lib:{TRITON}/lib"}
    root = ReadOnlyRoot(folder / "root", shown, writable={KERNELS: folder / "kernels"})
    Image(root, first).run("python3", "-I", "-m", "histoserve.ensemble.kernels")
    return Image(replace(root, shown={**shown, **root.writable}, writable={}), {**first, **then})


def environment(prefix: Path, folder: Path) -> Path:
    """Of the Python of `prefix`, with this tree's wheel and what `[stages]` brings."""
    made, pip = folder / "environment", [sys.executable, "-m", "pip", "--quiet"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, clone(folder / "clone")]
    subprocess.run(wheel, check=True, timeout=200)
    subprocess.run([prefix / "bin" / "python3.12", "-m", "venv", "--without-pip", made], check=True, timeout=100)
    wanted = [f"{next(folder.glob('*.whl'))}[stages]", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, "--python", made / "bin" / "python", "install", *wanted], check=True, timeout=300)
    return made


def variables_of_dockerfile() -> list[dict[str, str]]:
    """What each ENV says, in order."""
    lines = re.findall(r"^ENV (.*)$", (ROOT / "deploy" / "image" / "Dockerfile").read_text(), re.MULTILINE)
    return [dict(word.split("=", 1) for word in shlex.split(line)) for line in lines]

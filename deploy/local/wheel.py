"""What of Triton the `nvidia-pytriton` wheel holds, and the backend directory put together from it.

The wheel's own start-up code is not used: it serves models that live in the parent process, not a model repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

INSTALL = "pip install 'histoserve[server]'"
OWN_BACKENDS = Path(__file__).parent / "backends"
MIB = 2**20
MEMORY = {
    # What is free goes back to the system: unless told, the C library learns from large arrays to keep ever more of
    # them. A stage holds half of what it would, and none that loads its kernels keeps what that took.
    "MALLOC_TRIM_THRESHOLD_": str(8 * MIB),
    "MALLOC_MMAP_THRESHOLD_": str(4 * MIB),
    # NumPy would start a thread for each core in each stage, and no stage multiplies matrices.
    "OPENBLAS_NUM_THREADS": "1",
}
"""Of the server and its stages, unless the caller's environment says otherwise."""


class LocalTritonError(RuntimeError):
    """A local Triton that cannot be started, or that ended; the message says what failed and what to do."""


@dataclass(frozen=True)
class TritonWheel:
    """The parts of an installed wheel, for the Python that runs this."""

    server: Path
    """The tritonserver executable."""
    libraries: Path
    """The shared libraries that the server and its backends load."""
    python_backend: Path
    """The folder with the Python backend's library and its Python module."""
    stub: Path
    """The process that runs one Python stage, linked to this version of Python."""

    @classmethod
    def installed(cls) -> TritonWheel:
        """The wheel of this environment. Raises LocalTritonError if it, or its stub for this Python, is missing."""
        root = _installed_root()
        triton = root / "pytriton" / "tritonserver"
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stub = triton / "python_backend_stubs" / version / "triton_python_backend_stub"
        if not stub.exists():
            served = sorted((path.name for path in stub.parent.parent.glob("3.*")), key=lambda name: int(name[2:]))
            raise LocalTritonError(
                f"nvidia-pytriton runs Python stages on Python {', '.join(served)}, and this is Python {version}: "
                f"make an environment with one of those and run {INSTALL} in it"
            )
        _refuse_numpy_2()
        _refuse_two_runtimes()
        return cls(
            server=triton / "bin" / "tritonserver",
            libraries=root / "nvidia_pytriton.libs",
            python_backend=triton / "backends" / "python",
            stub=stub,
        )

    def assemble_backends(self, folder: Path) -> Path:
        """Fill a new `folder` with one backend directory for Triton: the wheel's `python` and this project's own.

        All of it is copied (4 MB): Triton refuses links that lead out of the directory.
        """
        python = folder / "python"
        python.mkdir(parents=True)
        for path in [self.stub, *self.python_backend.iterdir()]:
            if path.is_file():
                shutil.copyfile(path, python / path.name)
        # Set anew, since some installers unpack without the executable bit.
        (python / self.stub.name).chmod(0o755)
        for path in OWN_BACKENDS.glob("*/model.py"):
            (folder / path.parent.name).mkdir()
            shutil.copyfile(path, folder / path.parent.name / path.name)
        return folder

    def environment(self, parent: Mapping[str, str]) -> dict[str, str]:
        """The variables under which the server and its stubs run this Python with all its packages.

        The stub's interpreter takes its prefix from the first `python3` on PATH. With this environment's own `python3`
        there, it is this environment: `.pth` files and editable installs included, which PYTHONPATH would miss.
        Raises LocalTritonError for an environment in a place that PATH cannot name.
        """
        if os.pathsep in f"{sys.prefix}{self.libraries}":
            raise LocalTritonError(
                f"an environment whose path holds {os.pathsep!r} cannot be named in PATH: make one elsewhere than in "
                f"{sys.prefix}"
            )
        libraries = [*_python_libraries(), str(self.libraries), parent.get("LD_LIBRARY_PATH", "")]
        cache = Path(parent.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "histoserve" / "numba"
        return {
            **MEMORY,
            "NUMBA_CACHE_DIR": str(cache),
            # Of float32 10 bits would be left in products on a GPU; ONNX Runtime has no option of TensorRT's for this.
            "NVIDIA_TF32_OVERRIDE": "0",
            # ONNX Runtime would report to its maker.
            "ORT_DISABLE_TELEMETRY": "1",
            "PYTHONUNBUFFERED": "1",
            **parent,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{parent.get('PATH', os.defpath)}",
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        }


def check_stub(stub: Path, environment: Mapping[str, str]) -> None:
    """Raise LocalTritonError if the stub cannot be loaded: most often for want of a shared libpython."""
    # Without arguments a stub that loads says so and exits with 1; the dynamic linker's failure is 127.
    try:
        tried = subprocess.run([stub], env=dict(environment), capture_output=True, text=True, check=False)
    except OSError as error:
        raise LocalTritonError(
            f"cannot run {stub} ({error.strerror}): is its file system mounted without the right to execute? "
            "Set XDG_STATE_HOME to a folder of another"
        ) from error
    if tried.returncode != 1:
        raise LocalTritonError(
            f"Triton's Python stub does not run with {sys.executable}: {tried.stderr.strip() or tried.returncode}. "
            "It needs this Python's shared library: use a Python that was built with --enable-shared "
            "(on Debian and Ubuntu also: apt install libpython3)"
        )


def _installed_root() -> Path:
    try:
        wheel = metadata.distribution("nvidia-pytriton")
    except metadata.PackageNotFoundError:
        raise LocalTritonError(
            f"a local Triton needs the package nvidia-pytriton, which is not installed: {INSTALL} (Linux, x86-64)"
        ) from None
    return Path(str(wheel.locate_file("")))


def _refuse_numpy_2() -> None:
    version = metadata.version("numpy")
    if int(version.split(".")[0]) >= 2:
        raise LocalTritonError(
            f"the Python backend of nvidia-pytriton returns empty outputs with NumPy 2, and NumPy {version} is "
            f"installed: {INSTALL} brings one that works"
        )


def _refuse_two_runtimes() -> None:
    """ONNX Runtime for a GPU is the same module: installed beside the other, files of both lie in one folder."""
    if all(_is_installed(name) for name in ("onnxruntime", "onnxruntime-gpu")):
        raise LocalTritonError(
            "onnxruntime and onnxruntime-gpu are both installed, and are one module: pip uninstall onnxruntime"
            " onnxruntime-gpu, then install 'histoserve[gpu]' for a GPU, or 'histoserve[server]'"
        )


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _python_libraries() -> list[str]:
    """The folders in which this Python's own libpython may lie, if it has a shared one."""
    library = sysconfig.get_config_var("INSTSONAME") or ""
    folders = [sysconfig.get_config_var("LIBDIR") or "", f"{sys.base_prefix}/lib"]
    return [folder for folder in dict.fromkeys(folders) if folder and (Path(folder) / library).is_file()]

"""How every numeric kernel of this package is compiled."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(*signatures: str) -> Callable[[Kernel], Kernel]:
    """Compiles a function to machine code that runs without the GIL, for the given Numba signatures only.

    Signatures make it happen on import, so that a server is ready only once its kernels are, and no request waits for a
    compiler. The code is cached on disk. The cache notices a change of the kernel's own file, but not of a kernel that
    it calls in another file: kernels that call each other share a file.
    """

    def compile_kernel(function: Kernel) -> Kernel:
        kernel: Kernel = njit(list(signatures), cache=True, nogil=True)(function)
        return kernel

    return compile_kernel

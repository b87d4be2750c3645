"""`histoserve serve`: Triton in the foreground until it is told to stop."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from histoserve.deploy.local.models import models_for
from histoserve.deploy.local.ports import Ports
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError

GRPC_PORT = 8001
"""Triton's own default, and so that of most clients."""


def serve(
    repository: Path | None = None,
    port: int | None = None,
    http_port: int | None = None,
    metrics_port: int | None = None,
    pipelines: Sequence[str] = (),
) -> int:
    """Serve `pipelines` (default: all) of `repository` (default: the installed one) until Ctrl-C or SIGTERM.

    The gRPC `port` is 8001 unless given, the others are free ones. All addresses are printed once it is ready.
    Returns the exit code: 0 if it was told to stop, 1 if the server did not start or died.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        ports = Ports(port or GRPC_PORT, http_port, metrics_port)
        repository = repository or installed_repository()
        models = models_for(dict.fromkeys(pipelines), repository) if pipelines else None
        with LocalTriton(repository, models=models, ports=ports) as triton:
            print(f"models   {', '.join(triton.models)}")
            print(f"gRPC     {triton.grpc}\nHTTP     http://{triton.http}")
            print(f"health   http://{triton.http}/v2/health/ready\nmetrics  http://{triton.metrics}/metrics")
            print(f"log      {triton.log}\nready; Ctrl-C stops", flush=True)
            try:
                code = triton.wait()
            except KeyboardInterrupt:
                triton.stop(graceful=True)
                return 0
        print(f"tritonserver died with code {code}; its log is {triton.log}", file=sys.stderr)
        return 1
    except LocalTritonError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)


def installed_repository() -> Path:
    """The model repository that was installed with this package."""
    # Found, not imported: an import would leave a __pycache__ among the models.
    spec = importlib.util.find_spec("histoserve.model_repository")
    if spec is None or not spec.submodule_search_locations:
        raise LocalTritonError("this installation has no model repository: name one with --repository")
    return Path(next(iter(spec.submodule_search_locations)))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

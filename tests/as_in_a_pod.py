"""The chart's container of Triton, on this machine: its arguments for ports and places here, and when it is ready."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from rendered_chart import merged, objects, values

from histoserve.deploy.local.failure import failure_message
from histoserve.deploy.local.ports import LOOPBACK
from histoserve.deploy.local.wheel import TritonWheel

SERVICES = {"--http-port": "http", "--grpc-port": "grpc", "--metrics-port": "metrics"}
NOT_HERE = ("--backend-config=onnxruntime", "--model-repository")


def pod(kind: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Triton's pod as the values file of that kind, and `more` values, make it, and its container."""
    found: dict[str, Any] = objects(merged(values(kind), more))["Deployment/h-triton"]["spec"]["template"]["spec"]
    return found, found["containers"][0]


def arguments(container: Mapping[str, Any], ports: Mapping[str, int], **places: str) -> list[str]:
    """Of tritonserver but for the repository, on loopback alone; `places`: an option (`id`) → its value here."""
    here = {f"--{name.replace('_', '-')}": place for name, place in places.items()}
    told = []
    for argument in (each for each in container["args"] if not each.startswith(NOT_HERE)):
        name, sign, value = argument.partition("=")
        told.append(f"{name}{sign}{ports[SERVICES[name]] if name in SERVICES else here.pop(name, value)}")
    return [*told, *(f"{name}={value}" for name, value in here.items()), *(f"--{s}-address={LOOPBACK}" for s in ports)]


@contextmanager
def served(models: Path, folder: Path, told: Sequence[str], ports: Mapping[str, int]) -> Iterator[None]:
    """A Triton of this environment with these arguments; its files are in `folder`."""
    wheel = TritonWheel.installed()
    backends, log = wheel.assemble_backends(folder / "backends"), folder / "log"
    command = [str(wheel.server), *told, f"--model-repository={models}", f"--backend-directory={backends}"]
    print(shlex.join(command))
    with log.open("w") as file:
        running = subprocess.Popen(command, env=wheel.environment(os.environ), cwd=folder, stdout=file, stderr=file)
    try:
        until_ready(running, ports["http"], models, log)
        yield
    finally:
        running.kill()
        running.wait()


def until_ready(running: subprocess.Popen[bytes], port: int, models: Path, log: Path, seconds: float = 120) -> None:
    """AssertionError that says why, for a server of `models` that ended or takes longer."""
    deadline = time.monotonic() + seconds
    while http_status(port, "v2/health/ready") != 200:
        assert running.poll() is None, failure_message("the server ended", models, log)
        assert time.monotonic() < deadline, failure_message("the server is not ready", models, log)
        time.sleep(0.1)


def http_status(port: int, path: str) -> int | None:
    with suppress(OSError):
        try:
            return urlopen(f"http://{LOOPBACK}:{port}/{path}", timeout=5).status
        except HTTPError as error:
            return error.code
    return None

"""What tritonserver is told when it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from histoserve.deploy.local.ports import LOOPBACK

PINGS_MS = 1000
"""How often a client may ask whether the connection still stands, with or without a request in flight.

A slow stage answers nothing for minutes, and gRPC's servers cut off who asks more than once in five of them.
"""
HTTP_THREADS = 2
"""For those who ask after its health and its metrics; Triton's own number is 8."""
STUB_THREADS = 2
"""In the server for each instance of a stage, for requests that the stage itself makes: so many of them run at once.

Triton's own number is 32.
"""


def arguments(
    server_id: str,
    repository: Path,
    backends: Path,
    models: Iterable[str],
    ports: Mapping[str, int],
    host: str = LOOPBACK,
) -> list[str]:
    """The server's arguments; `ports` are those of its services, gRPC, HTTP and metrics, all on `host`."""
    of_backends = [f"shm-region-prefix-name={server_id}-", f"thread-pool-size={STUB_THREADS}"]
    names = sorted(path.name for path in backends.iterdir())
    return [
        f"--id={server_id}",
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        # All three: each service would listen on every interface otherwise.
        *(f"--{name}-{part}" for name, port in ports.items() for part in (f"address={host}", f"port={port}")),
        "--grpc-keepalive-permit-without-calls=true",
        f"--grpc-http2-min-recv-ping-interval-without-data={PINGS_MS}",
        f"--http-thread-count={HTTP_THREADS}",
        # Its measuring writes a log of its own into /var/log.
        "--allow-gpu-metrics=false",
        "--model-control-mode=explicit",
        *(f"--load-model={model}" for model in models),
        # The configs are the contract and complete; guessing costs one more process per stage at each start.
        "--disable-auto-complete-config",
        *(f"--backend-config={name},{setting}" for name in names for setting in of_backends),
    ]

"""The chart's Envoy with its guard on, run on this machine, and what callers show it: certificates and tokens."""

import base64
import hashlib
import hmac
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml
from rendered_chart import merged, objects, values

from histoserve.deploy.local import envoy
from histoserve.deploy.local.ports import LOOPBACK, Ports, chosen

SECRET = b"a secret of the tests, 32 letters"
KEYS = {"keys": [{"kty": "oct", "alg": "HS256", "kid": "k", "k": ""}]}


@dataclass(frozen=True)
class Guarded:
    """Where it is, and what may be shown to it."""

    address: str
    """Of gRPC."""
    observe: str
    """Of health and metrics."""
    folder: Path
    """Holds ca.crt, and certificate and key of the server, of a client, of a stranger."""


def letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


KEYS["keys"][0]["k"] = letters(SECRET)


def token(**changes: Any) -> str:
    """Signed for ten minutes from now; None takes a claim away."""
    now = int(time.time())
    claims = {"iss": "https://login.example", "aud": "histoserve", "sub": "scanner-1", "exp": now + 600, **changes}
    parts = [{"alg": "HS256", "kid": "k"}, {key: value for key, value in claims.items() if value is not None}]
    text = ".".join(letters(json.dumps(part).encode()) for part in parts)
    return f"{text}.{letters(hmac.new(SECRET, text.encode(), hashlib.sha256).digest())}"


def certificates(folder: Path) -> None:
    """ca, and signed by it tls (of localhost) and client; stranger is signed by itself."""
    own = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key"]
    server = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:false"]
    made = {"ca": [], "tls": [*signed, *server], "client": signed, "stranger": []}
    for name, options in made.items():
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
        subprocess.run([*own, *files, *options], cwd=folder, check=True, capture_output=True)


@contextmanager
def guarded(folder: Path, guard: dict[str, Any], upstream: int) -> Iterator[Guarded]:
    """Before the server of the gRPC port `upstream`."""
    certificates(folder)
    config = objects(merged(values("cpu"), {"guard": guard}))["ConfigMap/h-envoy"]["data"]["envoy.yaml"]
    ports = chosen(Ports())
    # The places of a pod are not this machine's.
    config = config.replace("/etc/envoy-tls", str(folder)).replace("/run/envoy/", "").replace("0.0.0.0", LOOPBACK)
    whole = yaml.safe_load(config.replace("h-triton.path.svc", LOOPBACK))
    for listener, port in zip(whole["static_resources"]["listeners"], list(ports.values())[:2], strict=True):
        listener["address"]["socket_address"]["port_value"] = port
    [replicas] = [each for each in whole["static_resources"]["clusters"] if each["name"] == "replicas"]
    [endpoint] = replicas["load_assignment"]["endpoints"][0]["lb_endpoints"]
    endpoint["endpoint"]["address"]["socket_address"]["port_value"] = upstream
    (folder / "envoy.yaml").write_text(yaml.safe_dump(whole))
    command = [str(envoy.installed()), "--disable-hot-restart", "--concurrency", "1", "-c", "envoy.yaml", "-l", "warn"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        assert _up(f"http://{LOOPBACK}:{ports['http']}/replicas", running), (folder / "log").read_text()
        yield Guarded(f"localhost:{ports['grpc']}", f"http://{LOOPBACK}:{ports['http']}", folder)
    finally:
        running.kill()
        running.wait()


def _up(url: str, running: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and running.poll() is None:
        with suppress(OSError):
            return urlopen(url, timeout=2).status == 200
        time.sleep(0.1)
    return False

"""Who asks a cluster's Envoy for what it must not have is told so by the right status; no server is behind it."""

import base64
import hashlib
import hmac
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
import yaml
from rendered_chart import merged, objects, values
from tritonclient.grpc import service_pb2, service_pb2_grpc

from histoserve.client import wire
from histoserve.deploy.local import envoy
from histoserve.deploy.local.ports import Ports, chosen

pytest.importorskip("helm_python")
pytestmark = pytest.mark.skipif(
    envoy.installed() is None or not shutil.which("openssl"), reason="needs Envoy and openssl"
)

SECRET = b"a secret of the tests, 32 letters"
ALLOWED = 3
"""Requests in a minute."""


def letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(**changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": "https://login.example", "aud": "histoserve", "sub": "scanner-1", "exp": now + 600, **changes}
    parts = [{"alg": "HS256", "kid": "k"}, {key: value for key, value in claims.items() if value is not None}]
    text = ".".join(letters(json.dumps(part).encode()) for part in parts)
    return f"{text}.{letters(hmac.new(SECRET, text.encode(), hashlib.sha256).digest())}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bytes]]:
    """The address of the chart's Envoy with everything on, and the certificate that it shows."""
    folder = tmp_path_factory.mktemp("guarded")
    own = ["-keyout", "tls.key", "-out", "tls.crt", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *own]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    keys = {"keys": [{"kty": "oct", "alg": "HS256", "kid": "k", "k": letters(SECRET)}]}
    jwt = {"issuer": "https://login.example", "audience": "histoserve", "jwks": json.dumps(keys)}
    guard = {"tlsSecret": "tls", "jwt": jwt, "requestsPerMinute": ALLOWED}
    config = objects(merged(values("cpu"), {"guard": guard}))["ConfigMap/h-envoy"]["data"]["envoy.yaml"]
    ports = chosen(Ports())
    # The places of a pod are not this machine's.
    config = config.replace("/etc/envoy-tls", str(folder)).replace("/run/envoy/", "").replace("0.0.0.0", "127.0.0.1")
    whole = yaml.safe_load(config)
    for listener, port in zip(whole["static_resources"]["listeners"], list(ports.values())[:2], strict=True):
        listener["address"]["socket_address"]["port_value"] = port
    (folder / "envoy.yaml").write_text(yaml.safe_dump(whole))
    command = [str(envoy.installed()), "--disable-hot-restart", "--concurrency", "1", "-c", "envoy.yaml", "-l", "warn"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        assert eventually_up(f"http://127.0.0.1:{ports['http']}/ready", running), (folder / "log").read_text()
        yield f"localhost:{ports['grpc']}", (folder / "tls.crt").read_bytes()
    finally:
        running.kill()
        running.wait()


def eventually_up(url: str, running: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and running.poll() is None:
        with suppress(OSError):
            return urlopen(url, timeout=2).status == 200
        time.sleep(0.1)
    return False


def asked(guarded: tuple[str, bytes], bearer: str | None, method: str = "ServerLive", size: int = 0) -> tuple[str, str]:
    """The status and words of an answer."""
    credentials = grpc.ssl_channel_credentials(guarded[1])
    metadata = [("authorization", f"Bearer {bearer}")] if bearer else []
    with grpc.secure_channel(guarded[0], credentials, options=[("grpc.enable_http_proxy", 0)]) as channel:
        request = service_pb2.ModelInferRequest(raw_input_contents=[bytes(size)])
        ask = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        empty = getattr(service_pb2, f"{method}Request")()
        error = getattr(ask, method).future(request if size else empty, metadata=metadata, timeout=20).exception()
    return error.code().name, error.details()


LET_THROUGH = "UNAVAILABLE"
"""There is nobody behind it."""


@pytest.mark.parametrize(
    ("bearer", "method", "status"),
    [
        (token(), "ServerLive", LET_THROUGH),
        (None, "ServerLive", "UNAUTHENTICATED"),
        (token(exp=1), "ServerLive", "UNAUTHENTICATED"),
        (token(exp=None), "ServerLive", "UNAUTHENTICATED"),
        (token(sub=None), "ServerLive", "UNAUTHENTICATED"),
        (token(iss="https://other.example"), "ServerLive", "UNAUTHENTICATED"),
        (token()[:-4] + "AAAA", "ServerLive", "UNAUTHENTICATED"),
        (token(aud="another"), "ServerLive", "PERMISSION_DENIED"),
        (token(sub="scanner-2"), "RepositoryModelLoad", "PERMISSION_DENIED"),
        (token(sub="scanner-2"), "SystemSharedMemoryRegister", "PERMISSION_DENIED"),
    ],
)
def test_a_caller_is_told_what_it_lacks(
    guarded: tuple[str, bytes], bearer: str | None, method: str, status: str
) -> None:
    assert asked(guarded, bearer, method)[0] == status


def test_a_body_that_is_too_large_is_refused(guarded: tuple[str, bytes]) -> None:
    _, words = asked(guarded, token(sub="scanner-3"), "ModelInfer", 65 * 2**20)

    assert wire.TOO_LARGE.search(words)


def test_a_caller_that_asks_too_often_is_turned_away_and_others_are_not(guarded: tuple[str, bytes]) -> None:
    often = [asked(guarded, token(sub="scanner-4"))[0] for _ in range(3 * ALLOWED)]

    # It is given back bit by bit, so on a slow machine some more pass.
    assert often[:ALLOWED] == [LET_THROUGH] * ALLOWED
    assert "RESOURCE_EXHAUSTED" in often
    assert asked(guarded, token(sub="scanner-5"))[0] == LET_THROUGH


def test_plaintext_is_not_answered(guarded: tuple[str, bytes]) -> None:
    server = wire.Server(guarded[0])
    with pytest.raises(wire.NoAnswer):
        server.version()

"""Who asks a cluster's Envoy for what it must not have is told so: by the right status, and by our client in a line."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from guarded import KEYS, Guarded, guarded, json, token
from tritonclient.grpc import service_pb2, service_pb2_grpc
from typer.testing import CliRunner

from histoserve.client.access import PLAIN, Access, access_from_options
from histoserve.client.cli import app
from histoserve.client.errors import Denied, Full, NoAnswer, Refused, ServerError, Unavailable, WrongUsage
from histoserve.client.servers import Servers
from histoserve.client.wire import Server
from histoserve.deploy.local import envoy
from histoserve.deploy.local.triton import LocalTriton

pytest.importorskip("helm_python")
pytestmark = pytest.mark.skipif(
    envoy.installed() is None or not shutil.which("openssl"), reason="needs Envoy and openssl"
)

ALLOWED = 6
"""Requests in a minute."""
Show = Callable[..., Access]
NOW = {"INDEX": np.array([[1]])}
"""Of the model `table`."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, triton: LocalTriton) -> Iterator[Guarded]:
    """TLS, tokens and shares."""
    jwt = {"issuer": "https://login.example", "audience": "histoserve", "jwks": json.dumps(KEYS)}
    guard = {"tlsSecret": "tls", "jwt": jwt, "requestsPerMinute": ALLOWED}
    with guarded(tmp_path_factory.mktemp("guarded"), guard, port(triton.grpc)) as started:
        yield started


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory, triton: LocalTriton) -> Iterator[Guarded]:
    """TLS, with a certificate of the client."""
    guard = {"tlsSecret": "tls", "clientCertificates": True}
    with guarded(tmp_path_factory.mktemp("mutual"), guard, port(triton.grpc)) as started:
        yield started


@pytest.fixture
def show(everything: Guarded, tmp_path: Path) -> Show:
    """`show(bearer)`: the right CA, and a token's file."""

    def show(bearer: str | None, name: str = "token") -> Access:
        if bearer is not None:
            (tmp_path / name).write_text(f"{bearer}\n")
        return access_from_options(
            str(everything.folder / "ca.crt"), None, None, tmp_path / name if bearer is not None else None
        )

    return show


def port(address: str) -> int:
    return int(address.rpartition(":")[2])


def asked(address: str, access: Access, method: str = "ServerLive", size: int = 0, **more: str) -> tuple[str, str]:
    """The status and words of an answer."""
    assert access.ca
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(access.ca)) as channel:
        request = service_pb2.ModelInferRequest(raw_input_contents=[bytes(size)])
        ask = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        empty = getattr(service_pb2, f"{method}Request")()
        metadata = [*access.metadata(), *((name.replace("_", "-"), value) for name, value in more.items())]
        call = getattr(ask, method).future(request if size else empty, metadata=metadata, timeout=20)
        error = call.exception()
    return ("OK", "") if error is None else (error.code().name, error.details())


WRONG_CALLERS: list[tuple[str | None, str, str]] = [
    (None, "UNAUTHENTICATED", r"wants a token \(UNAUTHENTICATED: Jwt is missing\): .*--token-file"),
    (token(exp=1), "UNAUTHENTICATED", r"does not take the token in .*token \(UNAUTHENTICATED: Jwt is expired\)"),
    (token(exp=None), "UNAUTHENTICATED", r"does not take the token in .*Jwt"),
    (token(sub=None), "UNAUTHENTICATED", r"does not take the token in .*Jwt"),
    (token(iss="https://other.example"), "UNAUTHENTICATED", r"does not take the token in .*Jwt issuer"),
    (token()[:-4] + "AAAA", "UNAUTHENTICATED", r"does not take the token in .*Jwt verification fails"),
    ("nonsense", "UNAUTHENTICATED", r"does not take the token in .*Jwt is not in the form"),
    (token(aud="another"), "PERMISSION_DENIED", r"does not take the token in .*Audiences in Jwt are not allowed"),
]


def test_who_has_all_that_is_asked_for_is_answered(everything: Guarded, show: Show) -> None:
    server = Server(everything.address, show(token(sub="good")))

    assert server.version() > "2"
    assert server.infer("table", NOW, 30)["VALUE"].item() == 11


@pytest.mark.parametrize(("bearer", "status", "line"), WRONG_CALLERS)
def test_a_wrong_caller_is_told_what_it_lacks(
    everything: Guarded, show: Show, bearer: str | None, status: str, line: str
) -> None:
    access = show(bearer)

    assert asked(everything.address, access)[0] == status
    with pytest.raises(Denied, match=line):
        Server(everything.address, access).version()
    with pytest.raises(Denied, match=line):
        Server(everything.address, access).infer("table", NOW, 30)


def test_the_command_says_it_in_one_line(everything: Guarded, show: Show) -> None:
    options = ["--ca", str(everything.folder / "ca.crt"), "--token-file", str(show(token(exp=1)).token.path)]

    done = CliRunner().invoke(app, ["describe", "nuclei", "--server", everything.address, *options])

    assert done.exit_code == 1
    assert " ".join(done.output.split()).count("Jwt is expired") == 1
    assert "Traceback" not in done.output
    assert "renew the file" in " ".join(done.output.split())


@pytest.mark.parametrize("method", ["RepositoryModelLoad", "SystemSharedMemoryRegister", "TraceSetting", "LogSettings"])
def test_a_method_that_is_not_on_the_list_is_refused(everything: Guarded, show: Show, method: str) -> None:
    access = show(token(sub=method))

    assert asked(everything.address, access, method) == ("PERMISSION_DENIED", "this method is not served")
    with pytest.raises(Denied, match=r"does not let this caller do that \(PERMISSION_DENIED: this method is not ser"):
        Server(everything.address, access)._asked(method, getattr(service_pb2, f"{method}Request")())


def test_a_body_that_is_too_large_is_refused_as_such(everything: Guarded, show: Show) -> None:
    access = show(token(sub="large"))

    assert asked(everything.address, access, "ModelInfer", 65 * 2**20)[0] == "RESOURCE_EXHAUSTED"
    with pytest.raises(Refused, match=r"larger than max \(64 MiB\): send fewer tiles in one"):
        Server(everything.address, access).infer("table", {"TILE": [bytes(65 * 2**20)]}, 60)


def test_a_caller_that_asks_too_often_is_turned_away_and_others_are_not(everything: Guarded, show: Show) -> None:
    often, other = show(token(sub="often"), "often"), show(token(sub="seldom"), "seldom")

    # Who names another caller in the header that the balancer makes of the token gets no other share.
    answers = [
        asked(everything.address, often, x_histoserve_caller=f"other-{number}")[0] for number in range(3 * ALLOWED)
    ]
    assert answers[:ALLOWED] == ["OK"] * ALLOWED
    # Which is given back once a minute: twice this often none is left.
    assert "RESOURCE_EXHAUSTED" in answers
    while asked(everything.address, often)[0] == "OK":
        pass
    with pytest.raises(Full, match=r"turns this caller away for now \(RESOURCE_EXHAUSTED: .*try again in a minute"):
        Server(everything.address, often).version()
    with pytest.raises(Full):
        Server(everything.address, often).infer("table", NOW, 30)
    assert asked(everything.address, other)[0] == "OK"


def test_a_token_is_read_again_when_its_file_was_changed(everything: Guarded, show: Show) -> None:
    access = show(token(exp=1))
    server = Server(everything.address, access)
    with pytest.raises(Denied, match="Jwt is expired"):
        server.version()

    show(token(sub="renewed"))
    assert server.version() > "2"
    # While the next one is written, the last one holds.
    access.token.path.write_text("")
    assert server.version() > "2"
    access.token.path.unlink()
    assert server.infer("table", NOW, 30)["VALUE"].item() == 11


def test_a_token_that_ran_out_on_the_way_costs_one_more_try(
    everything: Guarded, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, texts = show(token(sub="on its way")), [token(exp=1)]
    newest = access.token.text
    monkeypatch.setattr(access.token, "text", lambda: texts.pop() if texts else newest())
    server = Server(everything.address, access)

    with pytest.raises(Unavailable, match="the token is renewed"):
        server.infer("table", NOW, 30)
    texts.append(token(exp=1))
    assert Servers([server], 60).infer("table", NOW)["VALUE"].item() == 11


@pytest.mark.parametrize(
    ("ca", "line"),
    [
        (None, "It speaks TLS: name who signed its certificate with --ca FILE"),
        ("stranger.crt", r"Its certificate is for another name, or not signed by those in --ca .*stranger\.crt"),
    ],
)
def test_who_asks_a_port_of_tls_wrongly_is_told_how(everything: Guarded, ca: str | None, line: str) -> None:
    access = access_from_options(str(everything.folder / ca), None, None, None) if ca else PLAIN

    with pytest.raises(NoAnswer, match=line):
        Server(everything.address, access).version()


def test_a_certificate_for_another_name_is_not_believed(everything: Guarded, show: Show) -> None:
    with pytest.raises(NoAnswer, match="Its certificate is for another name"):
        Server(f"127.0.0.1:{port(everything.address)}", show(None)).version()


def test_tls_on_a_port_that_has_none_is_told(triton: LocalTriton, show: Show) -> None:
    with pytest.raises(NoAnswer, match="It speaks no TLS: leave out --ca"):
        Server(triton.grpc, show(None)).version()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("client", None),
        (None, "It wants a certificate of the client: name it with --certificate"),
        ("stranger", "It wants a certificate of the client, and does not take this one"),
    ],
)
def test_a_client_shows_its_certificate_where_it_is_asked_for(
    mutual: Guarded, name: str | None, line: str | None
) -> None:
    files = [mutual.folder / f"{name}.{ending}" if name else None for ending in ("crt", "key")]
    server = Server(mutual.address, access_from_options(str(mutual.folder / "ca.crt"), *files, None))

    if line is None:
        assert server.version() > "2"
        return
    with pytest.raises(NoAnswer, match=line):
        server.version()


def test_a_token_never_travels_in_plaintext_but_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token())
    access = access_from_options(None, None, None, tmp_path / "token")

    for address in ("127.0.0.1:8001", "localhost:8001", "[::1]:8001"):
        Server(address, access).close()
    for address in ("gpu1:8001", "127.0.0.1.example:8001", "localhost.:8001", "10.0.0.1:8001", "dns:///127.0.0.1:1"):
        with pytest.raises(WrongUsage):
            Server(address, access)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("nowhere", None, None, None), "--ca nowhere: No such file"),
        (("token", None, None, None), "is no PEM file"),
        (("damaged", None, None, None), "holds a damaged certificate"),
        (("ca.crt", "tls.crt", None, None), "belong together"),
        ((None, "tls.crt", "tls.key", None), "shown over TLS only"),
        (("ca.crt", "tls.crt", "client.key", None), "do not fit each other"),
        (("ca.crt", "nowhere", "client.key", None), "No such file"),
        (("ca.crt", None, None, "nowhere"), "--token-file .*: No such file"),
        (("ca.crt", None, None, "empty"), "holds no token"),
        (("ca.crt", None, None, "lines"), "holds no token"),
        (("ca.crt", None, None, "large"), "holds no token"),
        (("ca.crt", None, None, "."), "Is a directory"),
    ],
)
def test_a_file_that_cannot_be_it_is_told(everything: Guarded, options: tuple[Any, ...], line: str) -> None:
    made = {"token": token(), "damaged": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}
    for name, text in {**made, "empty": "\n", "lines": "a\nb", "large": "a" * 40_000}.items():
        (everything.folder / name).write_text(text)
    ca, *files = (None if each is None else everything.folder / each for each in options)

    with pytest.raises(WrongUsage, match=line.replace("--ca nowhere", "--ca .*nowhere")) as told:
        access_from_options(None if ca is None else str(ca), *files)
    assert "\n" not in str(told.value)


def test_what_is_shown_to_servers_needs_a_server(everything: Guarded, tmp_path: Path) -> None:
    from histoserve.client.connect import connect

    access = access_from_options(str(everything.folder / "ca.crt"), None, None, None)
    with pytest.raises(WrongUsage, match="name one with --server"), connect([], ["nuclei"], 1, access=access):
        pass
    assert issubclass(Denied, ServerError)

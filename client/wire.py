"""One Triton server over gRPC; the only file that knows gRPC and Triton's messages.

    address ─▶ Server ─contract(pipeline)─▶ Contract        ServerError: not a Triton, not that pipeline
                  ╰───infer(model, arrays)─▶ arrays by name  Unavailable, Lost, Internal, Refused: about that request

An input is an array, or a list of bytes for a BYTES tensor.
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor, triton_to_np_dtype

from histoserve.client.access import LOOPBACK, PLAIN, Access
from histoserve.client.configs import config_from_message
from histoserve.client.contract import Contract, ModelConfig, contract_from_configs
from histoserve.client.errors import (
    Denied,
    Full,
    Internal,
    Lost,
    NoAnswer,
    Refused,
    ServerError,
    Unavailable,
    WrongUsage,
)
from histoserve.client.fallen import Fallen
from histoserve.client.greeting import spoken_at

Arrays = Mapping[str, "NDArray[Any] | Sequence[bytes]"]
Outputs = Mapping[str, NDArray[Any]]

ASK_SECONDS = 5.0
"""For each question before the work starts: a wrong address must be told at once."""

CONTRACT_PAUSES = (0.5, 1.0)
"""Seconds before the questions of a contract are asked anew, where the connection broke between two of them."""

LIVE_EVERY, LIVE_WITHIN, LIVE_MISSES = 20.0, 10.0, 2
"""While a request takes long, its server is asked so often (s) whether it lives; unheard within so many seconds, so
many times in a row, it has vanished. Calls, unlike HTTP/2 pings, are not counted by a server as too many."""

CHANNEL = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A name that stands for several replicas is used as such, not only its first address.
    ("grpc.lb_policy_name", "round_robin"),
    # A server that says nothing about pings allows one in 300 s and hangs up after the third that came sooner. This is
    # for connections to several replicas behind one name, where the question whether one lives may reach another.
    ("grpc.keepalive_time_ms", 310_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)

PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
}
"""Say nothing about the request: a server starting, stopping, gone or overloaded."""

DENIED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
"""A caller that is not let in, or not to do that: no other try helps."""

TOKEN = re.compile(r"jwt|jwks|token|audience|issuer", re.IGNORECASE)
"""How Envoy says that it is the token."""

BROKE = re.compile(
    r"socket closed|stream removed|connection reset|broken pipe|goaway|endpoint read failed|end of (tcp )?stream"
    r"|rst_stream|connection termination|remote reset|reset before|upstream (connect|prot)",
    re.IGNORECASE,
)
"""How gRPC, or a proxy, says that a connection broke which had carried the request."""

NOBODY = re.compile(
    r"failed to connect|connections? to all|all addresses|name resolution|dns resolution|no healthy upstream"
    r"|connection failure|connection timeout|connection refused|overflow",
    re.IGNORECASE,
)
"""How they say that no connection came about; stronger than BROKE, since it may quote why an earlier one ended."""

FULL = re.compile(r"maximum queue size|overflow|overloaded|rate.?limit", re.IGNORECASE)
"""How Triton says that a queue is full, and Envoy that it, or a caller's share of it, is."""

STAGE_DIED = re.compile(r"stub process|not healthy|stub .*(unhealthy|terminated)", re.IGNORECASE)
"""How Triton says that a stage's process has ended: with the request, or before it."""

OF_REPLICA = "x-histoserve-replica"
"""Our Envoy says in each answer which server it is of (`deploy/chart/files/envoy.yaml`)."""

TOO_LARGE = re.compile(r"larger than max", re.IGNORECASE)
"""How gRPC refuses the length of a message; it would do so again."""


class Server:
    """A connection to one server, shared by threads."""

    def __init__(self, address: str, access: Access = PLAIN):
        self._host = _host(address)
        access.require_secret(address, self._host)
        self.address = address
        self._access = access
        self._channel = _channel(address, self._host, access)
        self._fallen = Fallen()
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def close(self) -> None:
        """Cancels what is in flight."""
        self._channel.close()

    def version(self) -> str:
        """Of the server; raises NoAnswer within seconds if no Triton answers."""
        try:
            answer = self._asked("ServerMetadata", service_pb2.ServerMetadataRequest())
        except grpc.RpcError as error:
            raise NoAnswer(self.address, _details(error), self._advice(error)) from error
        return str(answer.version)

    def contract(self, pipeline: str) -> Contract:
        """Raises ServerError for a server that cannot run the pipeline, NoAnswer for one that does not answer at once.

        A connection that breaks between two questions is made anew: what stands between may be started anew.
        """
        for pause in CONTRACT_PAUSES:
            self.version()
            try:
                return self._contract(pipeline)
            except grpc.RpcError:
                time.sleep(pause)
        self.version()
        try:
            return self._contract(pipeline)
        except grpc.RpcError as error:
            raise NoAnswer(self.address, _details(error), self._advice(error)) from error

    def _contract(self, pipeline: str) -> Contract:
        """As `contract`; raises what gRPC does for a connection that broke."""
        for model in (f"{pipeline}_tiles", f"{pipeline}_slide"):
            if not self._ready(model):
                raise ServerError(
                    f"The server at {self.address} does not serve {model}, which the pipeline {pipeline} needs. "
                    f"It has {self._pipelines()}. Start it with a repository that holds the pipeline."
                )
        return contract_from_configs(pipeline, self.config)

    def config(self, model: str) -> ModelConfig:
        """Raises ServerError if the server does not tell it, and what gRPC does for a connection that broke."""
        try:
            message = self._asked("ModelConfig", service_pb2.ModelConfigRequest(name=model)).config
            metadata = self._asked("ModelMetadata", service_pb2.ModelMetadataRequest(name=model))
        except grpc.RpcError as error:
            if _broke(error):
                raise
            raise ServerError(
                f"The server at {self.address} does not tell the config of {model} ({_details(error)})."
            ) from error
        return config_from_message(message, model, max(metadata.versions, key=_number, default=""))

    def infer(self, model: str, arrays: Arrays, timeout: float) -> Outputs:
        """One try; raises Unavailable, Lost, Internal, Refused, or ServerError for what no request can mend."""
        request = request_of(model, arrays)
        sent, shown = self._fallen.now(), self._access.metadata()
        try:
            call = self._stub.ModelInfer.future(request, timeout=timeout, metadata=shown)
            answer = self._answer(call)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAUTHENTICATED and shown != self._access.metadata():
                raise Unavailable(f"{self.address}, {model}: the token is renewed ({_details(error)})") from error
            raise self._of_replica(model, error, sent) from error
        # gRPC's ways to say that the channel was closed meanwhile
        except (ValueError, grpc.FutureCancelledError) as error:
            raise Unavailable(f"the connection to {self.address} is closed") from error
        if len(answer.outputs) != len(answer.raw_output_contents):
            raise ServerError(
                f"{self.address}, {model}: {len(answer.outputs)} outputs came with {len(answer.raw_output_contents)} "
                "contents. Serve a model repository of this version."
            )
        if (replica := _replica(call)) is not None:
            self._fallen.answered(replica, model, sent)
        pairs = zip(answer.outputs, answer.raw_output_contents, strict=True)
        return {output.name: self._array(model, output, raw) for output, raw in pairs}

    def _answer(self, call: Any) -> Any:
        """Waits; raises Unavailable if the server vanished without a word."""
        misses = 0
        while True:
            try:
                return call.result(timeout=LIVE_EVERY)
            except grpc.FutureTimeoutError:
                misses = 0 if self._lives() else misses + 1
            if misses == LIVE_MISSES:
                call.cancel()
                raise Unavailable(f"{self.address} vanished: it no longer says that it lives")

    def _lives(self) -> bool:
        try:
            self._asked("ServerLive", service_pb2.ServerLiveRequest(), LIVE_WITHIN)
        except grpc.RpcError as error:
            # A broken connection ends the request itself.
            return error.code() != grpc.StatusCode.DEADLINE_EXCEEDED
        # A guard that turns the question away is there too.
        except (ValueError, ServerError):
            return True
        return True

    def _asked(self, method: str, request: Any, within: float = ASK_SECONDS) -> Any:
        """The answer; raises Denied, Full, or what gRPC raises."""
        try:
            return getattr(self._stub, method)(request, timeout=within, metadata=self._access.metadata())
        except grpc.RpcError as error:
            if error.code() in DENIED:
                raise Denied(self._denial(error)) from error
            if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and not TOO_LARGE.search(error.details() or ""):
                raise Full(
                    f"The server at {self.address} turns this caller away for now ({_details(error)}): try again in "
                    "a minute, or ask who runs it for a larger share."
                ) from error
            raise

    def _denial(self, error: grpc.RpcError) -> str:
        said, token = _details(error), self._access.token
        if error.code() == grpc.StatusCode.UNAUTHENTICATED and token is None:
            return f"The server at {self.address} wants a token ({said}): name a file that holds one with --token-file."
        if token and TOKEN.search(said):
            return f"The server at {self.address} does not take the token in {token.path} ({said}): renew the file."
        return f"The server at {self.address} does not let this caller do that ({said}): ask who runs it."

    def _advice(self, error: grpc.RpcError) -> str | None:
        """What to do about a server that does not answer, where one can be more certain than NoAnswer is."""
        if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return None
        spoken = spoken_at(self._host, int(self.address.rpartition(":")[2]))
        if self._access.ca is None and spoken not in (None, "no TLS"):
            return "It speaks TLS: name who signed its certificate with --ca FILE, or --ca system."
        if self._access.ca is not None and spoken == "no TLS":
            return "It speaks no TLS: leave out --ca, or name the port that does."
        if spoken == "TLS, with a certificate of the client":
            return (
                "It wants a certificate of the client, and does not take this one: name another with --certificate."
                if self._access.certificate
                else "It wants a certificate of the client: name it with --certificate."
            )
        if spoken == "TLS":
            return f"Its certificate is for another name, or not signed by those in --ca {self._access.ca_named}."
        return None

    def _of_replica(self, model: str, error: grpc.RpcError, sent: float) -> ServerError:
        """As `_classified`; one of several replicas is not waited for, nor is a request blamed for its dead stage."""
        what, replica = self._classified(model, error), _replica(error)
        if isinstance(what, Lost) and what.stage_died and replica is not None:
            what.stage_died = False
            if not self._fallen.fell(replica, model, sent):
                return Unavailable(str(what))
        return what

    def _classified(self, model: str, error: grpc.RpcError) -> ServerError:
        message = f"{self.address}, {model}: {_details(error)}"
        code, details = error.code(), error.details() or ""
        if code == grpc.StatusCode.INVALID_ARGUMENT or TOO_LARGE.search(details):
            return Refused(message)
        if code != grpc.StatusCode.DEADLINE_EXCEEDED and _lost(details):
            lost = Lost(message)
            lost.stage_died = bool(STAGE_DIED.search(details))
            return lost
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED or (code in PASSING and FULL.search(details)):
            return Full(message)
        if code in PASSING:
            return Unavailable(message)
        if code in DENIED:
            return Denied(self._denial(error))
        if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
            return Internal(message)
        return ServerError(f"{message}. The server no longer serves what it did; see its log.")

    def _array(self, model: str, output: Any, raw: bytes) -> NDArray[Any]:
        # NumPy takes None for a float.
        dtype = np.dtype(triton_to_np_dtype(output.datatype) or object)
        shape = tuple(output.shape)
        # Neither BYTES nor BF16: no row is of them.
        if dtype.kind not in "biuf" or len(raw) != dtype.itemsize * math.prod(shape):
            raise ServerError(
                f"{self.address}, {model}: the output {output.name} came as {output.datatype} {list(shape)} in "
                f"{len(raw)} bytes, which do not fit. Serve a model repository of this version."
            )
        return np.frombuffer(raw, dtype).reshape(shape)

    def _ready(self, model: str) -> bool:
        try:
            return bool(self._asked("ModelReady", service_pb2.ModelReadyRequest(name=model)).ready)
        except grpc.RpcError as error:
            if _broke(error):
                raise
            return False

    def _pipelines(self) -> str:
        try:
            index = self._asked("RepositoryIndex", service_pb2.RepositoryIndexRequest(ready=True))
        except grpc.RpcError:
            return "others or none (it does not list its models)"
        names = {model.name for model in index.models}
        found = sorted(name[: -len("_tiles")] for name in names if name.endswith("_tiles"))
        return f"the pipelines {', '.join(found)}" if found else "no pipeline at all"


def request_of(model: str, arrays: Arrays) -> Any:
    """Triton's message, each input as raw bytes."""
    request = service_pb2.ModelInferRequest(model_name=model)
    for name, value in arrays.items():
        _add(request, name, value)
    return request


def _add(request: Any, name: str, value: "NDArray[Any] | Sequence[bytes]") -> None:
    """Appends an input."""
    array = value if isinstance(value, np.ndarray) else np.array(value, object)
    raw = serialize_byte_tensor(array).tolist() if array.dtype == object else array.tobytes()
    request.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
    request.raw_input_contents.append(raw or b"")


def _channel(address: str, host: str, access: Access) -> Any:
    # A proxy that the environment names for the internet does not lead to this machine.
    options = (*CHANNEL, ("grpc.enable_http_proxy", int(host not in LOOPBACK)))
    if access.ca is None:
        return grpc.insecure_channel(address, options=options)
    certificate, key = access.certificate or (None, None)
    credentials = grpc.ssl_channel_credentials(access.ca, key, certificate)
    return grpc.secure_channel(address, credentials, options=options)


def _host(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise WrongUsage(f"--server {address!r} is no address: give HOST:PORT of the gRPC port, as in localhost:8001.")
    return host


def _broke(error: grpc.RpcError) -> bool:
    """Whether it says nothing of the question: nobody was there to answer."""
    details = error.details() or ""
    return bool(BROKE.search(details) or NOBODY.search(details))


def _details(error: grpc.RpcError) -> str:
    return f"{error.code().name}: {error.details() or 'no details'}"


def _replica(call: Any) -> str | None:
    """The server that answered, by the balancer; None without one that says so."""
    metadata = [*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())]
    return next((str(value) for name, value in metadata if name == OF_REPLICA), None)


def _lost(details: str) -> bool:
    return bool(STAGE_DIED.search(details) or (BROKE.search(details) and not NOBODY.search(details)))


def _number(version: str) -> int:
    return int(version) if version.isdigit() else -1

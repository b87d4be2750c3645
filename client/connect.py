"""From the addresses on the command line, or from none, to servers that answer."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from histoserve.client.access import PLAIN, Access
from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError, WrongUsage
from histoserve.client.servers import NOTHING_KNOWN, Runs, Servers
from histoserve.client.wire import Arrays, Outputs, Server


class Wire(Protocol):
    """What an analysis needs of its servers."""

    def versions(self) -> list[str]:
        """Of Triton on the servers, each once."""

    def contract(self, pipeline: str) -> Contract:
        """What the pipeline wants of its client."""

    def infer(self, model: str, arrays: Arrays) -> Outputs:
        """Raises Refused, Internal, Lost, or what must end the run."""

    def record(self) -> list[dict[str, Any]]:
        """What became of the tries on each server."""

    def stop(self) -> None:
        """Makes every `infer` end at once."""


class Connection(Protocol):
    """What several slides need of their servers."""

    def share(self, in_flight: threading.Semaphore) -> Wire:
        """For one slide; `in_flight` lets through how many requests all of them may have at a time."""

    def stop(self) -> None:
        """Makes every `infer` of every share end at once."""


@contextmanager
def connect(
    addresses: Sequence[str],
    pipelines: Sequence[str],
    deadline: float,
    warn: Callable[[str], None] = lambda text: None,
    access: Access = PLAIN,
) -> Iterator[Servers]:
    """To the servers at `addresses`; without any, to one that is started here and stopped at the end."""
    if addresses:
        with _connected(addresses, deadline, warn, access) as wire:
            yield wire
        return
    if access != PLAIN:
        raise WrongUsage("--ca, --certificate and --token-file are for servers elsewhere: name one with --server.")
    with _local(pipelines) as (address, runs), _connected([address], deadline, warn, PLAIN, {address: runs}) as wire:
        yield wire


@contextmanager
def _connected(
    addresses: Sequence[str],
    deadline: float,
    warn: Callable[[str], None],
    access: Access,
    runs: Mapping[str, Runs] = NOTHING_KNOWN,
) -> Iterator[Servers]:
    if len(set(addresses)) < len(addresses):
        raise WrongUsage(f"--server names the same address twice: {', '.join(addresses)}.")
    servers = Servers([Server(address, access) for address in addresses], deadline, warn=warn, runs=runs)
    try:
        yield servers
    finally:
        servers.stop()


@contextmanager
def _local(pipelines: Sequence[str]) -> Iterator[tuple[str, Runs]]:
    # Not needed, and mostly not installed, where the servers are elsewhere.
    try:
        from histoserve.deploy.local.models import LackingModelsError, models_for
        from histoserve.deploy.local.runtimes import runtimes_in
        from histoserve.deploy.local.serve import installed_repository
        from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
    except ImportError as error:
        raise ServerError(
            f"Without --server a server is started on this machine, which needs more than is installed ({error}): "
            "pip install 'histoserve[server]', or name a running one with --server HOST:PORT."
        ) from error
    try:
        repository = installed_repository()
        with LocalTriton(repository, models=models_for(pipelines, repository)) as triton:
            yield triton.grpc, runtimes_in(triton.log)
    except LackingModelsError as error:
        raise WrongUsage(f"{error}, or --server names a server that has it.") from error
    except LocalTritonError as error:
        raise ServerError(str(error)) from error

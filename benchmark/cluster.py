"""Replicas behind the chart's Envoy, which finds them by name as on Kubernetes: a pod's life, acted out by processes.

    add    start ─▶ ready ─▶ in the name                  as a headless service lists a ready pod
    drain  out of the name ─▶ `noticed` s ─▶ SIGTERM      as the chart's `preStop` sleep and its grace period

A rolling update with a surge of one is an `add` and a `drain` for each replica. Each has an address of its own on
loopback and the port of all. Kubernetes is not here: the caller decides.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any
from urllib.request import urlopen

import yaml
from dnslib import QTYPE, RR, A, DNSRecord
from dnslib.server import DNSLogger, DNSServer

from histoserve.deploy.local.envoy import LocalEnvoy, filled
from histoserve.deploy.local.ports import LOOPBACK, Ports, chosen
from histoserve.deploy.local.triton import LocalTriton

NAME = "triton.replicas.test"
FIRST_HOST, LAST_HOST = 2, 250
NOTICED_S = 4.0
"""Envoy asks for the addresses every 2 s; the chart's `seconds.noticed` has a name server's memory besides."""

BALANCED_WITHIN_S = 60.0
HEALTHY = re.compile(r'^envoy_cluster_membership_healthy{envoy_cluster_name="replicas"} (\d+)', re.MULTILINE)


class Cluster:
    """`count` replicas of a repository at first, `most` at a time (default: no more); ends with its `with` block.

    Envoy lets in what `most` may hold, as the chart does.
    """

    def __init__(
        self,
        repository: Path,
        count: int,
        *,
        most: int | None = None,
        models: Sequence[str] | None = None,
        state: Path | None = None,
        noticed_s: float = NOTICED_S,
    ) -> None:
        self._most = most or count
        self.repository = repository
        self.replicas: list[LocalTriton] = []
        """Those that are in the name."""
        self._count, self._models, self._state, self._noticed_s = count, models, state, noticed_s
        self._names = _Names()
        self._port = chosen(Ports())["grpc"]
        self._hosts = iter(range(FIRST_HOST, LAST_HOST))
        self._all: list[LocalTriton] = []
        self._lock = Lock()
        self.balancer: LocalEnvoy

    @property
    def address(self) -> str:
        """Of Envoy."""
        return self.balancer.grpc

    @property
    def envoy(self) -> int:
        """Process number."""
        assert self.balancer._keeper is not None
        keeper = self.balancer._keeper.pid
        return int(Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()[0])

    def wait_until_balanced(self, within_s: float = BALANCED_WITHIN_S) -> None:
        """Returns when Envoy asks all replicas that are in the name, and no other; raises TimeoutError."""
        deadline = time.monotonic() + within_s
        while (healthy := self._healthy()) != len(self.replicas):
            if time.monotonic() > deadline:
                raise TimeoutError(f"Envoy asks {healthy} replicas, wanted {len(self.replicas)}: {self.balancer.log}")
            time.sleep(0.1)

    def _healthy(self) -> int:
        with urlopen(f"{self.balancer.observe}/stats/prometheus", timeout=10) as page:
            found = HEALTHY.search(page.read().decode())
        return int(found[1]) if found else 0

    def add(self) -> LocalTriton:
        """A further replica; returns when it is ready and in the name."""
        started = self.start(self.repository)
        self.enter(started)
        return started

    def start(self, repository: Path) -> LocalTriton:
        """A replica that is ready, but not in the name."""
        with self._lock:
            host = f"127.0.0.{next(self._hosts)}"
            replica = LocalTriton(
                repository, models=self._models, ports=Ports(grpc=self._port), state=self._state, host=host
            )
            self._all.append(replica)
        replica.start()
        return replica

    def enter(self, replica: LocalTriton) -> None:
        """Into the name."""
        with self._lock:
            self.replicas.append(replica)
            self._names.tell(self.replicas)

    def drain(self, replica: LocalTriton) -> None:
        """Returns when it has ended."""
        with self._lock:
            self.replicas.remove(replica)
            self._names.tell(self.replicas)
        time.sleep(self._noticed_s)
        replica.stop(graceful=True)

    def __enter__(self) -> Cluster:
        self._names.start()
        try:
            # Alone: it may have to compile the stages.
            self.add()
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda _: self.add(), range(self._count - 1)))
            self.balancer = _NamedEnvoy(self._port, self._names.port, self._most, state=self._state)
            self.balancer.start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.balancer.stop()
        self._stop()

    def _stop(self) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(LocalTriton.stop, self._all))
        self._names.stop()


class _NamedEnvoy(LocalEnvoy):
    """Asks our name server for its replicas; the chart fills in a name in the same place."""

    def __init__(self, port: int, dns: int, most: int, state: Path | None) -> None:
        super().__init__([], state=state)
        self._of_all, self._dns, self._most = port, dns, most

    def _config(self, port: int, observe: int) -> str:
        whole = yaml.safe_load(filled(port, observe, [self._of_all] * self._most))
        [cluster] = (each for each in whole["static_resources"]["clusters"] if each["name"] == "replicas")
        endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        del endpoints[1:]
        endpoints[0]["endpoint"]["address"]["socket_address"]["address"] = NAME
        cluster["cluster_type"]["typed_config"]["typed_dns_resolver_config"] = _resolver(self._dns)
        return str(yaml.safe_dump(whole, sort_keys=False))


def _resolver(port: int) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
    server = {"socket_address": {"address": LOOPBACK, "port_value": port}}
    options = {"no_default_search_domain": True}
    return {
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {"@type": kind, "resolvers": [server], "dns_resolver_options": options},
    }


class _Names:
    """A name server with one name."""

    def __init__(self) -> None:
        self._hosts: list[str] = []
        # 0: a free one.
        self._server = DNSServer(self, address=LOOPBACK, port=0, logger=DNSLogger(log="-recv,-send,-request,-reply"))
        self.port = int(self._server.server.server_address[1])

    def start(self) -> None:
        self._server.start_thread()

    def stop(self) -> None:
        self._server.server.shutdown()
        self._server.server.server_close()

    def tell(self, replicas: Sequence[LocalTriton]) -> None:
        self._hosts = [replica.grpc.rpartition(":")[0] for replica in replicas]

    def resolve(self, request: Any, handler: Any) -> Any:
        reply: DNSRecord = request.reply()
        if request.q.qtype == QTYPE.A:
            for host in self._hosts:
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(host), ttl=1))
        return reply

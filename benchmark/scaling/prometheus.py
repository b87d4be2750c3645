"""A real Prometheus on loopback that watches a cluster's replicas by the chart's own rules, with time made faster."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from histoserve.benchmark.cluster import Cluster
from histoserve.deploy.local import keep
from histoserve.deploy.local.ports import LOOPBACK, Ports, chosen

CHART = Path(__file__).parents[2] / "deploy" / "chart"
RELEASE, NAMESPACE = "h", "path"
SPAN = re.compile(r"\[(\d+)m\]")
READY_WITHIN_S = 30.0


class Prometheus:
    """As `watching` gives it."""

    def __init__(self, address: str, targets: Path) -> None:
        self._address = address
        self._targets = targets

    def watch(self, cluster: Cluster) -> None:
        """These replicas from now on, and Envoy."""
        places = {replica.metrics: "triton" for replica in cluster.replicas}
        places[cluster.balancer.observe.removeprefix("http://")] = "envoy"
        labels = {"histoserve": RELEASE, "namespace": NAMESPACE}
        told = [{"targets": [place], "labels": {**labels, "part": part}} for place, part in places.items()]
        partial = self._targets.with_suffix(".partial")
        partial.write_text(json.dumps(told))
        partial.replace(self._targets)

    def value(self, query: str) -> float | None:
        """Of a query with one series at most."""
        with urlopen(f"http://{self._address}/api/v1/query?{urlencode({'query': query})}", timeout=10) as page:
            found = json.load(page)["data"]["result"]
        return float(found[0]["value"][1]) if found else None


def rendered(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The chart's objects by kind, with these values besides what must be set."""
    from helm_python import Chart

    digest = f"sha256:{'0' * 64}"
    needed = {
        "image": {"repository": "registry.example/histoserve", "digest": digest},
        "envoy": {"image": {"digest": digest}},
    }
    files = Chart.load(str(CHART)).render({**needed, **values}, name=RELEASE, namespace=NAMESPACE)
    return {each["kind"]: each for text in files.values() for each in yaml.safe_load_all(text) if each}


@contextmanager
def watching(cluster: Cluster, rules: dict[str, Any], faster: int, folder: Path) -> Iterator[Prometheus]:
    """`rules`: the chart's PrometheusRule; its times are divided by `faster`. Raises OSError without a Prometheus."""
    program = shutil.which("prometheus")
    if program is None:
        raise OSError("no Prometheus is installed here: apt-get install prometheus")
    folder.mkdir()
    every = f"{15 / faster:g}s"
    groups = [
        {**group, "interval": every, "rules": recorded(group["rules"], faster)} for group in rules["spec"]["groups"]
    ]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {"job_name": "triton", "metrics_path": "/metrics", **_of("triton")},
            {"job_name": "envoy", "metrics_path": "/stats/prometheus", **_of("envoy")},
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    address = f"{LOOPBACK}:{chosen(Ports())['http']}"
    prometheus = Prometheus(address, folder / "targets.json")
    prometheus.watch(cluster)
    command = [program, "--config.file=prometheus.yaml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    with (folder / "log").open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", keep.__file__, str(os.getpid()), *command, "--log.level=warn"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await_ready(address, folder / "log")
        yield prometheus
    finally:
        keeper.terminate()
        keeper.wait()


def recorded(rules: Sequence[dict[str, Any]], faster: int) -> list[dict[str, Any]]:
    """Those that record, over spans `faster` times as short."""
    return [
        {**rule, "expr": SPAN.sub(lambda found: f"[{60000 * int(found[1]) // faster}ms]", rule["expr"])}
        for rule in rules
        if "record" in rule
    ]


def _of(part: str) -> dict[str, Any]:
    keep_part = {"source_labels": ["part"], "regex": part, "action": "keep"}
    return {"file_sd_configs": [{"files": ["targets.json"]}], "relabel_configs": [keep_part]}


def _await_ready(address: str, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        with suppress(OSError), urlopen(f"http://{address}/-/ready", timeout=2):
            return
        time.sleep(0.1)
    raise OSError(f"Prometheus was not ready within {READY_WITHIN_S:g} s: {log.read_text()[-2000:]}")

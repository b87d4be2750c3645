"""Grafana's dashboard: Prometheus reads every expression, and asks for nothing that the servers do not tell."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from guarded import KEYS, guarded, token
from rendered_chart import objects, values

from histoserve.client.access import access_from_options
from histoserve.client.wire import Server
from histoserve.deploy.local import envoy
from histoserve.deploy.local.triton import LocalTriton

pytest.importorskip("helm_python")

NAME = re.compile(r"\b(?:nv_|envoy_|kube_|up\b|histoserve:)[a-z0-9_:]*")
OF_LABELS = {"envoy_cluster_name"}
OF_KUBERNETES = {"kube_deployment_spec_replicas", "kube_deployment_status_replicas_available"}
"""kube-state-metrics tells these."""
ON_A_GPU = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes"}
"""No test machine has one; as in Triton's own description of its metrics."""
OF_PROMETHEUS = {"up"}
ENVOY_COUNTS_EVERY_S = 5.5
VARIABLES = {"$histoserve": "h", "$namespace": "path"}


def dashboard() -> dict[str, Any]:
    config = objects(values("cpu"))["ConfigMap/h-dashboard"]
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    return json.loads(config["data"]["histoserve.json"])


def shown() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def rules() -> list[dict[str, Any]]:
    [group] = objects(values("cpu"))["PrometheusRule/h"]["spec"]["groups"]
    return group["rules"]


@pytest.fixture(scope="module")
def told(triton: LocalTriton, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the series of a real Triton, and of the real Envoy with all that the chart may turn on."""
    jwt = {"issuer": "https://login.example", "audience": "histoserve", "jwks": json.dumps(KEYS)}
    guard = {"tlsSecret": "tls", "jwt": jwt, "requestsPerMinute": 9}
    with guarded(tmp_path_factory.mktemp("told"), guard, int(triton.grpc.rpartition(":")[2])) as started:
        (started.folder / "token").write_text(token())
        access = access_from_options(str(started.folder / "ca.crt"), None, None, started.folder / "token")
        # Of a histogram nothing is told before something was counted, which is on the next page that is made.
        assert Server(started.address, access).version()
        time.sleep(ENVOY_COUNTS_EVERY_S)
        pages = [f"http://{triton.metrics}/metrics", f"{started.observe}/stats/prometheus"]
        text = "\n".join(urlopen(page, timeout=10).read().decode() for page in pages)
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) | set(re.findall(r"^(\w+)[{ ]", text, re.MULTILINE))


@pytest.mark.skipif(envoy.installed() is None or not shutil.which("openssl"), reason="needs Envoy and openssl")
def test_all_that_is_asked_for_is_told_by_the_real_servers_or_recorded(told: set[str]) -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expression in [*shown(), *(rule["expr"] for rule in rules())]:
        for name in set(NAME.findall(expression)) - OF_LABELS - OF_KUBERNETES - ON_A_GPU - OF_PROMETHEUS - recorded:
            assert name in told, (name, expression)


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool: apt-get install prometheus")
def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    asked = []
    for number, expression in enumerate(shown()):
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        assert "$" not in expression
        asked.append({"record": f"shown_{number}", "expr": expression})
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": asked}]}))

    command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout


def test_every_panel_selects_its_release_and_says_what_it_shows() -> None:
    panels = dashboard()["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels) == 12
    assert all(panel["description"].endswith(".") and panel["fieldConfig"]["defaults"]["unit"] for panel in panels)
    for expression in shown():
        for selector in re.findall(r"\{([^}]*)\}", expression):
            assert 'namespace="$namespace"' in selector, expression
            assert "$histoserve" in selector, expression
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)

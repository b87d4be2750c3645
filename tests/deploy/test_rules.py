"""What a cluster is scaled by and what it warns of, tried by Prometheus itself on made-up series."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendered_chart import objects, values

pytest.importorskip("helm_python")
pytestmark = pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool: apt-get install prometheus")

OF = 'histoserve="h", namespace="path"'
BUSY = "histoserve:requests_in_servers:sum"


def series(name: str, grows: str, **labels: str) -> dict[str, str]:
    """In steps of 15 s, for ten minutes."""
    told = "".join(f', {key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{OF}{told}}}", "values": grows}


def duration(pod: str, model: str, grows: str) -> dict[str, str]:
    return series("nv_inference_request_duration_us", grows, part="triton", pod=pod, model=model)


def up(part: str) -> dict[str, str]:
    return series("up", "1x40", part=part, pod="a")


def sample(name: str, at: str, value: float | None) -> dict[str, Any]:
    found = [] if value is None else [{"labels": f"{name}{{{OF}}}", "value": value}]
    return {"expr": name, "eval_time": at, "exp_samples": found}


def alert(name: str, at: str, severity: str | None, summary: str = "") -> dict[str, Any]:
    labels = {"severity": severity, "histoserve": "h", "namespace": "path"}
    fires = [{"exp_labels": labels, "exp_annotations": {"summary": summary}}]
    return {"alertname": name, "eval_time": at, "exp_alerts": fires if severity else []}


def healthy(grows: str) -> dict[str, str]:
    return series("envoy_cluster_membership_healthy", grows, part="envoy", envoy_cluster_name="replicas")


NOBODY = "No replica can take a request, or no Envoy is there: callers wait."
DIED = "A stage of a replica ended, by memory or by a tile: see its log; it is started anew."
CASES: dict[str, dict[str, Any]] = {
    "two replicas with two requests each are four, whatever steps these have": {
        "input_series": [
            up("triton"),
            *(duration(pod, "nuclei_tiles", "0+30000000x40") for pod in "ab"),
            *(duration(pod, "nuclei_network", "0+20000000x40") for pod in "ab"),
        ],
        "promql_expr_test": [sample(BUSY, "5m", 4)],
    },
    "idle is 0, with requests in the past and without": {
        "input_series": [up("triton"), duration("a", "nuclei_tiles", "0+30000000x8 240000000x32")],
        "promql_expr_test": [sample(BUSY, "8m", 0)],
    },
    "a replica that nobody has asked yet is idle": {
        "input_series": [up("triton")],
        "promql_expr_test": [sample(BUSY, "5m", 0), sample("histoserve:queue_seconds:max", "5m", 0)],
    },
    "without any replica nothing is known": {
        "input_series": [series("up", "0x40", part="triton", pod="a")],
        "promql_expr_test": [sample(BUSY, "5m", None)],
    },
    "the slowest queue counts": {
        "input_series": [
            up("triton"),
            *(
                part
                for model, wait in (("slow", "0+90000000x40"), ("quick", "0+1000000x40"))
                for part in (
                    series("nv_inference_queue_duration_us", wait, part="triton", pod="a", model=model),
                    series("nv_inference_request_success", "0+15x40", part="triton", pod="a", model=model),
                )
            ),
        ],
        "promql_expr_test": [sample("histoserve:queue_seconds:max", "5m", 6)],
        "alert_rule_test": [
            alert("HistoserveQueue", "5m", None),
            alert(
                "HistoserveQueue",
                "9m",
                "warning",
                "Requests wait for long: more replicas, or scaling.requestsPerReplica is too high.",
            ),
        ],
    },
    "one replica is enough to say nothing, none is said after a minute": {
        "input_series": [up("triton"), up("envoy"), healthy("1x20 0x20")],
        "alert_rule_test": [
            alert("HistoserveNoReplica", "4m", None),
            alert("HistoserveNoReplica", "8m", "critical", NOBODY),
        ],
    },
    "no Envoy is said too": {
        "input_series": [up("triton")],
        "alert_rule_test": [
            {
                "alertname": "HistoserveNoReplica",
                "eval_time": "5m",
                "exp_alerts": [
                    {
                        "exp_labels": {"severity": "critical"},
                        "exp_annotations": {"summary": NOBODY},
                    }
                ],
            }
        ],
    },
    "a stage that died is said at once": {
        "input_series": [
            up("triton"),
            series(
                "envoy_cluster_outlier_detection_ejections_enforced_consecutive_5xx",
                "0x20 1x20",
                part="envoy",
                envoy_cluster_name="replicas",
            ),
        ],
        "alert_rule_test": [
            alert("HistoserveStageDied", "4m", None),
            alert("HistoserveStageDied", "6m", "warning", DIED),
        ],
    },
    "one request in ten fails": {
        "input_series": [
            up("triton"),
            series("nv_inference_request_success", "0+90x40", part="triton", pod="a", model="nuclei_tiles"),
            series(
                "nv_inference_request_failure",
                "0+10x40",
                part="triton",
                pod="a",
                model="nuclei_tiles",
                reason="BACKEND",
            ),
        ],
        "alert_rule_test": [
            alert("HistoserveErrors", "9m", "warning", "One request in twenty fails: see the servers' logs.")
        ],
    },
}


def test_prometheus_gives_what_is_meant(tmp_path: Path) -> None:
    rules = objects(values("gpu"))["PrometheusRule/h"]["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    tests = [{"name": name, "interval": "15s", **case} for name, case in CASES.items()]
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(whole))

    done = subprocess.run(["promtool", "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr

"""What somebody who runs clusters looks for in a chart, in what is rendered of every values file."""

import copy
import re
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rendered_chart import CHART, DIGEST, KINDS, merged, objects, values

pytest.importorskip("helm_python")

TRITON, ENVOY = "Deployment/h-triton", "Deployment/h-envoy"
POD = ("spec", "template", "spec")
BOX, FIRST = (*POD, "containers", 0), (*POD, "initContainers", 0)
NOTICED_S = 2 * 2 + 5 + 2
"""Envoy asks every 2 s and believes the second failure; or a name server remembers for 5 s, and Envoy for 2."""
KERNELS_S = 53
"""Compiling them took so long on two cores."""
Check = Callable[[Any, dict[str, Any]], bool]


def seconds(probe: dict[str, Any]) -> int:
    return probe["periodSeconds"] * probe.get("failureThreshold", 3)


def argument(text: str) -> tuple[tuple[str, ...], Check]:
    """`text` begins one of Triton's arguments."""
    return (*BOX, "args"), lambda found, _: any(each.startswith(text) for each in found)


def volume(name: str) -> Check:
    def check(found: Any, whole: dict[str, Any]) -> bool:
        mounted = {each["name"] for each in whole["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]}
        [source] = [each["emptyDir"] for each in found if each["name"] == name]
        return source["medium"] == "Memory" and source["sizeLimit"].endswith("Mi") and name in mounted

    return check


def environment(name: str, wanted: str) -> tuple[tuple[Any, ...], Check]:
    return (*BOX, "env"), lambda found, _: {"name": name, "value": wanted} in found


SECURE: dict[tuple[Any, ...], Check] = {
    (*POD, "automountServiceAccountToken"): lambda it, _: it is False,
    (*POD, "securityContext", "runAsNonRoot"): lambda it, _: it is True,
    (*POD, "securityContext", "runAsUser"): lambda it, _: it == 1000,
    (*POD, "securityContext", "seccompProfile"): lambda it, _: it == {"type": "RuntimeDefault"},
    (*POD, "topologySpreadConstraints"): lambda it, _: len(it) == 2,
    (*BOX, "image"): lambda it, _: it.endswith(f"@{DIGEST}"),
    (*BOX, "securityContext", "readOnlyRootFilesystem"): lambda it, _: it is True,
    (*BOX, "securityContext", "allowPrivilegeEscalation"): lambda it, _: it is False,
    (*BOX, "securityContext", "capabilities"): lambda it, _: it == {"drop": ["ALL"]},
    (*BOX, "resources", "requests"): lambda it, _: {"cpu", "memory"} <= it.keys(),
    (*BOX, "resources", "limits", "memory"): lambda it, _: it.endswith("Mi"),
    (*BOX, "lifecycle", "preStop", "sleep", "seconds"): lambda it, _: it > NOTICED_S,
    (*BOX, "readinessProbe"): lambda it, _: seconds(it) <= NOTICED_S,
}
"""Of both."""
WANTED: list[tuple[str, tuple[Any, ...], Check]] = [
    *((name, path, check) for name in (TRITON, ENVOY) for path, check in SECURE.items()),
    (TRITON, (*FIRST, "securityContext", "readOnlyRootFilesystem"), lambda it, _: it is True),
    (TRITON, (*FIRST, "securityContext", "capabilities"), lambda it, _: it == {"drop": ["ALL"]}),
    # A dead stage leaves /live at 200; a stage that is busy is not dead.
    (TRITON, (*BOX, "livenessProbe"), lambda it, _: it["httpGet"]["path"] == "/v2/health/ready" and seconds(it) >= 60),
    (TRITON, (*BOX, "startupProbe"), lambda it, _: seconds(it) > 2 * KERNELS_S),
    (
        TRITON,
        (*POD, "terminationGracePeriodSeconds"),
        lambda it, whole: it > of(whole, (*BOX, "lifecycle", "preStop", "sleep", "seconds")) + exit_seconds(whole),
    ),
    *((TRITON, (*POD, "volumes"), volume(name)) for name in ("shm", "kernels", "tmp")),
    (TRITON, *environment("NUMBA_CACHE_DIR", "/kernels")),
    (TRITON, *environment("ORT_DISABLE_TELEMETRY", "1")),
    *(
        (TRITON, *argument(text))
        for text in (
            "--disable-auto-complete-config",
            "--strict-readiness=true",
            "--model-control-mode=none",
            "--exit-timeout-secs=",
            "--grpc-keepalive-permit-without-calls=true",
            "--grpc-http2-min-recv-ping-interval-without-data=2000",
            "--grpc-restricted-protocol=model-repository,shared-memory",
            "--http-restricted-api=inference,metadata,model-config,model-repository,shared-memory",
        )
    ),
    (TRITON, ("spec", "strategy", "rollingUpdate"), lambda it, _: it["maxSurge"] + it["maxUnavailable"] == 1),
    ("Service/h-triton", ("spec", "clusterIP"), lambda it, _: it == "None"),
    *((f"PodDisruptionBudget/h-{it}", ("spec", "maxUnavailable"), lambda it, _: it == 1) for it in ("triton", "envoy")),
    ("NetworkPolicy/h-triton", ("spec", "egress"), lambda it, _: it == []),
    ("NetworkPolicy/h-triton", ("spec", "policyTypes"), lambda it, _: set(it) == {"Ingress", "Egress"}),
    (
        "NetworkPolicy/h-triton",
        ("spec", "ingress"),
        lambda it, _: (
            [[port["port"] for port in each["ports"]] for each in it] == [["grpc"], ["metrics"]]
            and all(each["from"] for each in it)
        ),
    ),
    ("NetworkPolicy/h-envoy", ("spec", "egress"), lambda it, _: len(it) == 2 and all(each["to"] for each in it)),
    ("ScaledObject/h-triton", ("spec", "fallback", "replicas"), lambda it, _: it >= 1),
    (
        "ScaledObject/h-triton",
        ("spec", "triggers", 0, "metadata"),
        lambda it, _: it.get("ignoreNullValues") == "false" and "histoserve:requests_in_servers:sum{" in it["query"],
    ),
    ("ScaledObject/h-triton", ("spec", "triggers", 0, "metadata", "ignoreNullValues"), lambda it, _: it == "false"),
    ("PodMonitor/h-triton", ("spec", "podMetricsEndpoints", 0, "relabelings"), lambda it, _: len(it) == 2),
]
ON_A_CPU = ["enable-global-threadpool=1", "intra_op_thread_count=8"]


def of(whole: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        whole = whole[step]
    return whole


def exit_seconds(whole: dict[str, Any]) -> int:
    [found] = re.findall(r"--exit-timeout-secs=(\d+)", " ".join(of(whole, (*BOX, "args"))))
    return int(found)


def holds(whole: dict[str, Any], path: tuple[Any, ...], check: Check) -> bool:
    try:
        return check(of(whole, path), whole)
    except (KeyError, ValueError):
        return False


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wanted_is_there_and_missed_where_it_is_taken_away(kind: str) -> None:
    rendered = objects(values(kind))
    for name, path, check in WANTED:
        assert holds(rendered[name], path, check), (name, path)
        without = copy.deepcopy(rendered[name])
        del of(without, path[:-1])[path[-1]]
        assert not holds(without, path, check), (name, path)


@pytest.mark.parametrize("kind", KINDS)
def test_kubernetes_takes_the_objects(kind: str) -> None:
    for name, each in objects(
        merged(values(kind), {"models": {"reference": f"registry.example/models@{DIGEST}"}})
    ).items():
        if not each["apiVersion"].startswith(("keda.sh", "monitoring.coreos.com")):
            kubernetes_validate.validate(each, "1.36", strict=True)
        assert each["metadata"]["name"].startswith("h"), name


def test_scaling_decides_how_many_replicas_there_are() -> None:
    assert "replicas" not in objects(values("cpu"))[TRITON]["spec"]
    fixed = objects(merged(values("cpu"), {"scaling": {"enabled": False}}))
    assert fixed[TRITON]["spec"]["replicas"] == 2
    assert not [name for name in fixed if name.startswith("ScaledObject")]


def test_networks_on_a_cpu_have_as_many_threads_as_the_container_and_none_is_said_of_them_on_a_gpu() -> None:
    cpu, gpu = (" ".join(of(objects(values(kind))[TRITON], (*BOX, "args"))) for kind in ("cpu", "gpu"))

    assert all(each in cpu and each.split("=")[0] not in gpu for each in ON_A_CPU)
    assert of(objects(values("gpu"))[TRITON], (*BOX, "resources", "limits", "nvidia.com/gpu")) == 1


def test_shared_memory_follows_the_requests() -> None:
    given = merged(values("cpu"), {"requests": {"inFlight": 10, "largestMiB": 20}})
    [shm] = [each for each in of(objects(given)[TRITON], (*POD, "volumes")) if each["name"] == "shm"]

    assert shm["emptyDir"]["sizeLimit"] == f"{64 + 3 * 10 * 20}Mi"


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": {"digest": "latest"}},
        {"image": {"release": "26.05"}},
        {"hardware": {"gpu": 1}},
        {"hardware": {"surge": 0, "unavailable": 0}},
        {"scaling": {"prometheus": ""}},
        {"scaling": {"least": 3, "most": 2}},
        {"seconds": {"noticed": NOTICED_S}},
        {"guard": {"jwt": {"issuer": "https://login.example", "audience": "", "jwks": "{}"}}},
        {"monitring": {}},
    ],
)
def test_values_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    from helm_python import HelmError

    with pytest.raises(HelmError):
        objects(merged(values("cpu"), wrong))


def test_nothing_is_rendered_without_a_digest() -> None:
    from helm_python import HelmError

    with pytest.raises(HelmError, match="digest"):
        objects(merged(values("cpu"), {"image": {"digest": ""}}))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    hardware=st.fixed_dictionaries(
        {"gpus": st.integers(0, 8), "cpus": st.integers(1, 256), "surge": st.integers(1, 8)},
        optional={"nodeSelector": st.just({"a.b/c": "d"})},
    ),
    enabled=st.booleans(),
    monitored=st.booleans(),
    rate=st.integers(0, 1000),
    seconds=st.fixed_dictionaries({"exit": st.integers(5, 600), "noticed": st.integers(12, 120)}),
)
def test_whatever_the_schema_allows_is_taken_by_kubernetes(
    hardware: dict[str, Any], enabled: bool, monitored: bool, rate: int, seconds: dict[str, Any]
) -> None:
    drawn = {
        "hardware": hardware,
        "scaling": {"enabled": enabled},
        "monitoring": {"enabled": monitored},
        "guard": {"requestsPerMinute": rate, "tlsSecret": "tls" if enabled else ""},
        "seconds": seconds,
    }
    rendered = objects(merged(values("cpu"), drawn))
    for each in rendered.values():
        if not each["apiVersion"].startswith(("keda.sh", "monitoring.coreos.com")):
            kubernetes_validate.validate(each, "1.36", strict=True)
    for name, path, check in WANTED:
        if name in rendered and "rollingUpdate" not in path:
            assert holds(rendered[name], path, check), (name, path)


def test_every_value_has_a_default_that_its_schema_knows() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())

    assert schema["properties"].keys() - {"global"} == defaults.keys()
    for part, known in schema["properties"].items():
        assert part == "global" or known["properties"].keys() == defaults[part].keys(), part


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"requests": {"inFlight": 16}, "scaling": {"least": 2, "most": 7}, "envoy": {"replicas": 2}}, 56),
        ({"requests": {"inFlight": 5}, "scaling": {"least": 2, "most": 3}, "envoy": {"replicas": 2}}, 8),
        ({"requests": {"inFlight": 16}, "scaling": {"enabled": False, "least": 3}, "envoy": {"replicas": 1}}, 48),
    ],
)
def test_envoys_let_in_together_what_all_replicas_may_hold(change: dict[str, Any], wanted: int) -> None:
    config = yaml.safe_load(objects(merged(values("cpu"), change))["ConfigMap/h-envoy"]["data"]["envoy.yaml"])
    [replicas] = (each for each in config["static_resources"]["clusters"] if each["name"] == "replicas")
    assert [each["max_requests"] for each in replicas["circuit_breakers"]["thresholds"]] == [wanted]

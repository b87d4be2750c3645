"""The chart's Jobs: what is looked for in them, and missed where it is taken away."""

import copy
from typing import Any

import kubernetes_validate
import pytest
from rendered_chart import DIGEST, merged, objects, values

pytest.importorskip("helm_python")

IMAGE = {"repository": "registry.example/other", "digest": DIGEST}
ARCHIVE = {
    "enabled": True,
    "image": IMAGE,
    "clients": 3,
    "pipelines": ["nuclei", "tissue"],
    "slidesClaim": "slides",
    "outClaim": "out",
}
ENGINES = {"enabled": True, "image": IMAGE, "claim": "engines"}
POD = ("template", "spec")
BOX = (*POD, "containers", 0)
SECURE: dict[tuple[Any, ...], Any] = {
    (*POD, "automountServiceAccountToken"): False,
    (*POD, "restartPolicy"): "Never",
    (*POD, "securityContext", "runAsUser"): 1000,
    (*POD, "securityContext", "runAsNonRoot"): True,
    (*POD, "securityContext", "seccompProfile"): {"type": "RuntimeDefault"},
    (*BOX, "image"): f"registry.example/other@{DIGEST}",
    (*BOX, "securityContext", "readOnlyRootFilesystem"): True,
    (*BOX, "securityContext", "allowPrivilegeEscalation"): False,
    (*BOX, "securityContext", "capabilities"): {"drop": ["ALL"]},
}
OF_ARCHIVE: dict[tuple[Any, ...], Any] = {
    ("completionMode",): "Indexed",
    ("completions",): 3,
    ("parallelism",): 3,
    ("podReplacementPolicy",): "Failed",
    ("backoffLimitPerIndex",): 6,
    ("podFailurePolicy", "rules", 0): {
        "action": "FailJob",
        "onExitCodes": {"containerName": "analyze", "operator": "In", "values": [2]},
    },
    ("podFailurePolicy", "rules", 1, "action"): "FailIndex",
    ("podFailurePolicy", "rules", 1, "onExitCodes", "values"): [3],
    ("podFailurePolicy", "rules", 2): {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    },
    (*BOX, "volumeMounts", 0): {"name": "slides", "mountPath": "/slides", "readOnly": True},
    (*POD, "volumes", 0, "persistentVolumeClaim"): {"claimName": "slides", "readOnly": True},
}
OF_ENGINES: dict[tuple[Any, ...], Any] = {
    (*POD, "nodeSelector"): {"nvidia.com/gpu.product": "NVIDIA-L4"},
    (*BOX, "resources", "limits", "nvidia.com/gpu"): 1,
    (*BOX, "command"): ["python3", "-I", "-m", "histoserve.export.plan"],
    (*BOX, "volumeMounts", 0): {"name": "engines", "mountPath": "/engines"},
    (*POD, "volumes", 0, "persistentVolumeClaim"): {"claimName": "engines"},
}


def jobs(**more: Any) -> dict[str, dict[str, Any]]:
    """Part → its Job; the archive's and the engines' are both there."""
    given = merged(values("tensorrt"), merged({"archive": ARCHIVE, "engines": ENGINES}, more))
    rendered = objects(given)
    for each in rendered.values():
        if each["kind"] in ("Job", "NetworkPolicy"):
            kubernetes_validate.validate(each, "1.36", strict=True)
    found = [each for each in rendered.values() if each["kind"] == "Job"]
    return {each["metadata"]["labels"]["app.kubernetes.io/component"]: each for each in found}


def holds(spec: Any, path: tuple[Any, ...], wanted: Any) -> bool:
    try:
        for step in path:
            spec = spec[step]
    except (KeyError, IndexError):
        return False
    return spec == wanted


@pytest.mark.parametrize(("part", "wanted"), [("archive", OF_ARCHIVE), ("engines", OF_ENGINES)])
def test_what_is_wanted_is_there_and_missed_where_it_is_taken_away(part: str, wanted: dict[Any, Any]) -> None:
    spec = jobs()[part]["spec"]
    for path, value in {**SECURE, **wanted}.items():
        assert holds(spec, path, value), path
        without = copy.deepcopy(spec)
        place = without
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
        assert not holds(without, path, value), path


def test_there_are_none_unless_they_are_asked_for() -> None:
    assert not [name for name in objects(values("gpu")) if "archive" in name or name.startswith("Job")]


def test_other_values_are_another_job_and_the_same_are_the_same() -> None:
    first, again, other = (jobs(archive={"clients": clients}) for clients in (3, 3, 4))

    assert first == again
    assert first["archive"]["metadata"]["name"] != other["archive"]["metadata"]["name"]
    assert first["engines"] == other["engines"]


def test_a_guard_is_shown_what_it_asks_for() -> None:
    guard = {"tlsSecret": "tls", "clientCertificates": True}
    secrets = {"certificateSecret": "mine", "tokenSecret": "token"}

    pod = jobs(guard=guard, archive=secrets)["archive"]["spec"]["template"]["spec"]
    plain = jobs()["archive"]["spec"]["template"]["spec"]["containers"][0]["args"]

    shown = {"--ca=/run/ca/ca.crt", "--certificate=/run/certificate/tls.crt", "--token-file=/run/token/token"}
    assert shown < set(pod["containers"][0]["args"])
    assert not shown & set(plain)
    [ca] = [each["secret"] for each in pod["volumes"] if each["name"] == "ca"]
    assert [each["key"] for each in ca["items"]] == ["ca.crt"]
    assert {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]} > {"/run/ca", "/run/token"}


def test_an_archive_reaches_envoy_whoever_else_may_call() -> None:
    given = {"archive": ARCHIVE, "callers": {"namespaceLabels": {"scanners": "yes"}}}
    rendered = objects(merged(values("cpu"), given))
    own = rendered["NetworkPolicy/h-archive"]["spec"]

    let_in = [each for rule in rendered["NetworkPolicy/h-envoy"]["spec"]["ingress"] for each in rule["from"]]
    assert {"podSelector": own["podSelector"]} in let_in
    assert own["ingress"] == []
    assert [rule["ports"][0]["port"] for rule in own["egress"]] == ["grpc", 53]


@pytest.mark.parametrize(
    "wrong",
    [
        {"archive": {"pipelines": []}},
        {"archive": {"outClaim": ""}},
        {"archive": {"image": {"digest": ""}}},
        {"archive": {"list": "../../etc/passwd"}},
        {"archive": {"list": "a b"}},
        {"archive": {"pipelines": ["nuclei,tissue"]}},
        {"engines": {"claim": ""}},
        {"engines": {"enabled": False, "serve": True, "claim": ""}},
        {"engines": {"image": {"repository": ""}}},
    ],
)
def test_values_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    from helm_python import HelmError

    with pytest.raises(HelmError):
        jobs(**wrong)

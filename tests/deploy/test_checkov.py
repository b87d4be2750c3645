"""Checkov, where it is installed (in an environment of its own: its pins are not ours), has nothing new to say."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from rendered_chart import DIGEST, merged, objects, values

pytest.importorskip("helm_python")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("checkov"), reason="needs checkov")]

MEANT = {
    "CKV_K8S_11": "Envoy, a client and the copying of kernels would be throttled at bursts; replicas have a limit",
    "CKV_K8S_21": "Helm gives the namespace",
    "CKV_K8S_40": "NVIDIA's image has a user of the number 1000",
}


def test_nothing_is_found_but_what_is_meant(tmp_path: Path) -> None:
    image = {"repository": "registry.example/other", "digest": DIGEST}
    volumes = {"pipelines": ["nuclei"], "slidesClaim": "slides", "outClaim": "out"}
    jobs = {
        "archive": {"enabled": True, "image": image, **volumes},
        "engines": {"enabled": True, "image": image, "claim": "e"},
    }
    rendered = objects(merged(values("tensorrt"), jobs))
    (tmp_path / "all.yaml").write_text("---\n".join(map(yaml.safe_dump, rendered.values())))

    command = ["checkov", "-f", "all.yaml", "--framework", "kubernetes", "--skip-download", "--output", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)

    found = json.loads(done.stdout)["results"]
    assert len(found["passed_checks"]) > 300
    assert {each["check_id"] for each in found["failed_checks"]} == MEANT.keys()

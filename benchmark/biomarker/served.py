"""Networks trained, exported and served, by the commands that anybody uses; unseen slides analysed by them."""

import os
import subprocess
import sys
from pathlib import Path

from histoserve.benchmark.biomarker.plan import USUAL, Plan, Way
from histoserve.benchmark.biomarker.repository import PIPELINE, repository_for
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
from histoserve.export.biomarker.weights import write_joined

WEIGHTS = f"{PIPELINE}.pt"
"""As `train` leaves them, once it is done."""


def train_marker(plan: Plan, way: Way, marker: str) -> None:
    """The network of a marker; what is trained already stays. Raises ValueError if it cannot be."""
    weights = weights_of(plan, way, marker)
    if not (weights / WEIGHTS).exists():
        labels = plan.labels(way, marker)
        start = [] if marker == plan.first else ["--weights", weights_of(plan, USUAL, plan.first) / WEIGHTS]
        options = ["--marker", marker, "--labels", labels, "-o", weights, *start, *plan.options]
        _histoserve("train", PIPELINE, *options, threads=1)


def weights_of(plan: Plan, way: Way, marker: str) -> Path:
    """Folder of a training."""
    return plan.part("weights", way) / marker


def joined_weights(plan: Plan, way: Way) -> Path:
    """A file of all markers, each of which was trained by itself."""
    path = plan.part("weights", way) / WEIGHTS
    write_joined([weights_of(plan, way, marker) / WEIGHTS for marker in plan.markers_of(way)], path)
    return path


def analyse(plan: Plan, way: Way) -> None:
    """Every unseen slide; what is there already, of the same networks, stays. Raises ValueError."""
    slides = [plan.he(seed) for seed in plan.unseen]
    results, repository = plan.part("results", way), plan.part("repository", way)
    if all((result(plan, way, seed) / "result.json").exists() for seed in plan.unseen):
        return
    repository_for(plan.markers_of(way), plan.models, repository)
    _histoserve("export", PIPELINE, "--weights", joined_weights(plan, way), "--repository", repository)
    try:
        with LocalTriton(repository) as server:
            _histoserve("analyze", *slides, "--pipeline", PIPELINE, "-o", results, "--server", server.grpc, "--quiet")
    except LocalTritonError as error:
        raise ValueError(f"{repository} cannot be served: {error}") from error


def result(plan: Plan, way: Way, seed: int) -> Path:
    """Folder of a slide's result."""
    return plan.part("results", way) / plan.he(seed).stem / PIPELINE


def _histoserve(*arguments: object, threads: int | None = None) -> None:
    command = [str(each) for each in arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)} if threads else None
    if code := subprocess.run([sys.executable, "-m", "histoserve", *command], env=environment).returncode:
        raise ValueError(f"histoserve {' '.join(command)} ended with {code}; mend that, and the same command goes on")

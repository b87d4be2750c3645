"""Networks trained, exported and served, by the commands that anybody uses; unseen slides analysed by them."""

import subprocess
import sys
from pathlib import Path

from histoserve.benchmark.biomarker.plan import Plan, Way
from histoserve.benchmark.biomarker.repository import PIPELINE, repository_for
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError

WEIGHTS = f"{PIPELINE}.pt"
"""As `train` leaves them, of all markers."""


def train_all(plan: Plan, way: Way) -> None:
    """A network a marker; what is trained already stays. Raises ValueError if one cannot be."""
    for marker in plan.markers_of(way):
        labels, weights = plan.part("labels", way), plan.part("weights", way)
        done = weights / f"{marker}.trained"
        if done.exists():
            continue
        _histoserve("train", PIPELINE, "--marker", marker, "--labels", labels, "-o", weights, *plan.options)
        done.touch()


def analyse(plan: Plan, way: Way) -> None:
    """Every unseen slide; what is there already, of the same networks, stays. Raises ValueError."""
    slides = [plan.he(seed) for seed in plan.unseen]
    results, repository = plan.part("results", way), plan.part("repository", way)
    if all((result(plan, way, seed) / "result.json").exists() for seed in plan.unseen):
        return
    repository_for(plan.markers_of(way), plan.models, repository)
    _histoserve("export", PIPELINE, "--weights", plan.part("weights", way) / WEIGHTS, "--repository", repository)
    try:
        with LocalTriton(repository) as server:
            _histoserve("analyze", *slides, "--pipeline", PIPELINE, "-o", results, "--server", server.grpc, "--quiet")
    except LocalTritonError as error:
        raise ValueError(f"{repository} cannot be served: {error}") from error


def result(plan: Plan, way: Way, seed: int) -> Path:
    """Folder of a slide's result."""
    return plan.part("results", way) / plan.he(seed).stem / PIPELINE


def _histoserve(*arguments: object) -> None:
    command = [str(each) for each in arguments]
    if code := subprocess.run([sys.executable, "-m", "histoserve", *command]).returncode:
        raise ValueError(f"histoserve {' '.join(command)} ended with {code}; mend that, and the same command goes on")

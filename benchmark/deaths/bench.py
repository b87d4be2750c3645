"""kill -9 of client, server, stage or proxy at a random moment, fifty times: is the result the same, to the byte?

Two real servers stand behind a real Envoy; who is killed is started anew, the client by being called again.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from histoserve.benchmark.processor import children
from histoserve.benchmark.tile import REPOSITORY
from histoserve.deploy.local.models import models_for
from histoserve.deploy.local.replicas import LocalReplicas
from histoserve.phantom import write_phantom

RUNS, KILLS, SEED = 50, 2, 1
"""Slides, how many are killed during each, and what chance begins with."""

PIPELINE, SIZE = "nuclei", (1600, 1400)
WITHIN_S = 300.0
CALLED_AGAIN_S = 1.0


def run(image: Path | None = None) -> int:
    """`image`: a slide (default: a phantom). Prints who was killed how often; 1 if any result differs."""
    with tempfile.TemporaryDirectory() as name:
        folder, slide = Path(name), image or Path(name) / "he.tiff"
        if image is None:
            write_phantom(slide, kind="he", size=SIZE, mpp=0.25, seed=4, truth=None)
        with LocalReplicas(REPOSITORY, 2, models=models_for([PIPELINE], REPOSITORY)) as replicas:
            began = time.monotonic()
            wanted = finished(slide, folder / "whole", replicas, lambda: None)
            seconds = time.monotonic() - began
            killed: Counter[str] = Counter()
            same = 0
            for number in range(RUNS):
                chance = random.Random(SEED + number)
                plan = [(chance.uniform(0, seconds), chance.choice(WHO)) for _ in range(KILLS)]
                same += disturbed(slide, folder / str(number), replicas, plan, killed) == wanted
                Console().print(f"{number + 1} of {RUNS}: {same} the same", highlight=False)
    table = Table("who was killed", "times", title=f"{RUNS} slides of {seconds:.0f} s, {KILLS} kills during each")
    for who in WHO:
        table.add_row(who, str(killed[who]))
    table.add_row("results that are the same, to the byte", f"{same} of {RUNS}")
    Console().print(table)
    return 0 if same == RUNS else 1


WHO = ("client", "server", "stage", "proxy")


def disturbed(
    slide: Path, out: Path, replicas: LocalReplicas, plan: list[tuple[float, str]], killed: Counter[str]
) -> dict[str, bytes]:
    """The files of a result, who is named in `plan` being killed so many seconds after the beginning."""
    waiting, began = sorted(plan), time.monotonic()
    client: list[subprocess.Popen[bytes]] = []

    def disturb() -> None:
        if waiting and time.monotonic() >= began + waiting[0][0]:
            _, who = waiting.pop(0)
            if (pid := number_of(who, client[-1], replicas)) is not None:
                os.kill(pid, signal.SIGKILL)
                killed[who] += 1

    return finished(slide, out, replicas, disturb, client)


def finished(
    slide: Path,
    out: Path,
    replicas: LocalReplicas,
    disturb: Callable[[], None],
    client: list[subprocess.Popen[bytes]] | None = None,
) -> dict[str, bytes]:
    """The files of a result but its record, the client being called again until it says that it is complete.

    It ends with an error where it begins while nobody answers: a wrong address is to be told at once.
    """
    address = replicas.addresses[0]
    command = [sys.executable, "-m", "histoserve", "analyze", str(slide), "--pipeline", PIPELINE, "-o", str(out)]
    deadline = time.monotonic() + WITHIN_S
    while True:
        process = subprocess.Popen([*command, "--batch", "2", "--server", address, "--quiet"])
        if client is not None:
            client.append(process)
        while process.poll() is None:
            disturb()
            if time.monotonic() > deadline:
                process.kill()
                raise TimeoutError(f"{slide.name} was not finished within {WITHIN_S:g} s")
            time.sleep(0.005)
        if process.returncode == 0:
            break
        time.sleep(CALLED_AGAIN_S)
    folder = next(out.glob(f"*/{PIPELINE}"))
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "result.json"}


def number_of(who: str, client: subprocess.Popen[bytes], replicas: LocalReplicas) -> int | None:
    """Of a process; None while it is being started anew."""
    try:
        if who == "client":
            return client.pid
        if who == "proxy":
            keeper = replicas.balancer and replicas.balancer.keeper
            return children(keeper)[0] if keeper else None
        server = random.choice(replicas.servers).pid
        return server if who == "server" else random.choice(children(server))
    except (IndexError, OSError):
        return None

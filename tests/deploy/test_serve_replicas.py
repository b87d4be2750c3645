"""`histoserve serve --replicas`, as a process: what it prints, and what is left of it."""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from histoserve.client.wire import Server
from histoserve.deploy.local import envoy
from histoserve.deploy.local.ports import ANY, chosen

SERVE = """
import sys
from pathlib import Path
from histoserve.deploy.local import envoy
from histoserve.deploy.local.serve import serve
if sys.argv[3] == "without":
    envoy.installed = lambda: None
sys.exit(serve(Path(sys.argv[1]), int(sys.argv[2]), replicas=2))
"""
Printed = dict[str, list[str]]


@contextmanager
def served(
    repository: Path, folder: Path, port: int, with_envoy: bool
) -> Iterator[tuple[subprocess.Popen[str], Printed]]:
    """Two replicas of the model `where`, and what was printed by the first word of each line."""
    (folder / "sound").mkdir()
    (folder / "sound" / "where").symlink_to(repository / "where")
    command = [sys.executable, "-c", SERVE, str(folder / "sound"), str(port), "with" if with_envoy else "without"]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            printed: Printed = defaultdict(list)
            assert process.stdout is not None
            for line in process.stdout:
                word, _, rest = line.strip().partition(" ")
                printed[word].append(rest.strip())
                if word == "ready;":
                    break
            yield process, printed
        finally:
            process.kill()


def of_run(folder: Path) -> list[str]:
    """Command lines of what still runs out of `folder`."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if str(folder / "histoserve") in line]


@pytest.mark.skipif(envoy.installed() is None, reason=f"needs Envoy: {envoy.INSTALL}")
def test_one_address_stands_for_both_and_nothing_is_left_when_it_is_killed(repository: Path, tmp_path: Path) -> None:
    port = chosen(ANY)["grpc"]
    with served(repository, tmp_path, port, with_envoy=True) as (process, printed):
        assert printed["gRPC"][0] == f"127.0.0.1:{port}"
        assert len(printed["gRPC"]) == len(printed["log"]) == 3
        pages = [urlopen(url, timeout=10).status for url in printed["health"] + printed["metrics"]]
        assert pages == [200] * 6
        assert Server(f"127.0.0.1:{port}").version()
        assert of_run(tmp_path)

        process.kill()
        deadline = time.monotonic() + 20
        while of_run(tmp_path):
            assert time.monotonic() < deadline, of_run(tmp_path)
            time.sleep(0.1)


def test_without_envoy_a_client_is_told_all_addresses(repository: Path, tmp_path: Path) -> None:
    port = chosen(ANY)["grpc"]
    with served(repository, tmp_path, port, with_envoy=False) as (process, printed):
        both = printed["gRPC"]
        assert both[0] == f"127.0.0.1:{port}"
        assert printed["clients"][0].startswith(f"--server {both[0]} --server {both[1]} ")
        assert all(Server(address).version() for address in both)

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not of_run(tmp_path)


@pytest.mark.skipif(envoy.installed() is None, reason=f"needs Envoy: {envoy.INSTALL}")
def test_a_port_that_is_taken_is_told_before_anything_starts(repository: Path, tmp_path: Path, triton) -> None:
    taken = int(triton.grpc.rpartition(":")[2])
    with served(repository, tmp_path, taken, with_envoy=True) as (process, printed):
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert f"cannot listen on 127.0.0.1:{taken}" in process.stderr.read()
    assert not printed
    assert not list(tmp_path.glob("histoserve/*.log"))

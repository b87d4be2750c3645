"""What a server holds of a machine's memory, and how many threads."""

import os
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc

from histoserve.benchmark.memory.bench import TARGET_MIB
from histoserve.benchmark.memory.processes import held_kib, threads
from histoserve.benchmark.tile import REPOSITORY
from histoserve.deploy.local.triton import LocalTriton


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    """One of its own: that of the other tests holds what these asked of its other pipelines."""
    with LocalTriton(REPOSITORY, state=tmp_path_factory.mktemp("state")) as triton:
        yield triton


def test_a_server_that_answered_the_largest_request_of_nuclei_leaves_a_laptop_usable(server: LocalTriton) -> None:
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        rows = client.get_model_config("nuclei_network").config.max_batch_size
        image = triton_grpc.InferInput("IMAGE", [rows, 512, 512, 3], "UINT8")
        image.set_data_from_numpy(np.zeros((rows, 512, 512, 3), np.uint8))
        client.infer("nuclei_network", [image], client_timeout=300)

    held = held_kib(server.pid)

    assert {"tritonserver", "supervise", "nuclei_network", "nuclei_watershed"} <= held.keys()
    # A batch run as one took 2.4 GB for the network alone, and twice that with two instances.
    assert held["nuclei_network"] < held.total() < TARGET_MIB * 1024


def test_a_server_has_few_threads_for_each_stage(server: LocalTriton) -> None:
    stages = len(held_kib(server.pid))

    # Those that work have one for each core. Triton's own pools alone made it 34 for each instance.
    assert stages <= threads(server.pid) <= (16 + 2 * len(os.sched_getaffinity(0))) * stages

"""Bad requests to the nuclei pipeline over gRPC: INVALID_ARGUMENT with the reason, and the server goes on serving."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bad_requests
import cv2
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from mutants import png
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from histoserve.deploy.local.triton import LocalTriton

GREY = cv2.imencode(".ppm", np.full((64, 64, 3), 200, np.uint8))[1].tobytes()
JPEG = cv2.imencode(".jpg", np.full((64, 64, 3), 200, np.uint8))[1].tobytes()
NOISE = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[1].tobytes()
WHOLE = (0, 0, 64, 64)
WIDE = cv2.imencode(".ppm", np.full((200, 512, 3), 200, np.uint8))[1].tobytes()
WEBP = cv2.imencode(".webp", np.full((64, 64, 3), 200, np.uint8))[1].tobytes()
JP2 = cv2.imencode(".jp2", np.full((64, 64, 3), 200, np.uint8))[1].tobytes()


def rows(*rectangles: tuple, dtype: type = np.float32) -> np.ndarray:
    return np.array(rectangles, dtype)


MPP = 2.0
"""At which 64 pixels are the network's 128 µm."""


def ask(
    server: LocalTriton,
    tiles: list[bytes],
    region: np.ndarray,
    core: np.ndarray,
    window: np.ndarray | None = None,
    mpp: float = MPP,
) -> np.ndarray:
    """The centroids in `tiles`."""
    inputs = []
    arrays = {"TILE": np.array(tiles, object), "REGION": region, "WINDOW": region if window is None else window}
    for name, array in {**arrays, "MPP": np.array([mpp], np.float32), "CORE": core}.items():
        inputs.append(triton_grpc.InferInput(name, array.shape, np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array)
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        return client.infer("nuclei_tiles", inputs, client_timeout=60).as_numpy("CENTROID")


BAD = {
    "an empty tile": ([b""], rows(WHOLE), rows(WHOLE), "TILE 0 is empty"),
    "text": ([b"not a picture"], rows(WHOLE), rows(WHOLE), "TILE 0.*no picture that is known"),
    "a truncated JPEG": ([NOISE[:-500]], rows(WHOLE), rows(WHOLE), "TILE 0 is a JPEG .*truncated"),
    "a JPEG without an end": ([JPEG[:-2]], rows(WHOLE), rows(WHOLE), "TILE 0"),
    "a huge PNG": ([png(100_000, 100_000, b"")], rows(WHOLE), rows(WHOLE), "TILE 0 is 100000 x 100000.*at most"),
    "a WebP": ([WEBP], rows(WHOLE), rows(WHOLE), "TILE 0 is WebP, which is not read; wanted JPEG, PNG, PPM"),
    "a JPEG 2000": ([JP2], rows(WHOLE), rows(WHOLE), "TILE 0 is JPEG 2000, which is not read"),
    "a tile of another shape": ([WIDE], rows(WHOLE), rows(WHOLE), "TILE 0 is 512 x 200 .* another shape"),
    "the second of two": ([GREY, b"x"], rows(WHOLE, WHOLE), rows(WHOLE, WHOLE), "TILE 1"),
    "a region of 3 numbers": (
        [GREY],
        rows(WHOLE[:3]),
        rows(WHOLE),
        "(REGION|WINDOW).*Expected .-1,4., got .1,3.",
    ),
    "a region too few": ([GREY, GREY], rows(WHOLE), rows(WHOLE), r"REGION is \[1, 4\], wanted \[2, 4\]"),
    "NaN in a region": ([GREY], rows((np.nan, 0, 64, 64)), rows(WHOLE), "WINDOW 0 is .nan.*finite"),
    "no width": ([GREY], rows((0, 0, 0, 64)), rows(WHOLE), "WINDOW 0 .*above 0"),
    "a core elsewhere": ([GREY], rows(WHOLE), rows((900, 900, 64, 64)), "CORE 0"),
    "a region far away": ([GREY], rows((0, 0, 3e38, 3e38)), rows(WHOLE), "WINDOW 0 .*at most 1073741824"),
    "infinity in a core": ([GREY], rows(WHOLE), rows((0, 0, np.inf, 64)), "CORE 0"),
    "a wrong dtype": ([GREY], rows(WHOLE, dtype=np.float64), rows(WHOLE), "(REGION|WINDOW).*FP32|data-type"),
    "17 windows": (
        [GREY] * 17,
        rows(*[WHOLE] * 17),
        rows(*[WHOLE] * 17),
        r"WINDOW is .17, 4.; wanted 1 to 16 .* smaller",
    ),
    "no window": ([GREY], rows(WHOLE), rows(WHOLE)[:0], r"WINDOW is .0, 4.; wanted 1 to 16", rows(WHOLE)[:0]),
    "nothing": ([], rows(WHOLE)[:0], rows(WHOLE)[:0], r"WINDOW is .0, 4.; wanted 1 to 16"),
    "no picture": ([], rows(WHOLE)[:0], rows(WHOLE), r"TILE is .0.; wanted 1 to 1024", rows(WHOLE)),
    "a window elsewhere": ([GREY], rows(WHOLE), rows(WHOLE), "WINDOW 0 .*no REGION lies in it", rows((900, 0, 64, 64))),
    "a picture elsewhere": (
        [GREY] * 2,
        rows(WHOLE, (900, 0, 64, 64)),
        rows(WHOLE),
        "REGION 1 .*no WINDOW",
        rows(WHOLE),
    ),
    "too much of the slide": ([GREY], rows((0, 0, 128, 128)), rows(WHOLE), "WINDOW 0 .* 256 x 256 µm; .* 128 x 128 µm"),
    "NaN as the scale": ([GREY], rows(WHOLE), rows(WHOLE), "MPP is nan", None, np.nan),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_with_the_reason_and_the_server_goes_on(server: LocalTriton, name: str) -> None:
    tiles, region, core, message, *window_and_mpp = BAD[name]
    with pytest.raises(InferenceServerException, match=message) as refusal:
        ask(server, tiles, region, core, *window_and_mpp)
    assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert ask(server, [GREY], rows(WHOLE), rows(WHOLE)).shape == (0, 2)


def test_a_bad_request_does_not_touch_its_neighbours(server: LocalTriton) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, server, [tile], rows(WHOLE), rows(WHOLE)) for tile in (GREY, b"x") * 4]
    outcomes = [type(answer.exception()) for answer in answers]
    assert outcomes == [type(None), InferenceServerException] * 4


@pytest.mark.parametrize("seed", [0, None], ids=["the same requests", "new requests"])
def test_requests_that_are_wrong_in_any_way_leave_the_server_as_it_was(server: LocalTriton, seed: int | None) -> None:
    before = server.pid
    found = bad_requests.attacked(server.grpc, 100, int.from_bytes(os.urandom(4), "big") if seed is None else seed)
    assert sum(count for answer, count in found.items() if "INVALID_ARGUMENT" in answer) > 25
    assert server.pid == before


def test_the_jpeg_2000_that_ended_the_stage_is_refused(shared: Path, server: LocalTriton) -> None:
    killer = (shared.parent / "inputs" / "one-byte.jp2").read_bytes()
    with pytest.raises(InferenceServerException, match="TILE 0 is JPEG 2000, which is not read"):
        ask(server, [killer], rows(WHOLE), rows(WHOLE))

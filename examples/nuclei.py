"""The nuclei of one picture: python examples/nuclei.py SERVER DESCRIPTION PICTURE X Y SIDE MPP

SERVER       host:port of its gRPC port
DESCRIPTION  the file of `histoserve describe nuclei --json`
PICTURE      a JPEG, PNG or PPM: SIDE x SIDE level-0 pixels of a slide, the upper left corner at X, Y
MPP          µm per level-0 pixel of the slide; SIDE x MPP is 128 µm, as DESCRIPTION says

Needs tritonclient[grpc] alone. Prints type, µm² and outline (level-0 pixels) of each nucleus.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype


def main(address: str, description: str, picture: str, x: float, y: float, side: float, mpp: float) -> None:
    tiles = json.loads(Path(description).read_text())["tiles"]
    names = next(each["values"] for each in tiles["outputs"] if each["name"] == "TYPE")
    square = np.array([[x, y, side, side]], np.float32)
    request = {
        "TILE": np.array([Path(picture).read_bytes()], object),
        "REGION": square,  # what the picture shows
        "WINDOW": square,  # what the network looks at: here the same
        "MPP": np.array([mpp], np.float32),
        "CORE": square,  # the part of the window that it answers for: all, since there is no other
    }
    inputs = []
    for name, array in request.items():
        inputs.append(triton.InferInput(name, array.shape, np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array)
    with triton.InferenceServerClient(address) as server:
        answer = server.infer(tiles["model"], inputs, client_timeout=120)

    types, areas = answer.as_numpy("TYPE"), answer.as_numpy("AREA")
    outlines = np.split(answer.as_numpy("CONTOUR"), answer.as_numpy("CONTOUR_END")[:-1])
    for number, area, outline in zip(types, areas, outlines, strict=False):
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in outline)
        print(f"{names[str(number)]} {area * mpp**2:.2f} µm² {points}")
    print(f"{len(types)} nuclei", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:4], *map(float, sys.argv[4:8]))
    except InferenceServerException as error:
        sys.exit(f"{error.status()}: {error.message()}")

"""The tile that benchmarks run on, and what the shipped network says of it."""

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from histoserve.client.slide import open_slide
from histoserve.deploy.local.serve import installed_repository
from histoserve.phantom import write_phantom

REPOSITORY = installed_repository()


def tile(image: Path | None, side: int) -> NDArray[np.uint8]:
    """RGB (side, side, 3): the upper left part of `image`, or of a phantom of fixed seed."""
    if image is not None:
        found = cv2.imread(str(image))
        if found is None or min(found.shape[:2]) < side:
            raise ValueError(f"{image}: wanted an image of at least {side} x {side} pixels")
        return np.ascontiguousarray(found[:side, :side, ::-1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phantom.tiff"
        write_phantom(path, kind="he", size=(2 * side, 2 * side), mpp=0.25, seed=3, truth=None)
        with open_slide(path) as slide:
            return slide.read((side // 2, side // 2, side, side), 0)


def session(threads: int = len(os.sched_getaffinity(0))) -> onnxruntime.InferenceSession:
    """The shipped nuclei graph in ONNX Runtime, without Triton."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(REPOSITORY / "nuclei_network" / "1" / "model.onnx"), options)


def network_maps(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the shipped graph gives for one tile, (H, W, 3) → (H, W, 3); sides are cut to a multiple of 32."""
    height, width = (extent // 32 * 32 for extent in image.shape[:2])
    return np.asarray(session().run(["MAPS"], {"IMAGE": image[None, :height, :width]})[0][0])

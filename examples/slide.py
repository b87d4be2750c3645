"""The nuclei of a whole slide, window by window: python examples/slide.py SERVER DESCRIPTION SLIDE [BATCH]

SERVER and DESCRIPTION are as in nuclei.py; SLIDE is a file that OpenSlide opens; BATCH is how many windows a request
has. Needs tritonclient[grpc] and openslide-python. Prints how many nuclei there are of each type.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import openslide
import tritonclient.grpc as triton
from PIL import Image
from tritonclient.utils import np_to_triton_dtype


def infer(server, model, arrays):
    inputs = []
    for name, array in arrays.items():
        inputs.append(triton.InferInput(name, array.shape, np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array)
    answer = server.infer(model, inputs)
    return {each.name: answer.as_numpy(each.name) for each in answer.get_response().outputs}


def png(slide, window):
    x, y, width, height = np.rint(window).astype(int).tolist()
    region = slide.read_region((x, y), 0, (width, height))
    picture, file = Image.new("RGB", region.size, "white"), io.BytesIO()  # white beyond the slide's end
    picture.paste(region, mask=region.getchannel("A"))
    picture.save(file, "png")
    return file.getvalue()


def main(address, description, path, batch=4):
    told, slide = json.loads(Path(description).read_text()), openslide.OpenSlide(path)
    mpp = float(slide.properties["openslide.mpp-x"])
    side, margin = round(told["window"]["um"] / mpp), round(told["window"]["margin_um"] / mpp)
    step, (width, height) = side - 2 * margin, slide.dimensions
    cores = np.float32([(x, y, step, step) for y in range(0, height, step) for x in range(0, width, step)])
    windows = cores + np.float32([-margin, -margin, 2 * margin, 2 * margin])
    server, answers = triton.InferenceServerClient(address), []
    for start in range(0, len(cores), batch):  # in any order, several at a time, to several servers: all the same
        window, core = windows[start : start + batch], cores[start : start + batch]
        pictures = np.array([png(slide, each) for each in window], object)
        request = {"TILE": pictures, "REGION": window, "WINDOW": window, "MPP": np.float32([mpp]), "CORE": core}
        rows = infer(server, told["tiles"]["model"], request)
        rows["CORE"] = core[rows["TILE_INDEX"]]  # of the window that saw the nucleus
        rows["TILE_INDEX"] = rows["TILE_INDEX"] + np.int32(start)  # it counts within one request: now over the slide
        answers.append(rows)
    wanted = [each["name"] for each in told["slide"]["inputs"]]
    rows = {name: np.concatenate([each[name] for each in answers]) for name in wanted}
    keep = infer(server, told["slide"]["model"], rows)["KEEP"]
    for number, name in next(each["values"] for each in told["slide"]["inputs"] if each["name"] == "TYPE").items():
        print(f"{name} {np.count_nonzero(rows['TYPE'][keep] == int(number))}")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))

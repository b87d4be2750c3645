"""A slide that is analysed while it is scanned: python examples/scanner.py SERVER PIPELINE SLIDE MPP

SERVER    host:port of its gRPC port
SLIDE     in JPEG tiles (SVS, tiled TIFF, DICOM); a scanner is simulated that hands these over as its stage moves
MPP       µm per pixel of the slide

Needs histoserve (the client). The stage goes to and fro; some tiles come late, some twice, and one strip came out of
focus: it is scanned again. Prints what is known after each strip, and at last the result.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from histoserve.client.connect import connect
from histoserve.client.session import Session
from histoserve.client.slide import open_slide
from histoserve.client.travel.scan import Scan
from histoserve.client.work import work_for

LATE, TWICE, OUT_OF_FOCUS, STRIP_S = 7, 5, 1, 0.5  # every so manieth tile of a strip; a strip's number; its time


def strip(stored, row):
    columns = range(stored.lattice.columns)
    return [(column, row) for column in (columns if row % 2 == 0 else reversed(columns))]


def blurred(jpeg):
    pixels = cv2.GaussianBlur(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), (0, 0), 4)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def main(address, pipeline, path, mpp):
    with open_slide(Path(path)) as slide, connect([address], [pipeline], deadline=60) as wire:
        stored, work = slide.stored(0), work_for(wire.contract(pipeline), mpp, slide.l0_size)
        with Session(wire, work) as session, Scan(session, stored.lattice) as scan:
            late = []
            for row in range(stored.lattice.rows):
                missed, late = late, []
                for number, place in enumerate(strip(stored, row)):
                    jpeg = blurred(stored.jpeg(place)) if row == OUT_OF_FOCUS else stored.jpeg(place)
                    if number % LATE == LATE - 1:
                        late.append(place)
                        continue
                    for _ in range(1 + (number % TWICE == 0)):
                        scan.hand_over(place, jpeg)
                for place in missed:
                    scan.hand_over(place, stored.jpeg(place))
                time.sleep(STRIP_S)
                print(f"strip {row}: {len(session.answered)} of {len(work.tiles)} windows", scan.partial(), flush=True)
            for place in [*strip(stored, OUT_OF_FOCUS), *late]:
                scan.hand_over(place, stored.jpeg(place))
            last = time.perf_counter()
            print("result:", scan.finish(), f"{time.perf_counter() - last:.2f} s after the last tile")
        stored.close()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:4], float(sys.argv[4]))

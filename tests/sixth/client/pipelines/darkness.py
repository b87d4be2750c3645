import numpy as np


class Rows:
    BYTES_PER_MM2 = 1_000
    RESULT = {"required": ["darkness", "tissue_mm2"], "additionalProperties": {"type": "number"}}  # noqa: RUF012

    def __init__(self, contract, slide_mpp):
        self._scores = {}

    def more_inputs(self, tiles):
        return {}

    def take(self, tiles, outputs):
        self._scores.update(zip([tile.index for tile in tiles], outputs["SCORE"], strict=True))

    def finish(self, infer):
        rows = {"SCORE": np.array([self._scores[i] for i in sorted(self._scores)], np.float32).reshape(-1, 1)}
        self._darkness = float(infer("darkness_slide", rows)["DARKNESS"][0])

    def result(self, tissue_mm2):
        return {"darkness": self._darkness, "tissue_mm2": tissue_mm2}

    @staticmethod
    def words(result):
        return f"darkness {result['darkness']:.2f}"

    def layers(self):
        return []

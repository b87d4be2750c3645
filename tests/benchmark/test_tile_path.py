"""The benchmarks of the tile path look at all of a slide, and at the same in each way."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from histoserve.benchmark.client.bench import BATCHES, handed
from histoserve.benchmark.client.slides import large_slide, pixels_of, stored_of, tiles_of
from histoserve.benchmark.decode import bench as decode_bench
from histoserve.client.travel.block import Block
from histoserve.ensemble import decode as stage


def test_all_of_a_slide_is_handed_over_in_each_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with large_slide(None, 4.5e6) as slide, stored_of(slide, *BATCHES) as readers:
        assert np.prod(slide.l0_size) >= 4.5e6
        tiles = tiles_of(slide)
        groups = list(readers[0].groups(tiles))
        assert sorted(tile.index for group in groups for tile in group) == [tile.index for tile in tiles]
        sent = [handed(reader, reader.groups(tiles))[1] for reader in readers]
        assert sorted(sent, reverse=True) == sent
        assert sent[0] < handed(pixels_of(slide), groups)[1] / 3


def test_windows_of_stored_tiles_are_those_of_pixels_on_the_repeated_slide() -> None:
    with large_slide(None, 4.5e6) as slide, stored_of(slide, 16) as [reader]:
        group = next(iter(reader.groups(tiles_of(slide))))
        shared = [each for each in reader.read(group) if isinstance(each, Block) and each.shared]
        alone = {b.tiles[0].index: b for b in pixels_of(slide).read(group) if isinstance(b, Block)}
    limits = {"identity": 0, "tile_px": 512, "max_windows": 16, "max_tiles": 1024, "max_pixels": 2**26}
    for block in shared:
        images = stage.decode(*decode_bench.inputs_of(block), **limits)["IMAGE"]  # type: ignore[arg-type]
        for tile, image in zip(block.tiles, images, strict=True):
            own = stage.decode(*decode_bench.inputs_of(alone[tile.index]), **limits)["IMAGE"][0]  # type: ignore[arg-type]
            np.testing.assert_array_equal(image, own)


def test_a_slide_of_other_files_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((512, 512, 3), np.uint8), tile=(256, 256), photometric="rgb")
    with pytest.raises(ValueError, match=r"a.tif is not stored in JPEG tiles"), large_slide(tmp_path / "a.tif", 1e6):
        pass

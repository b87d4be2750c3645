"""The network for stained cells: shown as H&E, outlined by nuclei's weights, typed by what it learnt."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from histoserve.ensemble.nuclei.find import label_nuclei
from histoserve.export.ihc.evidence import Known, kept, known
from histoserve.export.ihc.network import TYPES, AsHE, StainedMaps, TypeHead, network_from_weights, served
from histoserve.export.ihc.train import BATCH, CROP_PX, NO_NUCLEUS, batches, loss, outlining, train
from histoserve.export.ihc.validation import score_head
from histoserve.export.nuclei.validation import rules_from_config
from histoserve.export.weight_file import score_of, weights_from_file

ROOT = Path(__file__).parents[3]
EVIDENCE = 12
NUCLEI = ROOT / "export" / "nuclei" / "weights.pt"
BROWN, BLUE, GLASS = (110, 65, 40), (110, 140, 200), (240, 240, 240)


def discs(side: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Four nuclei 24 px wide: blue, brown / brown, blue."""
    y, x = np.indices((side, side))
    image, labels = np.full((side, side, 3), GLASS, np.uint8), np.zeros((side, side), np.int32)
    for number, colour in enumerate((BLUE, BROWN, BROWN, BLUE)):
        disc = (x - 24 - 48 * (number % 2)) ** 2 + (y - 24 - 48 * (number // 2)) ** 2 < 144
        image[disc], labels[disc] = colour, 1 + number
    return image, labels


def test_blue_and_brown_are_shown_alike_and_told_apart_by_their_amounts() -> None:
    image, labels = discs()
    shown, amounts = (each[0].numpy() for each in AsHE()(torch.from_numpy(image[None])))
    blue, brown, glass = (np.isin(labels, numbers) for numbers in ((1, 4), (2, 3), (0,)))

    assert shown[0][glass].mean() > shown[0][blue].mean() + 0.5
    assert shown[0][glass].mean() > shown[0][brown].mean() + 0.5
    assert amounts[2][brown].mean() > 3 * amounts[2][blue].mean()
    assert amounts[0][blue].mean() > amounts[0][glass].mean() + 0.2
    assert np.isfinite(AsHE()(torch.zeros(1, 8, 8, 3, dtype=torch.uint8))[0].numpy()).all()


def test_nuclei_of_both_stains_are_outlined_by_the_shipped_weights() -> None:
    image, _ = discs()
    network, _ = outlining(NUCLEI)
    with torch.no_grad():
        maps = StainedMaps(network).eval()(torch.from_numpy(image[None]))[0].numpy()

    labels, types = label_nuclei(maps, rules_from_config(ROOT / "tests" / "ihc_models" / "ihc_watershed"))

    assert len(types) == 5
    assert {tuple(labels[y, x] > 0 for y in (24, 72) for x in (24, 72))} == {(True,) * 4}
    assert maps[..., 2].min() >= 1
    assert maps[..., 2].max() <= len(TYPES)


def striped(rows: int = 120) -> Known:
    """Nuclei in columns; their type follows from one channel of the evidence."""
    types = np.array([0, 1, 2, 3, 4], np.uint8)
    instances = np.repeat(np.tile(np.repeat(np.arange(5, dtype=np.int32), 4), 6)[None], rows, 0)
    evidence = np.zeros((EVIDENCE, *instances.shape), np.float16)
    row, column = np.indices(instances.shape)
    evidence[types[instances], row, column] = 1
    return Known(evidence, instances, types)


def test_batches_are_the_same_for_the_same_seed_and_hold_types_from_0() -> None:
    [one], [same] = (list(batches([striped()], 3, 1, 5)) for _ in range(2))
    [other] = batches([striped()], 3, 1, 6)

    assert one[0].shape == (BATCH, EVIDENCE, CROP_PX, CROP_PX)
    assert set(one[1].unique().tolist()) == {NO_NUCLEUS, 0, 1, 2, 3}
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1], same[1])
    assert not torch.equal(one[1], other[1])


def test_the_head_learns_what_the_evidence_says() -> None:
    torch.manual_seed(0)
    head, tile = TypeHead(EVIDENCE), striped()
    before = score_head(head, [tile])["typed"]
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    for batch in batches([tile], 0, 25, 0):
        optimizer.zero_grad()
        loss(head, batch).backward()
        optimizer.step()
    after = score_head(head, [tile])

    assert before < 1
    assert after == {"typed": 1, "positive": 1, "tumour": 1}


def test_a_batch_without_nuclei_teaches_nothing() -> None:
    head = TypeHead(EVIDENCE)
    loss(head, (torch.zeros(1, EVIDENCE, 8, 8), torch.full((1, 8, 8), NO_NUCLEUS))).backward()
    assert all(not each.grad.any() for each in head.parameters())


def test_evidence_is_kept_whole_and_made_once(tmp_path: Path) -> None:
    from histoserve.export.ihc.crops import StainedTile

    image, labels = discs()
    network, _ = outlining(NUCLEI)
    tile = StainedTile(image, labels, np.array([0, 1, 2, 2, 1], np.uint8))
    made = kept(tmp_path / "tiles" / "a.npz", network, lambda: [tile])
    again = kept(tmp_path / "tiles" / "a.npz", network, lambda: pytest.fail("made again"))

    assert [path.name for path in (tmp_path / "tiles").iterdir()] == ["a.npz"]
    for one in (*made, *again, known(network, tile)):
        np.testing.assert_array_equal(one.evidence, made[0].evidence)
        np.testing.assert_array_equal(one.instances, labels[::2, ::2])
        assert one.type_of.tolist() == [0, 1, 2, 2, 1]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"encoders.ns.conv1.weight": torch.zeros(8, 3, 7, 7)}, tmp_path / "some.pt")
    torch.save({"other": torch.zeros(3)}, tmp_path / "other.pt")
    for name in ("some.pt", "other.pt"):
        with pytest.raises(ValueError, match="holds no weights of nuclei"):
            outlining(tmp_path / name)
    with pytest.raises((RuntimeError, LookupError)):
        served({"other": torch.zeros(3)})


@pytest.mark.slow
def test_a_training_ends_with_weights_that_are_whole(tmp_path: Path) -> None:
    path = train(tmp_path, tmp_path / "out", phantoms=1, epochs=1, steps=1)

    network = network_from_weights(weights_from_file(path))
    shipped = weights_from_file(NUCLEI)
    assert all(torch.equal(value, shipped[name]) for name, value in network.nuclei.state_dict().items())
    assert set(score_of(path) or {}) == {"typed", "positive", "tumour"}
    assert json.loads(path.with_suffix(".json").read_text())["score"]

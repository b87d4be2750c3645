"""Weights are tried on a real server without anything that is installed being touched."""

import json
from pathlib import Path

import pytest
import torch

from histoserve.export.as_served import analysed
from histoserve.export.repository import INSTALLED
from histoserve.export.tissue.network import TissueNetwork


@pytest.mark.slow
def test_slides_are_analysed_with_the_weights_that_are_given(phantom: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(TissueNetwork(0.0625).state_dict(), tmp_path / "random.pt")
    installed = (INSTALLED / "tissue_network" / "config.pbtxt").read_text()

    with pytest.raises(ValueError, match=r"did not analyse all of 2 slides: see .*summary.csv"):
        analysed("tissue", tmp_path / "random.pt", [phantom, tmp_path / "absent.tiff"], tmp_path / "out")

    result = json.loads((tmp_path / "out" / "phantom" / "tissue" / "result.json").read_text())
    (graph,) = (each["sha256"] for each in result["pipeline"]["models"] if each["name"] == "tissue_network")
    assert graph not in installed
    assert (INSTALLED / "tissue_network" / "config.pbtxt").read_text() == installed


def test_weights_that_cannot_be_exported_start_no_server(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no weights at .*absent.pt"):
        analysed("tissue", tmp_path / "absent.pt", [], tmp_path / "out")

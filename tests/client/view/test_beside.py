"""How two slides lie to each other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoserve.client.errors import WrongUsage
from histoserve.client.view.beside import inverse, link, read_registration
from histoserve.client.view.result import SlideSaid

HE = SlideSaid("he.svs", (4000, 2000), 0.25, False, 40, "a")
IHC = SlideSaid("ihc.svs", (1000, 1000), 0.5, False, 20, "b")


def test_without_a_registration_centres_lie_on_each_other_to_scale() -> None:
    linked = link((HE, IHC), None, False)

    assert linked.described() == {"matrix": [[0.5, 0, -500], [0, 0.5, 0]], "linked": "um", "registered": False}


def test_without_a_scale_slides_are_as_large_as_each_other() -> None:
    linked = link((HE, SlideSaid("a", (2000, 1000), None, False, None, "c")), None, False)

    assert (linked.by, linked.matrix.tolist()) == ("size", [[0.5, 0, 0], [0, 0.5, 0]])


def test_a_registration_leads_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"matrix": [[0, -2, 30], [2, 0, 7]], "error_um": 3}))
    matrix = read_registration(tmp_path / "r.json")

    there, back = (link((HE, IHC), matrix, turned) for turned in (False, True))

    assert there.matrix @ (1, 1, 1) == pytest.approx([28, 9])
    assert back.matrix @ (28, 9, 1) == pytest.approx([1, 1])
    assert (there.by, there.described()["registered"]) == ("registration", True)
    np.testing.assert_allclose(inverse(inverse(matrix)), matrix, atol=1e-9)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"matrix": 3}', '{"matrix": [[1, 2], [3, 4]]}', '{"matrix": [[1, 2, 3], [2, 4, 6]]}',
     '{"matrix": [[NaN, 0, 0], [0, 1, 0]]}', '{"matrix": [["a", 0, 0], [0, 1, 0]]}', "[" * 99_999],
)  # fmt: skip
def test_what_is_no_registration_is_wrong_usage(tmp_path: Path, content: Any) -> None:
    (tmp_path / "r.json").write_text(content)

    with pytest.raises(WrongUsage, match=r"--registration .*r.json"):
        read_registration(tmp_path / "r.json")


def test_a_registration_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="No such file"):
        read_registration(tmp_path / "r.json")

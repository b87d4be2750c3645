"""How a graph from elsewhere is joined to a pipeline: the JSON file of its name, `net.json` beside `net.onnx`.

    {"model": "tissue_network",
     "input": {"tensor": "x", "layout": "NCHW", "colours": "BGR", "mean": [0.5, 0.5, 0.5], "deviation": [1, 1, 1]},
     "outputs": {"PROBABILITY": {"tensor": "logits", "activation": "softmax"}},
     "parameters": {"mpp": "2.28571"}}

`mean` and `deviation` are of colours in 0-1, in the order of `colours`; without them a network wants 0-255. An output
may have a `column`, which alone is kept, after its activation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LAYOUTS, COLOURS, ACTIVATIONS = ("NCHW", "NHWC"), ("RGB", "BGR"), ("none", "softmax", "sigmoid")


@dataclass(frozen=True)
class Input:
    """What the network takes for a picture."""

    tensor: str
    layout: str = "NCHW"
    colours: str = "RGB"
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        require(self.layout in LAYOUTS, f"layout {self.layout!r}: wanted {' or '.join(LAYOUTS)}")
        require(self.colours in COLOURS, f"colours {self.colours!r}: wanted {' or '.join(COLOURS)}")
        both = (self.mean is None) == (self.deviation is None)
        require(both, "mean and deviation come together, or neither")
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            fine = values is None or (len(values) == 3 and all(type(each) in (int, float) for each in values))
            require(fine, f"{name}: wanted three numbers")
        require(not self.deviation or min(self.deviation) > 0, "deviation: wanted numbers above 0")


@dataclass(frozen=True)
class Output:
    """What of the network one of the pipeline's tensors is."""

    tensor: str
    activation: str = "none"
    column: int | None = None

    def __post_init__(self) -> None:
        require(self.activation in ACTIVATIONS, f"activation {self.activation!r}: wanted {', '.join(ACTIVATIONS)}")
        require(self.column is None or type(self.column) is int, "column: wanted the number of one, from 0 on")


@dataclass(frozen=True)
class Mapped:
    """The whole file."""

    model: str
    input: Input
    outputs: Mapping[str, Output]
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(isinstance(self.model, str), f"model {self.model!r}: wanted a name")


def mapping_of(path: Path) -> Mapped:
    """Of the graph `path`; ValueError, in a line, for a file that is not there or says something else."""
    file = path.with_suffix(".json")
    try:
        said = json.loads(file.read_text())
        outputs = {str(name): Output(**each) for name, each in said.pop("outputs").items()}
        given = listed(said.pop("input"))
        parameters = {str(name): str(each) for name, each in said.pop("parameters", {}).items()}
        require(bool(outputs), "outputs: none are named")
        return Mapped(input=Input(**given), outputs=outputs, parameters=parameters, **said)
    except FileNotFoundError:
        raise ValueError(
            f"no {file}: beside an ONNX graph it says which of its tensors is which of the pipeline's, as shown in"
            " export/mapping.py"
        ) from None
    except KeyError as error:
        raise ValueError(f"{file} does not say {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: {str(error).splitlines()[0]}") from None


def listed(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(each) if isinstance(each, list) else each for name, each in said.items()}


def require(fine: bool, message: str) -> None:
    if not fine:
        raise ValueError(message)

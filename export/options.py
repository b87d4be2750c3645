"""Options that the trainings, or the scores, of several pipelines have; one of a single pipeline stands in its room.

The parameters of a pipeline's `train` are the options of `histoserve train <pipeline>`; likewise those of `score`, of
which every pipeline has `results` and `data`.
"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

Out = Annotated[Path, Option("-o", "--out", help="Folder for the weights; an interrupted run goes on there.")]
Data = Annotated[Path, Option(help="Folder of the training data.")]
Width = Annotated[float, Option(help="Channels of the network, relative to the published one.")]
Epochs = Annotated[int, Option(min=1, help="As many as the shipped weights saw, unless told.")]
Steps = Annotated[int | None, Option(min=1, help="Batches an epoch; without it all the data.")]
Seed = Annotated[int, Option(min=0, help="Equal seeds give equal weights, on one machine.")]

Results = Annotated[Path, Argument(metavar="RESULTS", help="OUT of `analyze`.")]
Labelled = Annotated[Path, Option(help="Folder of the labelled data.")]

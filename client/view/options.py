"""What can be said to `histoserve view`."""

from pathlib import Path
from typing import Annotated

import typer

Outs = Annotated[
    list[Path],
    typer.Argument(metavar="OUT…", help="What `analyze` wrote: OUT, a slide's folder, a result; or `label`."),
]
SlidePlace = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="The slide's file, or a folder in which it is; without it its overview is shown."
    ),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Without it a free one.")]
ListenAt = Annotated[str, typer.Option(metavar="A", help="Without it this machine alone.")]
AllowNetwork = Annotated[
    bool, typer.Option("--allow-network", help="Let other machines see the slides, with a token that is printed.")
]
AllowHosts = Annotated[
    list[str] | None, typer.Option("--allow-host", metavar="NAME", help="A proxy's name for it; may be repeated.")
]
Anonymous = Annotated[bool, typer.Option("--anonymous", help="Show the slide's name nowhere.")]
Reader = Annotated[str, typer.Option("--for", metavar="doctor|patient", help="Whom the texts are for.")]
Language = Annotated[str | None, typer.Option("--lang", metavar="en|zh", help="Without it the browser's.")]
CacheFolder = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="For what is made once; without it your cache folder.")
]
Registration = Annotated[
    Path | None, typer.Option(metavar="FILE", help="How the second slide lies to the first, for both side by side.")
]

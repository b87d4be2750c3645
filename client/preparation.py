"""What the user wants done to a picture before it is cut into regions (CN113838558A [0048-0051])."""

from dataclasses import dataclass
from typing import Any, Literal

from histoserve.client.grid import Rectangle


@dataclass(frozen=True)
class Preparation:
    """In this order: a part of the picture, enlarged, turned, cut."""

    crop: Rectangle | Literal["auto"] | None = None
    """In px of the original; "auto": where a coarse pass sees most."""
    enlarge: float = 1.0
    degrees: float = 0.0
    """Counter-clockwise."""
    regions: int | None = None
    """Into how many it is cut; None: of the size that the contract says."""

    @property
    def changes_picture(self) -> bool:
        """Whether it is another picture then."""
        return self.crop is not None or self.enlarge != 1 or self.degrees % 360 != 0

    def described(self) -> dict[str, Any]:
        """As asked for, in `result.json`."""
        crop = list(self.crop) if isinstance(self.crop, tuple) else self.crop
        return {"crop": crop, "enlarge": self.enlarge, "rotate": self.degrees, "regions": self.regions}


AS_IT_IS = Preparation()

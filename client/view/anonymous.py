"""The slides' names, or none: a name often is a patient's."""

import re
from typing import Any

from histoserve.client.view.slides import SlideOnPage

HIDDEN = "[slide]"
"""In place of a name within a sentence."""

MEANT_FOR_PROGRAMS = {"kind", "id", "code", "background"}
"""What stands under these is no sentence, though a slide may be called "grid"."""


class Names:
    """What the pages may say of them."""

    def __init__(self, anonymous: bool):
        self._anonymous = anonymous

    def of(self, slide: SlideOnPage) -> str | None:
        """None if names are not shown."""
        return None if self._anonymous else slide.said.name

    def hidden(self, described: Any, slide: SlideOnPage) -> Any:
        """The same with the slide's name, with its ending or without, taken out of every sentence in it."""
        if not self._anonymous:
            return described
        name = slide.said.name
        known = sorted({name, name.rsplit(".", 1)[0], slide.results[0].folder.parent.name} - {""}, key=len)
        # As a word of its own: a slide may be called "1".
        pattern = re.compile("|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in reversed(known)), re.IGNORECASE)
        return _replaced(described, pattern)


def _replaced(value: Any, pattern: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return pattern.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {name: each if name in MEANT_FOR_PROGRAMS else _replaced(each, pattern) for name, each in value.items()}
    return [_replaced(each, pattern) for each in value] if isinstance(value, list) else value

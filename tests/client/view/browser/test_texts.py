"""All words stand in the language files, and both files have the same ones."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[4] / "client" / "view" / "page"
EN, ZH = (json.loads((PAGE / "texts" / f"{language}.json").read_text("utf-8")) for language in ("en", "zh"))
SCRIPTS = sorted(path for path in PAGE.glob("*.js") if not path.name.endswith(".min.js"))
TEMPLATES = sorted(PAGE.glob("*.html"))
STRING = re.compile(r'"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`')
COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)


def keys(texts: dict[str, Any]) -> set[str]:
    """With those of the tables in it."""
    return {
        f"{name}/{inner}" for name, value in texts.items() for inner in (value if isinstance(value, dict) else [""])
    }


def holes(text: Any) -> set[str]:
    """What is put in."""
    return set(re.findall(r"\{(\w+)\}", text)) if isinstance(text, str) else set()


def test_both_languages_have_the_same_texts() -> None:
    assert keys(EN) == keys(ZH)
    assert {name: holes(text) for name, text in EN.items()} == {name: holes(text) for name, text in ZH.items()}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_hold_no_words(path: Path) -> None:
    code = COMMENT.sub("", path.read_text("utf-8"))
    for text in STRING.findall(code):
        said = re.sub(r"\$\{.*?\}", "", text[1:-1])
        # Two words of letters with a space between are for people, unless they are CSS.
        assert not re.search(r"[A-Za-z]{2,} [a-z]{2,}", said) or re.search(r"[\[({.]|sans-serif|under|over", said), text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_words(path: Path) -> None:
    bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text("utf-8"), flags=re.DOTALL)
    between = re.sub(r"<kbd.*?</kbd>|<[^>]*>", " ", bare)
    named = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', bare)
    assert not re.search(r"[A-Za-z]", " ".join([between, *named]).replace("&amp;", ""))


def test_every_text_that_is_asked_for_is_there() -> None:
    code = "".join(path.read_text("utf-8") for path in SCRIPTS)
    asked = set(re.findall(r'say\("([\w-]+)"', code))
    asked |= {
        name for path in TEMPLATES for name in re.findall(r"texts\[['\"]([\w-]+)['\"]\]", path.read_text("utf-8"))
    }
    assert asked <= set(EN)
    assert len(asked) > 40


def test_plain_names_are_no_diagnosis() -> None:
    for texts in (EN, ZH):
        plain = " ".join([*texts["plain-classes"].values(), *texts["plain-pipelines"].values()])
        assert not re.search(
            r"ASC|LSIL|HSIL|grade|cancer|tumou?r|carcinom|lesion|癌|瘤|病变|级别", plain, re.IGNORECASE
        )
    assert set(EN["plain-classes"]) <= set(EN["classes"])

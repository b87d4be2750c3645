"""JSON schemas of the kinds of KEDA and of Prometheus' operator, strict: a field that they do not have is an error.

Two packages hold these kinds as Python classes, generated from the definitions that a cluster gets. They want a newer
Python than ours, so they are read here as text, never imported; `make` fetches them into `.venv/kinds`.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

FETCHED = Path(sys.prefix) / "kinds"
PLACES = {
    "keda.sh/v1alpha1": ("cloudcoil_models_keda-*.whl", "cloudcoil/models/keda/v1alpha1.py"),
    "monitoring.coreos.com/v1": (
        "cloudcoil_models_prometheus_operator-*.whl",
        "cloudcoil/models/prometheus_operator/v1.py",
    ),
}
PLAIN = {"str": "string", "int": "integer", "bool": "boolean", "float": "number", "AwareDatetime": "string"}
LIMITS = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "pattern": "pattern",
    "min_length": "minLength",
    "max_length": "maxLength",
}
"""Of pydantic → of JSON Schema."""


def fetched(version: str) -> Path | None:
    """The package with the kinds of an API; None where it was not fetched."""
    return next(iter(sorted(FETCHED.glob(PLACES[version][0]))), None)


@cache
def schema_of(version: str, kind: str) -> dict[str, Any]:
    """Of a kind of an API whose package was fetched."""
    wheel = fetched(version)
    assert wheel is not None
    return Kinds(wheel, PLACES[version][1]).of(kind)


@cache
def _classes(wheel: Path, path: str) -> dict[str, str]:
    with ZipFile(wheel) as archive:
        text = archive.read(path).decode()
    # To parse all of it would take a gigabyte; few of the thousand classes are needed.
    parts = re.split(r"^(?=class \w)", text, flags=re.MULTILINE)
    return {re.split(r"\W", part, maxsplit=2)[1]: part for part in parts if part.startswith("class ")}


class Kinds:
    """The classes of one module, as schemas."""

    def __init__(self, wheel: Path, path: str):
        self._texts = _classes(wheel, path)

    def of(self, name: str) -> dict[str, Any]:
        """Of the class; raises KeyError for one that is not there."""
        properties, required = {}, []
        for line in self._fields(name):
            key, schema = line.target.id.rstrip("_"), self._schema(line.annotation)
            key = schema.pop("alias", key)
            properties[key] = schema
            if line.value is None:
                required.append(key)
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def _fields(self, name: str) -> Iterator[Any]:
        [definition] = ast.parse(self._texts[name]).body
        assert isinstance(definition, ast.ClassDef)
        for line in definition.body:
            if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.dump(line.annotation):
                yield line

    def _schema(self, said: ast.expr) -> dict[str, Any]:
        """Of an annotation, with `alias` if it has one. A field that may be left out may not be null."""
        match said:
            case ast.Name("ObjectMeta"):
                return {"type": "object"}
            case ast.Name(name):
                return {"type": PLAIN[name]} if name in PLAIN else {} if name == "Any" else self.of(name)
            case ast.Constant(str(name)):
                return self.of(name)
            case ast.BinOp(left, ast.BitOr(), ast.Constant(None)):
                return self._schema(left)
            case ast.BinOp(left, ast.BitOr(), right):
                return {"anyOf": [self._schema(left), self._schema(right)]}
            case ast.Subscript(ast.Name("list"), item):
                return {"type": "array", "items": self._schema(item)}
            case ast.Subscript(ast.Name("dict"), ast.Tuple([_, item])):
                return {"type": "object", "additionalProperties": self._schema(item)}
            case ast.Subscript(ast.Name("Literal"), of):
                return {"enum": [each.value for each in (of.elts if isinstance(of, ast.Tuple) else [of])]}
            case ast.Subscript(ast.Name("Annotated"), ast.Tuple([inner, ast.Call(keywords=words)])):
                told = {word.arg: ast.literal_eval(word.value) for word in words}
                schema = self._schema(inner)
                limits = {LIMITS[name]: value for name, value in told.items() if name in LIMITS}
                alias = {"alias": told["alias"]} if "alias" in told else {}
                return {**schema, **limits, **alias}
        raise NotImplementedError(ast.unparse(said))

"""Configs of models as Triton writes them: its message, or the file in a model repository."""

from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType
from tritonclient.grpc.model_config_pb2 import ModelConfig as Message

from histoserve.client.contract import ModelConfig, Tensor
from histoserve.client.errors import ServerError


def config_from_message(message: Message, name: str, version: str) -> ModelConfig:
    """Of the model `name`."""
    return ModelConfig(
        name=name,
        version=version,
        max_batch=message.max_batch_size,
        parameters={each: parameter.string_value for each, parameter in message.parameters.items()},
        steps=tuple(step.model_name for step in message.ensemble_scheduling.step),
        inputs=tuple(_tensor(each) for each in message.input),
        outputs=tuple(_tensor(each) for each in message.output),
    )


def config_in(repository: Path, model: str) -> ModelConfig:
    """Of a model in a repository on disk, in its newest version; raises ServerError for none, or a bad one."""
    path = repository / model / "config.pbtxt"
    try:
        message = text_format.Parse(path.read_text(), Message())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ServerError(f"{path} is no config that Triton takes: {error}") from error
    versions = [int(each.name) for each in path.parent.iterdir() if each.name.isdecimal()]
    return config_from_message(message, model, str(max(versions, default="")))


def _tensor(message: Any) -> Tensor:
    name = DataType.Name(message.data_type).removeprefix("TYPE_")
    return Tensor(message.name, {"STRING": "BYTES"}.get(name, name), tuple(message.dims))

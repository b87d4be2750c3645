"""`histoserve describe`: from the installed configs, or from a server's."""

import json
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tritonclient.grpc import model_config_pb2, service_pb2

from histoserve.client.access import PLAIN, Access, access_from_options
from histoserve.client.configs import config_in
from histoserve.client.contract import contract_from_configs
from histoserve.client.describe.description import description
from histoserve.client.describe.text import print_description
from histoserve.client.errors import OutputError, WrongUsage
from histoserve.client.wire import Server


def describe(pipeline: str, address: str | None, as_json: bool, protocol: Path | None, *access: Any) -> None:
    """Prints the description; writes Triton's protocol to the file `protocol`; `access` as `access_from_options`."""
    facts = of_server(pipeline, address, access_from_options(*access)) if address else of_installed(pipeline)
    if protocol:
        try:
            protocol.write_bytes(descriptor_set())
        except OSError as error:
            raise OutputError(f"--protocol: {error}") from error
    if as_json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print_description(facts)


def of_server(pipeline: str, address: str, access: Access = PLAIN) -> dict[str, Any]:
    """Raises ServerError if it does not answer, or does not serve the pipeline."""
    server = Server(address, access)
    try:
        return description(
            pipeline, server.contract(pipeline), server.config, f"Triton {server.version()} at {address}"
        )
    finally:
        server.close()


def of_installed(pipeline: str) -> dict[str, Any]:
    """Starts nothing; raises WrongUsage if the installed repository does not hold the pipeline."""
    from histoserve.deploy.local.serve import installed_repository

    repository = installed_repository()
    known = sorted(path.name.removesuffix("_tiles") for path in repository.glob("*_tiles"))
    if pipeline not in known:
        raise WrongUsage(f"{pipeline!r} is no pipeline; installed are {', '.join(known)}. --server asks another's.")

    def config_of(model: str) -> Any:
        return config_in(repository, model)

    return description(pipeline, contract_from_configs(pipeline, config_of), config_of, "the installed repository")


def descriptor_set() -> bytes:
    """Triton's protocol, a serialized google.protobuf.FileDescriptorSet."""
    files = FileDescriptorSet()
    for module in (model_config_pb2, service_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    return files.SerializeToString()

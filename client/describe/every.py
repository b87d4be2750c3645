"""What holds for every pipeline and stands in no config: coordinates, the wire, errors, health, rows of a slide."""

COORDINATES = (
    "Level-0 pixels of the slide, x right, y down, from its upper left corner, in requests and answers; the server "
    "converts."
)

ROWS = (
    "Any server answers any request, in any order, and again. Concatenate each output over the requests of a slide "
    "along its first axis, and send the slide's model those that it takes, by the same names."
)

WIRE = {
    "call": "inference.GRPCInferenceService/ModelInfer",
    "inputs": "All in raw_input_contents, in the order of inputs: little-endian, row by row. Each element of BYTES "
    "stands behind its length in four bytes, little-endian. Or all in contents (bytes_contents, fp32_contents).",
    "outputs": "Always in raw_output_contents, in the order of outputs: little-endian, row by row.",
    "message": "Many gRPC libraries refuse answers over 4 MB: allow them more (max_receive_message_length).",
    "protocol": "`histoserve describe … --protocol FILE` writes it as a FileDescriptorSet, which protoc "
    "(--descriptor_set_in), grpcurl (-protoset) and Node's @grpc/proto-loader read. Its source is grpc_service.proto "
    "and model_config.proto of Triton's repository `common`; Python's tritonclient[grpc] has it built in.",
}

ERRORS = (
    ("INVALID_ARGUMENT", "The request is wrong, and the text says what; nobody else's was disturbed.", "Change it."),
    ("NOT_FOUND", "No such model or version is served.", "Look at the names above, and at what the server has."),
    (
        "UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, CANCELLED",
        "Nobody took it, or none answered in time. RESOURCE_EXHAUSTED may be the library's own limit: see message.",
        "Send it again after a pause, to another server if there is one.",
    ),
    (
        "INTERNAL, UNKNOWN",
        'The server failed; "Stub process … is not healthy" means that a stage\'s process ended.',
        "Send its windows again one by one, a few times; one that still ends servers is at fault itself.",
    ),
)
"""gRPC codes, what they mean, what to do."""

HEALTH = {
    "gRPC": "ServerLive, ServerReady, ModelReady(name); also grpc.health.v1.Health/Check",
    "HTTP": "GET /v2/health/live, /v2/health/ready, /v2/models/NAME/ready on the HTTP port",
    "metrics": "GET /metrics on the metrics port, for Prometheus",
    "ports": "`histoserve serve` prints all three; with Triton's own defaults HTTP 8000, gRPC 8001, metrics 8002",
}

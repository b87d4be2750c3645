"""What of a model's config belongs to who deploys it, and stays when another graph comes."""

from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

INSTALLED = Path(__file__).parents[1] / "model_repository"
"""What `serve` and `analyze` start without a word."""
BACKEND, GRAPH = "onnxruntime", "model.onnx"
VERSIONS = {"fp32": 1, "fp16": 2, "int8": 3}
"""Precision → version of the model."""
PRECISION = "precision"
"""The parameter, and the entry of a graph's metadata, that says which; without it float32."""


def deployment_of(existing: ModelConfig) -> tuple[ModelConfig, list[str]]:
    """The settings of `existing` that hold for an ONNX graph named `GRAPH`, and those that were dropped, as written.

    Tensors go without a word: they are the new graph's to say.
    """
    kept, dropped = ModelConfig(), []
    kept.CopyFrom(existing)
    for field in ("input", "output"):
        kept.ClearField(field)
    if existing.default_model_filename not in ("", GRAPH):
        dropped.append(f'default_model_filename: "{existing.default_model_filename}"')
    dropped += [f'cc_model_filenames["{key}"]' for key in sorted(existing.cc_model_filenames)]
    for field in ("default_model_filename", "cc_model_filenames", "platform", "backend"):
        kept.ClearField(field)
    kept.backend = BACKEND
    foreign = [
        f'{field}: "{value}"'
        for field, value, ours in (
            ("platform", existing.platform, "onnxruntime_onnx"),
            ("backend", existing.backend, BACKEND),
        )
        if value not in ("", ours)
    ]
    return (kept, foreign + dropped + _without_foreign(kept)) if foreign else (kept, dropped)


def _without_foreign(config: ModelConfig) -> list[str]:
    """Takes out, and names, what only another backend reads: TensorRT's profiles and CUDA graphs, its precision."""
    dropped = []
    for group in config.instance_group:
        if group.profile:
            dropped.append(f"instance_group profile: {', '.join(map(str, group.profile))}")
            group.ClearField("profile")
    for field in ("cuda", "graph"):
        if config.optimization.HasField(field):
            dropped.append(f"optimization {field}")
            config.optimization.ClearField(field)
    if not config.optimization.ListFields():
        config.ClearField("optimization")
    return dropped


def serve_version(config: ModelConfig, model: Path, precision: str) -> int:
    """The version of the folder `model` that a graph of `precision` becomes; makes `config` serve that one alone.

    Float32 of a model that never was anything else is version 1, and its config says nothing of versions.
    """
    version = VERSIONS[precision]
    others = [each for each in VERSIONS.values() if each != version and (model / str(each) / GRAPH).is_file()]
    ours = PRECISION in config.parameters
    if ours:
        del config.parameters[PRECISION]
        config.ClearField("version_policy")
    if (version != 1 or (ours and others)) and not config.HasField("version_policy"):
        config.parameters[PRECISION].string_value = precision
        config.version_policy.specific.versions.append(version)
    return version


def served_version(config: ModelConfig) -> int:
    """The version that an export left to be served."""
    said = config.parameters[PRECISION].string_value if PRECISION in config.parameters else "fp32"
    return VERSIONS.get(said, 1)


def shadow_of(model: Path, config: ModelConfig, version: int = 1) -> str | None:
    """Why a server would not serve the graph that is this version of the folder `model`; None if it would."""
    later = sorted(int(path.name) for path in model.glob("[0-9]*") if path.is_dir() and path.name.isdigit())
    if later and later[-1] > version and not config.HasField("version_policy"):
        return f"it also holds version {later[-1]}, and a server takes the latest"
    policy = config.version_policy
    if version > 1 and PRECISION not in config.parameters:
        return "its version_policy is not an export's"
    if policy.HasField("specific") and version not in policy.specific.versions:
        return f"its version_policy leaves out version {version}"
    newer = [each for each in later if each > version]
    if policy.HasField("latest") and newer and len(newer) >= policy.latest.num_versions:
        return f"its version_policy takes the latest, and it also holds version {later[-1]}"
    return None

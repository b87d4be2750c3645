"""A graph that only ONNX Runtime takes is refused by its node's name, whether TensorRT is installed or not."""

import onnx
import pytest

from histoserve.export.portable import NotPortable, require_portable

BYTES, FLOATS = "uint8[N,4,4,3] x", "float[N,4,4,3] x"


def graph_of(inputs: str, body: str, outputs: str) -> onnx.ModelProto:
    head = '<ir_version: 10, opset_import: ["" : 18, "org.lab" : 1]>'
    return onnx.parser.parse_model(f"{head} tried ({inputs}) => ({outputs}) {{ {body} }}")


@pytest.mark.parametrize(
    ("inputs", "body", "outputs"),
    [
        (BYTES, "f = Cast<to=1>(x) y = Transpose<perm=[0,3,1,2]>(f)", "float[N,3,4,4] y"),
        (BYTES, "y = Cast<to=1>(x) z = Shape(x)", "float[N,4,4,3] y, int64[4] z"),
        (FLOATS, "t = Transpose<perm=[0,3,1,2]>(x) y = Cast<to=2>(t)", "uint8[N,3,4,4] y"),
        ("float16[N,3] x", "f = Cast<to=1>(x) r = Relu(f) y = Cast<to=10>(r)", "float16[N,3] y"),
        ("float[3,4] x", "", "float[3,4] x"),
    ],
)
def test_bytes_that_are_cast_at_the_border_pass(inputs: str, body: str, outputs: str) -> None:
    require_portable("tried", graph_of(inputs, body, outputs))


@pytest.mark.parametrize(
    ("inputs", "body", "outputs", "refusal"),
    [
        # The order of 0.1.0, at either end.
        (
            BYTES,
            "t = Transpose<perm=[0,3,1,2]>(x) y = Cast<to=1>(t)",
            "float[N,3,4,4] y",
            r"node 0 \(Transpose\) takes x as UINT8.*cast the input first of all",
        ),
        (
            FLOATS,
            "b = Cast<to=2>(x) y = Transpose<perm=[0,3,1,2]>(b)",
            "uint8[N,3,4,4] y",
            r"node 0 \(Cast\) gives b as UINT8.*cast the output last of all",
        ),
        (BYTES, "f = Cast<to=1>(x) t = Transpose(x) y = Cast<to=1>(t)", "float y, float f", r"node 1 \(Transpose\)"),
        (FLOATS, "b = Cast<to=2>(x) y = Cast<to=1>(b)", "float[N,4,4,3] y", r"node 0 \(Cast\) gives b as UINT8"),
        (BYTES, "y = Identity(x)", "uint8[N,4,4,3] y", r"node 0 \(Identity\) takes x as UINT8"),
        (FLOATS, "y = org.lab.Magic(x)", "float[N] y", r"node 0 \(Magic\) is of org\.lab"),
        (FLOATS, "y = RandomNormalLike(x)", "float[N,4,4,3] y", r"node 0 \(RandomNormalLike\) is not among"),
        (FLOATS, "y = NonZero(x)", "int64[4,K] y", r"node 0 \(NonZero\) is not among"),
        (FLOATS, "d = Cast<to=11>(x) e = Relu(d) y = Cast<to=1>(e)", "float y", r"node 0 \(Cast\) has d as DOUBLE"),
        (FLOATS, "y = Cast<to=11>(x)", "double[N,4,4,3] y", r"y is DOUBLE; inputs and outputs may be BOOL"),
        ("int16[N] x", "y = Cast<to=1>(x)", "float[N] y", "x is INT16; inputs and outputs may be BOOL"),
    ],
)
def test_what_tensorrt_does_not_take_is_refused_by_name(inputs: str, body: str, outputs: str, refusal: str) -> None:
    with pytest.raises(NotPortable, match=f"^tried: {refusal}"):
        require_portable("tried", graph_of(inputs, body, outputs))

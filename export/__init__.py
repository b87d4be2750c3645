"""How a network becomes a graph: networks, training → weights → one verified ONNX graph → the model repository."""

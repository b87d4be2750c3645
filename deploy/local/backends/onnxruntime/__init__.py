"""The backend `onnxruntime` as a Python-based backend: takes the place of NVIDIA's C++ one, with the same configs.

`model` is what Triton calls; `contract` compares config and graph, `session` reads the options, `batch` merges the
requests.
"""

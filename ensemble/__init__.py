"""What the Python stages compute: plain functions on arrays, NumPy, OpenCV and numba only."""

"""A saved model of torch to one that `mner-onnx` serves, and to 8-bit integers."""

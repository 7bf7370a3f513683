"""A torch module or an ONNX file in, a checked ONNX model out."""

"""From an ONNX model to an integer graph, and from there to a program of relations and a key."""

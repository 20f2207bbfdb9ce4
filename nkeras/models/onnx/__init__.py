"""Reading of ONNX files: checked bytes, a graph of nodes, a functional model."""

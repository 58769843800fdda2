"""edgekit's target for ONNX, run by ONNX Runtime."""

"""Exports a trained InverseNet to SavedModel, LiteRT and ONNX, and verifies the results."""

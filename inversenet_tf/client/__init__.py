"""A client for TensorFlow Serving servers that serve an export of this package."""

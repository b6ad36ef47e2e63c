"""The client of a TensorFlow Serving server that serves an export of this package."""

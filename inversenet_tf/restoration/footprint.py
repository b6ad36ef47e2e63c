"""The memory of a network's activations, from its graph, and of a process, from the system."""

import re
from pathlib import Path

import psutil
import tensorflow as tf

# Growth of a process on two CPU cores, divided by the size of the live tensors: 1.0 to 2.4 for this
# package's networks at 128 to 1536 pixels, and up to 2.7 for tile after tile, since the allocator
# does not return freed memory at once.
SCRATCH = 3.25
TRACED_SIDE = 256  # large enough for what does not grow with the image to be negligible


def peak_bytes_per_pixel(function, channels, multiple=1):
    """The largest number of bytes of tensors alive at a time, per pixel of the input.

    Each tensor lives from the operation that makes it to the last one that reads it, with the
    operations run in the order of their creation. TensorFlow's scratch space and its allocator's
    reserve are not included, see `SCRATCH`.

    Args:
        function: from float32 images [1, height, width, channels] to tensors; without loops or
            branches.
        channels: of the images.
        multiple: of which their sides must be multiples.
    """
    side = -(-TRACED_SIDE // multiple) * multiple
    spec = tf.TensorSpec((1, side, side, channels), tf.float32)
    graph = tf.function(function, autograph=False).get_concrete_function(spec).graph
    operations = graph.get_operations()
    last_read = {
        tensor.ref(): index
        for index, operation in enumerate(operations)
        for tensor in operation.inputs
    }
    kept = {tensor.ref() for tensor in (*graph.inputs, *graph.outputs)}
    alive = peak = 0
    freed_after = {}
    for index, operation in enumerate(operations):
        for tensor in operation.outputs:
            size = _bytes(tensor)
            alive += size
            if tensor.ref() not in kept:
                end = last_read.get(tensor.ref(), index)
                freed_after[end] = freed_after.get(end, 0) + size
        peak = max(peak, alive)
        alive -= freed_after.get(index, 0)
    return peak / side**2


def _bytes(tensor):
    """The size of a tensor; 0 for one that is no array of numbers, such as a variable's handle."""
    known = tensor.shape.is_fully_defined() and tensor.dtype.is_numpy_compatible
    is_handle = tensor.dtype in (tf.resource, tf.variant, tf.string)
    return tensor.shape.num_elements() * tensor.dtype.size if known and not is_handle else 0


def resident_bytes():
    """Bytes that the process takes: (now, at most so far); the latter is None except on Linux."""
    status = Path("/proc/self/status")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    return psutil.Process().memory_info().rss, int(peak[1]) * 1024 if peak else None

"""Restoring an image in tiles, in half of the memory, against restoring it whole."""

from pathlib import Path

from benchmarks.interleaved_runs import Case, Comparison
from benchmarks.restoration import model_of, temporary_directory

HERE = "benchmarks.tiles"
SIZES = (512, 1024)  # sides of an image, in pixels
EXPORT = "export"  # directory of the exported model
TINY = {"tiled_sizes": [512]}


def comparisons(settings):
    """Returns a comparison for each size: tiles, then the whole.

    Args:
        settings: dict that may hold `tiled_sizes`, and `workdir` and `directory` as for
            `benchmarks.restoration.comparisons`.
    """
    from inversenet_tf.exporting.inversenet import export_model

    directory = Path(settings.get("directory") or temporary_directory())
    export_model(model_of(settings.get("workdir"), "float32"), directory / EXPORT)
    return [_comparison(directory, size) for size in settings.get("tiled_sizes", SIZES)]


def _comparison(directory, size):
    """Returns the comparison; writes its photograph and the restoration of the whole."""
    import numpy as np

    from inversenet_tf.restoration.exported_restorer import ExportedRestorer
    from inversenet_tf.restoration.tiling import restore_pixels

    restorer = ExportedRestorer(directory / EXPORT)
    pixels = _photograph(size, restorer.spec.measured_channels)
    limit, tile = memory_for_tiles(pixels, restorer.spec)
    files = {name: str(directory / f"{name}_{size}.npy") for name in ("photograph", "whole")}
    np.save(files["photograph"], pixels)
    np.save(files["whole"], restore_pixels(restorer, pixels))
    options = {"export": str(directory / EXPORT)} | files
    cases = [
        Case("tiles", f"{HERE}:restored", options | {"max_memory": limit}),
        Case("whole", f"{HERE}:restored", options),
    ]
    told = {"size": size, "tile": tile, "max_memory": limit}
    return Comparison(f"{size} x {size} px", cases, settings=told)


def _photograph(size, channels):
    """A photograph in 16 bits, which show differences of less than a level."""
    import numpy as np

    from inversenet_tf.exporting.verification import of_size
    from inversenet_tf.imaging.data.datasets import HELD_OUT, open_source
    from inversenet_tf.imaging.files.pixels import to_integers

    photograph = open_source("photos", HELD_OUT, channels).load(0)
    return to_integers(of_size(photograph, (size, size), 1), np.uint16)


def memory_for_tiles(pixels, spec):
    """Returns half of the bytes that the whole image takes, and the tiles' [height, width] then."""
    from inversenet_tf.restoration.tiling import tile_shape

    padded = [-(-side // spec.multiple) * spec.multiple for side in pixels.shape[:2]]
    limit = int(padded[0] * padded[1] * spec.bytes_per_pixel / 2)
    return limit, [side * spec.scale for side in tile_shape(padded, spec, limit, pixels.itemsize)]


def restored(export, photograph, whole, max_memory=None):
    """Restores the photograph within `max_memory`; reports its difference from the whole."""
    import numpy as np

    from inversenet_tf.imaging.files.pixels import WHITE, WHITE_16_BITS
    from inversenet_tf.restoration.exported_restorer import ExportedRestorer
    from inversenet_tf.restoration.tiling import restore_pixels

    restorer, pixels = ExportedRestorer(export), np.load(photograph)
    expected = np.load(whole).astype(np.float32)

    def turn():
        restored = restore_pixels(restorer, pixels, max_memory)
        if max_memory is None:
            return None
        difference = np.abs(restored - expected).max(-1) / WHITE_16_BITS
        return {
            "largest_difference": float(difference.max()),
            "share_within_a_level": float((difference < 1 / WHITE).mean()),
        }

    return turn

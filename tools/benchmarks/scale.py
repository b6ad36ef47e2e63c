"""How time and memory grow: with the image, the batch, the kernel, and a search's measurements.

Each case has four sizes; the report fits a power law to what they take.
"""

from benchmarks.interleaved_runs import Case, Comparison

HERE = "benchmarks.scale"
PRESET = "any_blur"  # restores with the kernel that it is given
SETTINGS = {
    "sides": (256, 512, 1024, 2048),  # of one image, in pixels
    "batches": (1, 2, 4, 8),
    "kernels": (7, 15, 31, 63),  # sides, in pixels
    "numbers": (5, 10, 20, 40),  # of measurements that share one operator
    "side": 256,  # of images in batches, and of those with other kernels
    "kernel": 15,  # side of the kernel of images and batches
    "steps": 50,  # of either phase of the search's round
    "width": 64,  # of its DCGAN
}
TINY = {
    "sides": (24, 32, 48, 64),
    "kernels": (3, 5, 7, 9),
    "numbers": (1, 2, 3, 4),
    "side": 32,
    "kernel": 5,
    "steps": 2,
    "width": 4,
}
NOISE = 0.01  # that the restorer is given
SMALLEST = 16  # pixels a side, of an image restored before all others


def comparisons(settings):
    """Returns a comparison for each quantity that grows.

    Args:
        settings: dict that may hold any of `SETTINGS`.
    """
    settings = SETTINGS | settings
    side, kernel = settings["side"], settings["kernel"]
    searched = {name: settings[name] for name in ("steps", "width")}
    restored = {"preset": PRESET, "kernel": kernel}
    return [
        _growth(
            "size of an image",
            "pixels",
            {n**2: _image(1, n, kernel) for n in settings["sides"]},
            restored,
        ),
        _growth(
            "size of a batch",
            "images",
            {n: _image(n, side, kernel) for n in settings["batches"]},
            restored | {"side": side},
        ),
        _growth(
            "size of the kernel",
            "pixels of the kernel",
            {n**2: _image(1, side, n) for n in settings["kernels"]},
            {"preset": PRESET, "side": side},
        ),
        _growth(
            "measurements of a search",
            "measurements",
            {n: ("search", searched | {"number": n}) for n in settings["numbers"]},
            searched,
        ),
    ]


def _growth(name, unit, prepared, settings):
    """A comparison of cases that differ in their size.

    Args:
        name: of the comparison.
        unit: what the sizes count.
        prepared: {size: (function of this module, its options)}, the smallest first.
        settings: what all cases share.
    """
    cases = [
        Case(f"{size} {unit}", f"{HERE}:{function}", options, size=size)
        for size, (function, options) in prepared.items()
    ]
    return Comparison(name, cases, settings=settings, grows_with=unit)


def _image(batch, side, kernel):
    return "restoration", {"batch": batch, "side": side, "kernel": kernel}


def restoration(batch, side, kernel):
    """Restores images with a given kernel; their content makes no difference."""
    import numpy as np

    import inversenet_tf as inv

    told = inv.load(PRESET).told(inv.kernels.gaussian(kernel, kernel / 4), NOISE)
    images = np.random.default_rng(0).uniform(size=(batch, side, side, told.measured_channels))
    images = images.astype(np.float32)
    first = max(SMALLEST, kernel + 1)
    for _ in range(2):  # the first runs without a graph; its memory is then in the idle process
        told.estimates(images[:1, :first, :first])
    return _telling_memory(lambda: told.estimates(images))


def search(number, steps, width):
    """A round of a search for one operator, see `blind_inversion.our_restoration`.

    Its memory includes that of the graphs.
    """
    from benchmarks.blind_inversion import our_restoration

    return _telling_memory(our_restoration(number, steps, width, "float32"))


def _telling_memory(work):
    """Makes a turn that does the work and reports its peak bytes beyond the idle process."""
    import contextlib
    from pathlib import Path

    from inversenet_tf.restoration.footprint import resident_bytes

    # Loading may have taken more: the peak is reset, where Linux allows it.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    idle, _ = resident_bytes()

    def turn():
        work()
        _, peak = resident_bytes()
        return None if peak is None else {"memory": max(peak - idle, 0)}

    return turn

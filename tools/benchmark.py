"""Times the blind inversion against the same algorithm written plainly, in one run.

python tools/benchmark.py --output=runs/benchmark.json
python tools/benchmark.py --rounds=5 --number=50

Both run the same rounds of Algorithm 1 on a DCGAN of random weights, which cost what trained ones
do, in float32, and take turns round by round. Peak memory is that of one process for each.
"""

import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from absl import flags

from inversenet_tf.imaging.command_line import run  # isort: skip (first: it quiets TensorFlow)
from peers.eager_inversion import eager_inversion

from blind_gan_tf.config import SearchConfig
from blind_gan_tf.inversion import invert
from blind_gan_tf.latents import Latents
from blind_gan_tf.networks import DCGANDiscriminator, DCGANGenerator
from blind_gan_tf.surrogate import LinearConvolution
from inversenet_tf.imaging.runs import versions, write_json

NUMBER = flags.DEFINE_integer("number", 25, "Measurements.", lower_bound=1)
ROUNDS = flags.DEFINE_integer("rounds", 3, "Timed rounds, after one that is not.", lower_bound=1)
STEPS = flags.DEFINE_integer("steps", 50, "Steps of either phase.", lower_bound=1)
WIDTH = flags.DEFINE_integer("width", 64, "Width of the DCGAN.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "JSON file for the result.")
ONLY = flags.DEFINE_enum("only", None, ["compiled", "eager"], "Run one, print its peak memory.")


def contestants():
    """{name: callable of a number of rounds and of what to call after each}"""
    generator = DCGANGenerator(width=WIDTH.value)
    discriminator = DCGANDiscriminator(width=WIDTH.value)
    shape = (NUMBER.value, 64, 64, 3)
    measurements = np.random.default_rng(0).uniform(size=shape).astype(np.float32)

    def config(rounds):
        return SearchConfig(
            rounds=rounds, surrogate_steps=STEPS.value, latent_steps=STEPS.value
        )  # fmt: skip

    def compiled(rounds, after):
        invert(
            measurements, generator, discriminator, lambda seed: LinearConvolution(seed=seed),
            config(rounds), on_round=lambda *state: after(),
        )  # fmt: skip

    def eager(rounds, after):
        latents = Latents().draw((NUMBER.value, 1), [0, 0])
        surrogate = LinearConvolution()
        eager_inversion(
            measurements, generator, discriminator, surrogate, latents, config(rounds), after
        )

    return {"compiled": compiled, "eager": eager}


def seconds_per_round():
    """{name: list}, the contestants taking turns; the first round, which compiles, is left out."""
    found = {}
    for _ in range(ROUNDS.value):
        for name, contestant in contestants().items():
            times = [time.monotonic()]
            contestant(2, lambda times=times: times.append(time.monotonic()))
            found.setdefault(name, []).append(times[2] - times[1])
    return found


def peak_memory(name):
    """MiB of a process that runs one contestant alone."""
    command = [sys.executable, __file__, f"--only={name}", f"--number={NUMBER.value}",
               f"--steps={STEPS.value}", f"--width={WIDTH.value}"]  # fmt: skip
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(output.split()[-1])


def main():
    if ONLY.value:
        contestants()[ONLY.value](2, lambda: None)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    # First, while this process is small: Linux counts a parent's memory as its child's.
    memory = {name: peak_memory(name) for name in ("compiled", "eager")}
    times = seconds_per_round()
    medians = {name: statistics.median(values) for name, values in times.items()}
    results = {
        "number": NUMBER.value,
        "steps": STEPS.value,
        "width": WIDTH.value,
        "seconds_per_round": times,
        "ratio": medians["eager"] / medians["compiled"],
        "peak_memory_mib": memory,
        "versions": versions(),
    }
    for name, median in medians.items():
        print(f"{name:<10}{median:>10.2f} s a round{memory[name]:>10.0f} MiB")
    print(f"eager / compiled: {results['ratio']:.2f}")
    if OUTPUT.value:
        write_json(OUTPUT.value, results)


if __name__ == "__main__":
    run(main)

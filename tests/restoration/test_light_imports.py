"""Restoring from an export needs little of the project; a process of its own says what it takes."""

import subprocess
import sys

HEAVY = (
    *("inversenet_tf.engine", "inversenet_tf.training", "keras", "scipy.optimize"),
    *("matplotlib", "skimage", "sklearn"),
)


def test_restoring_from_an_export_imports_no_engine_and_draws_nothing():
    """What was left out can be imported afterwards."""
    program = (
        "import sys\n"
        "sys.path.insert(0, 'tools')\n"
        "import restore\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "import keras, matplotlib.figure, sklearn.datasets\n"
        "assert keras.optimizers.Adam and keras.Sequential([keras.layers.Dense(1)])\n"
        "print(sklearn.datasets.load_digits().images.shape)"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.stdout.splitlines() == ["[]", "(1797, 8, 8)"], output.stderr

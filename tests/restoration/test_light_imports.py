"""Restoring from an export needs little of the project; a process of its own says what it takes."""

import subprocess
import sys

HEAVY = (
    *("inversenet_tf.engine", "inversenet_tf.training", "keras", "scipy.optimize"),
    *("matplotlib", "skimage", "sklearn"),
)


def test_restoring_from_an_export_imports_no_engine_and_draws_nothing():
    program = (
        "import sys\n"
        "sys.path.insert(0, 'tools')\n"
        "import restore\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.stdout.strip() == "[]", output.stderr


def test_what_was_left_out_can_be_imported_afterwards():
    program = (
        "import inversenet_tf.tensorflow_without_keras, keras\n"
        "import matplotlib.figure, sklearn.datasets\n"
        "assert keras.optimizers.Adam and keras.Sequential([keras.layers.Dense(1)])\n"
        "print(sklearn.datasets.load_digits().images.shape)"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.stdout.strip() == "(1797, 8, 8)", output.stderr

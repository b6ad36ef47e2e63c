"""The floor plan: every room imports only from rooms below it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("inversenet_tf", "blind_gan_tf")

# What each room may import of the two packages, besides itself. A room is a folder or a module; the
# most specific name counts. The lowest floor comes first.
IMAGING = "inversenet_tf.imaging"
ENGINE = "inversenet_tf.engine"
SERVING = "inversenet_tf.serving"
MODELS = "inversenet_tf.models"
RESTORATION = "inversenet_tf.restoration"
SCHEMA = ("inversenet_tf.config", "inversenet_tf.recipes")
RUN = (
    *("inversenet_tf.data", "inversenet_tf.trained_run", "inversenet_tf.baselines"),
    *("inversenet_tf.chosen_constants", "inversenet_tf.reporting"),
)
ALLOWED = {
    "inversenet_tf.lazy": (),
    "inversenet_tf.quiet_tensorflow": (),
    "inversenet_tf.tensorflow_without_keras": ("inversenet_tf.quiet_tensorflow",),
    IMAGING: (),
    "inversenet_tf.shipped": (),
    "inversenet_tf.command": ("inversenet_tf.shipped",),
    "inversenet_tf.train_help": (),
    "inversenet_tf.command_line": (
        *(IMAGING, "inversenet_tf.quiet_tensorflow", "inversenet_tf.shipped"),
    ),
    ENGINE: (IMAGING,),
    SERVING: (IMAGING,),
    "inversenet_tf.config": (IMAGING,),
    MODELS: (IMAGING, ENGINE, "inversenet_tf.config", "inversenet_tf.shipped"),
    RESTORATION: (IMAGING, SERVING, MODELS, "inversenet_tf.tensorflow_without_keras"),
    "inversenet_tf.client": (IMAGING, RESTORATION, "inversenet_tf.models.kernel_use"),
    "inversenet_tf.loading": (
        *(IMAGING, RESTORATION, "inversenet_tf.client", "inversenet_tf.exporting"),
        *("inversenet_tf.trained_run", "inversenet_tf.shipped"),
    ),
    "inversenet_tf.recipes": (IMAGING, "inversenet_tf.config"),
    "inversenet_tf.data": (IMAGING,),
    "inversenet_tf.trained_run": (
        *(IMAGING, ENGINE, MODELS, "inversenet_tf.config", "inversenet_tf.shipped"),
    ),
    "inversenet_tf.baselines": (IMAGING, "inversenet_tf.config"),
    "inversenet_tf.chosen_constants": (
        *(IMAGING, "inversenet_tf.config", "inversenet_tf.data", "inversenet_tf.baselines"),
    ),
    "inversenet_tf.reporting": (IMAGING, ENGINE, "inversenet_tf.config"),
    "inversenet_tf.callbacks": (IMAGING, ENGINE),
    "inversenet_tf.initial_weights": (
        IMAGING,
        ENGINE,
        SERVING,
        MODELS,
        "inversenet_tf.trained_run",
        "inversenet_tf.shipped",
    ),
    "inversenet_tf.training": (
        *(IMAGING, ENGINE, MODELS, *SCHEMA, *RUN),
        *("inversenet_tf.callbacks", "inversenet_tf.initial_weights"),
    ),
    "inversenet_tf.evaluation": (
        *(IMAGING, ENGINE, MODELS, RESTORATION, *SCHEMA, *RUN, "inversenet_tf.shipped"),
    ),
    "inversenet_tf.exporting": (
        *(IMAGING, ENGINE, SERVING, MODELS, RESTORATION, *SCHEMA, *RUN),
        "inversenet_tf.evaluation",
    ),
    "inversenet_tf.budget": (*(ENGINE, MODELS, "inversenet_tf.training"),),
    "inversenet_tf.calibration": (
        *(IMAGING, ENGINE, MODELS, RESTORATION, *SCHEMA, "inversenet_tf.trained_run"),
        *("inversenet_tf.budget", "inversenet_tf.training", "inversenet_tf.loading"),
        *("inversenet_tf.exporting", "inversenet_tf.shipped"),
    ),
    "inversenet_tf.paper": ("inversenet_tf",),
    "inversenet_tf.page": ("inversenet_tf", "blind_gan_tf"),
    "blind_gan_tf": (*(IMAGING, ENGINE, SERVING, "inversenet_tf.lazy", "inversenet_tf.shipped"),),
}


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name, room):
    return f"{name}.".startswith(f"{room}.")


def room_of(name):
    rooms = [room for room in ALLOWED if is_within(name, room)]
    return max(rooms, key=len, default=None)


MODULES = {module_of(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}


def test_every_module_has_a_room():
    assert {name for name in MODULES if room_of(name) is None} <= {"inversenet_tf"}


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_point_downwards(room):
    modules = {name: path for name, path in MODULES.items() if room_of(name) == room}
    assert modules
    for module, path in modules.items():
        for name in imported(path):
            if name.split(".")[0] in PACKAGES:
                fits = any(is_within(name, other) for other in (room, *ALLOWED[room]))
                assert fits, f"{module} imports {name}"

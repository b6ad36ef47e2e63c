"""What `inversenet train --help` shows: the flags and fields that most trainings set."""

import json

# {field: its meaning}; the help shows those that a config has, with its values.
FIELDS = {
    "data.train": "photos, folder:DIR, prepared:DIR or tfds:NAME",
    "data.validation": "the held-out images, in the same form",
    "data.test": "images for evaluate only, in the same form",
    "data.size": "side of a training patch in pixels",
    "data.crop": "training patches: center or random",
    "operator.name": "blur, downsampling, joint or identity",
    "operator.scale": "downsampling factor per side",
    "operator.kernel": "linear_motion, gaussian, file, varied...",
    "operator.kernel_size": "side of the kernel in pixels",
    "operator.kernel_file": ".png, .npy or .mat, with kernel=file",
    "noise.gaussian_sigma": "sensor noise, where white is 1",
    "network.inverter": "unet, solver_unet, solver_resnet, srresnet, ...",
    "network.denoiser": "dae, dncnn or none",
    "loss.comparator": "alexnet, vgg16, squeezenet or none",
    "loss.adversarial_weight": "weight of the discriminator's loss; 0: none",
    "optimizer.learning_rate": "learning rate of Adam in all networks",
    "training.batch_size": "images per step",
    "training.steps": "steps of the whole training",
    "training.steps_per_epoch": "steps between validations and checkpoints",
    "training.precision": "float32 or mixed_bfloat16",
    "training.seed": "seed of everything random",
}
VALUE_WIDTH = 14


def help_text(config: object, name: str) -> str:
    """Returns the help, one screen of at most 90 columns.

    Args:
        config: the config whose values are shown.
        name: of that config.
    """
    width = max(map(len, FIELDS))
    lines = [
        f"  {field:{width}} {_shown(value):{VALUE_WIDTH}} {meaning}"
        for field, meaning in FIELDS.items()
        if (value := _value(config, field)) is not None
    ]
    return "\n".join(
        [
            "Trains the experiment of a config; the same command resumes an interrupted run.",
            "",
            "  inversenet train --config=quickstart --workdir=runs/mine",
            "",
            "  --config=NAME           name of an experiment, or path of a config file",
            "  --config.FIELD=VALUE    new value for one of its fields",
            "  --workdir=DIR           directory of the run",
            "  --print_config          print the whole config as it would be used, and exit",
            "  --helpfull              every flag and, with --config, every field",
            "",
            f"Most common fields, with their values in {name}:",
            "",
            *lines,
        ]
    )


def _value(config, field):
    for part in field.split("."):
        config = getattr(config, part, None)
    return config


def _shown(value):
    text = value if isinstance(value, str) else json.dumps(value)
    text = text or "none"
    return text if len(text) <= VALUE_WIDTH else f"{text[: VALUE_WIDTH - 3]}..."

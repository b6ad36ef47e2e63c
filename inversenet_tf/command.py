"""The command `inversenet`: one name for the programs of `tools/`.

`inversenet NAME --flag=value` runs `tools/NAME.py --flag=value`, installed or in a checkout.
"""

import runpy
import sys
from importlib import metadata

from inversenet_tf.shipped import shipped_folder

COMMANDS = {
    "train": "Train the experiment of a config, or resume it.",
    "evaluate": "Measure a trained run on held-out images.",
    "restore": "Restore photographs, with a preset, a run or an export.",
    "app": "Serve a web page to restore photographs.",
    "estimate-kernel": "Estimate the blur of photographs.",
    "calibrate": "Estimate the blur of measurements and train a network for it.",
    "export": "Write a trained run as a SavedModel for TensorFlow Serving.",
    "verify": "Compare an export with its run, in a fresh process.",
    "convert": "Convert an export to LiteRT or ONNX.",
    "client": "Restore photographs with a model on a server.",
    "invert": "Recover images and an unknown operator from measurements.",
    "prepare": "Pack a folder of images into a few large files for training.",
    "reproduce": "Reproduce a table of the paper, with the trainings it needs.",
    "benchmark": "Measure speed against PyTorch on this machine.",
}
HELP = ("--help", "-h", "help")


def main(arguments: list[str] | None = None) -> None:
    """Runs the program that the first argument names, with the other arguments as its own.

    Args:
        arguments: of the command line after `inversenet`; None for those of this process.

    Raises:
        SystemExit: with the program's status, or 2 if there is no such program.
    """
    name, *others = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in HELP and not others:
        print(usage())
    elif name == "--version":
        print(f"inversenet {metadata.version('inversenet-tf')}")
    elif name in HELP:
        main([*others, "--help"])
    elif name not in COMMANDS:
        print(usage(), file=sys.stderr)
        print(f"\nError: Expected one of the commands above. Received: {name}", file=sys.stderr)
        sys.exit(2)
    else:
        run_tool(name, others)


def usage() -> str:
    """The help of the command itself."""
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
    return (
        "InverseNet and blind GAN inversion: learned restoration of images.\n\n"
        "usage: inversenet COMMAND [--flag=value ...]\n\n"
        f"{listed}\n\n"
        "inversenet COMMAND --help shows a command's flags. Without and with training:\n\n"
        "  inversenet restore --input=blurred.jpg --output=out/\n"
        "  inversenet train --config=quickstart --workdir=runs/demo\n"
        "  inversenet restore --workdir=runs/demo --input=blurred.jpg --output=out/"
    )


def run_tool(name: str, arguments: list[str]) -> None:
    """Runs `tools/NAME.py` in this process, as Python would if it were called directly.

    Hyphens in a command are underscores in the file's name.
    """
    tools = shipped_folder("tools")
    sys.argv = [f"inversenet {name}", *("--help" if a == "-h" else a for a in arguments)]
    sys.path.insert(0, str(tools))  # programs import modules beside them
    runpy.run_path(str(tools / f"{name.replace('-', '_')}.py"), run_name="__main__")


if __name__ == "__main__":
    main()

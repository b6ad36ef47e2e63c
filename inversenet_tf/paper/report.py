"""Tables as Markdown and JSON, with the paper's numbers next to ours."""

import dataclasses

from inversenet_tf.baselines import CHOSEN_ON
from inversenet_tf.chosen_constants import NAMES
from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.json import write_json
from inversenet_tf.imaging.files.paths import printable
from inversenet_tf.imaging.wording import counted

# {table: {our row: {our column: (PSNR in dB, SSIM)}}}, for other images, kernels and budgets.
PAPER = {
    "1": {
        "wiener": {"cub": (22.42, 0.6572), "celeba": (20.92, 0.7020), "imagenet": (20.44, 0.6357)},
        "tv_l1": {"cub": (25.03, 0.7459), "celeba": (25.06, 0.8052), "imagenet": (23.37, 0.7283)},
        "neural_deblur": {
            "cub": (25.73, 0.8853),
            "celeba": (25.76, 0.9649),
            "imagenet": (24.74, 0.9074),
        },
        "pix2pix": {"cub": (23.67, 0.7554), "celeba": (23.59, 0.8553), "imagenet": (22.05, 0.7335)},
        "restored": {
            "cub": (28.39, 0.9421),
            "celeba": (34.02, 0.9738),
            "imagenet": (28.87, 0.9446),
        },
    },
    "2": {
        "restored": {
            "cub": (25.65, 0.9105),
            "celeba": (27.90, 0.9373),
            "imagenet": (28.52, 0.9303),
        }
    },
}
LIKE = {"tiny_imagenet": "imagenet"}  # our columns that stand in for the paper's
NOTE = (
    "PSNR in dB / SSIM, means over the images; networks with the weights of their last step, which "
    "no image has chosen. "
    "*Paper*: the paper's own figures, of other images, kernels, budgets and machines."
)


def write_report(table, names, measured, conditions):
    """Writes the Markdown and the JSON of a table into the conditions' output directory.

    Args:
        table: name in `tables.TABLES`.
        names: of the data sets; the files are named after them and the conditions.
        measured: list of `measure.Measured`.
        conditions: `Conditions`.

    Returns:
        The Markdown text.
    """
    name = f"table_{table}-{'+'.join(names)}-{conditions.name}"
    parts = [_title(table, conditions), _rows(table, measured), NOTE, _provenance(measured)]
    text = "\n\n".join(parts)
    content = {
        "table": table,
        "conditions": dataclasses.asdict(conditions)
        | {
            "output": str(conditions.output),
            "root": None if conditions.root is None else str(conditions.root),
        },
        "columns": [dataclasses.asdict(column) for column in measured],
        "paper": PAPER.get(table),
    }
    write_json(conditions.output / f"{name}.json", content)
    with written_aside(conditions.output / f"{name}.md") as partial:
        partial.write_text(printable(text) + "\n")
    return text


def _title(table, conditions):
    compared = "SqueezeNet as comparator" if conditions.comparator_weights else "no comparator"
    return f"# Table {table}: {conditions.minutes:g} minutes of steps for each training, {compared}"


def _rows(table, measured):
    """A row for each method, and a column for each image set and for the paper's, if any."""
    methods = list(dict.fromkeys(method for column in measured for method in column.scores))
    header, cells = ["method"], {method: [method] for method in methods}
    for column in measured:
        paper = PAPER.get(table, {})
        like = LIKE.get(column.data, column.data)
        theirs = {method: paper.get(method, {}).get(like) for method in methods}
        has_paper = any(theirs.values())
        header += [f"{column.title}; {column.provenance['degradation']}"]
        header += ["*paper*"] * has_paper
        for method in methods:
            scores = column.scores.get(method)
            cells[method].append(f"{scores['psnr']:.2f} / {scores['ssim']:.3f}" if scores else "–")
            if has_paper:
                value = theirs[method]
                cells[method].append(f"*{value[0]:.2f} / {value[1]:.3f}*" if value else "–")
    lines = [header, ["---"] * len(header), *cells.values()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _provenance(measured):
    """How the numbers were made."""
    lines = ["Made from:", ""]
    for column in measured:
        how = column.provenance
        data = ", ".join(f"{name} {value}" for name, value in how["data"].items())
        lines.append(f"- {column.title}: {counted(how['number_of_images'], 'image')} ({data})")
        for name, constant in how["baselines"].items():
            value, chosen_on = constant[NAMES[name]], constant[CHOSEN_ON]
            lines.append(f"  - {name}: {NAMES[name]} {value:.2g}, by {chosen_on}")
        for name, run in how["trainings"].items():
            steps, minutes = counted(run["steps"], "step"), run["seconds"] / 60
            share = f"; lambda_f's share of the loss {run['feature_share']:.1%}"
            lines.append(f"  - {name}: {run['run']}, {steps}, {minutes:.1f} min in all{share}")
        for name, steady in how.get("steadiness", {}).items():
            lines.append(
                f"  - {name}: validation PSNR fell {steady['falls']:.0%} of the times, by at most "
                f"{steady['largest_fall']:.2f} dB, and ended {steady['last_below_best']:.2f} dB "
                "below its best"
            )
    metrics, versions = (measured[0].provenance[key] for key in ("metrics", "versions"))
    return "\n".join([*lines, "", f"Metrics: {metrics}", f"Versions: {versions}"])

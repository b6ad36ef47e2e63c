"""Tables as Markdown and JSON, with the paper's figures beside ours."""

import dataclasses

from inversenet_tf.imaging.atomic import written_aside
from inversenet_tf.imaging.runs import write_json

# {table: {our row: {our column: (PSNR in dB, SSIM)}}}, of other images, kernels and budgets.
PAPER = {
    "1": {
        "wiener": {"cub": (22.42, 0.6572), "celeba": (20.92, 0.7020), "imagenet": (20.44, 0.6357)},
        "tv_l1": {"cub": (25.03, 0.7459), "celeba": (25.06, 0.8052), "imagenet": (23.37, 0.7283)},
        "neural_deblur": {
            "cub": (25.73, 0.8853), "celeba": (25.76, 0.9649), "imagenet": (24.74, 0.9074),
        },
        "pix2pix": {"cub": (23.67, 0.7554), "celeba": (23.59, 0.8553), "imagenet": (22.05, 0.7335)},
        "restored": {
            "cub": (28.39, 0.9421), "celeba": (34.02, 0.9738), "imagenet": (28.87, 0.9446),
        },
    },
    "2": {
        "restored": {
            "cub": (25.65, 0.9105), "celeba": (27.90, 0.9373), "imagenet": (28.52, 0.9303),
        }
    },
}  # fmt: skip
LIKE = {"tiny_imagenet": "imagenet"}  # our columns that stand for one of the paper's
NOTE = (
    "PSNR in dB / SSIM, means over the images; networks with the weights of their last step. "
    "*Paper*: the paper's own figures, of other images, kernels, budgets and machines."
)


def write_report(table, columns, conditions):
    """Writes `table_N.md` and `table_N.json` into the conditions' output directory.

    Returns:
        The Markdown text.
    """
    noise = f"-noise{conditions.noise:g}" if conditions.noise else ""
    name = f"table_{table}{noise}"
    text = "\n\n".join([_title(table, conditions), _rows(table, columns), NOTE, _made(columns)])
    content = {
        "table": table,
        "conditions": dataclasses.asdict(conditions) | {
            "output": str(conditions.output),
            "root": None if conditions.root is None else str(conditions.root),
        },
        "columns": [dataclasses.asdict(column) for column in columns],
        "paper": PAPER.get(table),
    }  # fmt: skip
    write_json(conditions.output / f"{name}.json", content)
    with written_aside(conditions.output / f"{name}.md") as partial:
        partial.write_text(text + "\n")
    return text


def _title(table, conditions):
    noise = f", noise {conditions.noise:g}" if conditions.noise else ""
    return f"# Table {table}{noise}, {conditions.minutes:g} minutes for each training"


def _rows(table, columns):
    """A row for each method, a column for each set of images, the paper's where it has one."""
    methods = list(dict.fromkeys(method for column in columns for method in column.scores))
    header, cells = ["method"], {method: [method] for method in methods}
    for column in columns:
        title = column.title
        theirs = {m: PAPER.get(table, {}).get(m, {}).get(LIKE.get(title, title)) for m in methods}
        has_paper = any(theirs.values())
        header += [f"{title}, {column.made['degradation']}"] + ["*paper*"] * has_paper
        for method in methods:
            found = column.scores.get(method)
            cells[method].append(f"{found['psnr']:.2f} / {found['ssim']:.3f}" if found else "–")
            if has_paper:
                value = theirs[method]
                cells[method].append(f"*{value[0]:.2f} / {value[1]:.3f}*" if value else "–")
    lines = [header, ["---"] * len(header), *cells.values()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _made(columns):
    """How the numbers were made."""
    lines = ["Made from:", ""]
    for column in columns:
        made = column.made
        lines.append(f"- {column.title}: {made['number_of_images']} images of {made['data']}")
        for name, run in made["trainings"].items():
            lines.append(
                f"  - {name}: {run['run']}, {run['steps']} steps, {run['seconds'] / 60:.1f} min"
            )
        for name, found in made.get("steadiness", {}).items():
            lines.append(
                f"  - {name}: validation PSNR fell {found['falls']:.0%} of the times, by at most "
                f"{found['largest_fall']:.2f} dB, and ended {found['last_below_best']:.2f} dB "
                "below its best"
            )
    lines += [
        "",
        f"Metrics: {columns[0].made['metrics']}",
        f"Versions: {columns[0].made['versions']}",
    ]
    return "\n".join(lines)

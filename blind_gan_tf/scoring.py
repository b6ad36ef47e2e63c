"""Scores recovered images by PSNR, SSIM and digits that can be read, and tabulates the scores."""

import functools

import keras
import numpy as np

from blind_gan_tf.classifier import read_digits
from blind_gan_tf.config import InversionConfig
from blind_gan_tf.matching import matched_in_groups, unmatched
from blind_gan_tf.problems import Problem
from inversenet_tf.imaging import metrics

METRICS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "read": "read"}
ORDERED = ("pgd_known", "range")  # methods that are given the order of the sources
COLUMN = 16  # characters


def stamp(config: InversionConfig) -> dict:
    """The description of the metrics that the results of an `InversionConfig` carry."""
    described = config.metrics.stamp()
    if config.problem.task == "separation":
        described["matching"] = (
            "of each mixture's sources: intensities normalised to [0, 1], sign and order of the "
            "estimates by greatest PSNR; an image's score is the mean over its sources"
        )
        described["one_order"] = (
            "the same with one order, and one sign of each source, for all mixtures of one "
            f"operator, and none for {' and '.join(ORDERED)}, which are given them"
        )
    return described


def score(
    problem: Problem, outputs: dict, config: InversionConfig, classifier: keras.Model | None
) -> dict:
    """The scores of every method, {method: scores}, empty where the truth is not known.

    Args:
        problem: a `Problem`.
        outputs: dict from method to images [N, S, height, width, channels]. Separated images are
            replaced by those in the order of their sources, matched mixture by mixture.
        config: an `InversionConfig`.
        classifier: of digits, or None.

    Returns:
        For each method a dict with the means `psnr`, `ssim` and, with a classifier, `read`, the
        fraction of images that it classifies correctly; with `per_image`, the same for each
        measurement; with `spread`, where there are several operators, the standard deviation of
        the operators' means; and, for a separation, with `one_order`, means and spread as `stamp`
        describes them.
    """
    if problem.images is None:
        return {name: {} for name in outputs}
    compare = functools.partial(_compare, problem, config=config, classifier=classifier)
    scores = {}
    for name, images in outputs.items():
        truth = problem.images
        if config.problem.task != "separation":
            scores[name] = _summary(compare(images, truth), problem)
            continue
        one_order = _in_one_order(name, problem, images, config.metrics)
        images, truth = metrics.matched_to_sources(images, truth, config.metrics)
        outputs[name] = images
        scores[name] = _summary(compare(images, truth), problem)
        ordered = _summary(compare(*one_order), problem)
        del ordered["per_image"]
        scores[name]["one_order"] = ordered
    return scores


def _in_one_order(name, problem, images, profile):
    if name in ORDERED:
        return unmatched(images, problem.images)
    return matched_in_groups(images, problem.images, profile=profile, groups=problem.groups)


def _compare(problem, images, truth, *, config, classifier):
    """{metric: scores [N], averaged over the sources}."""
    per_source = {
        metric.__name__: np.reshape(
            metric(_flat(images), _flat(truth), config.metrics), truth.shape[:2]
        )
        for metric in (metrics.psnr, metrics.ssim)
    }
    if classifier is not None and problem.labels is not None:
        classes, _ = read_digits(classifier, _flat(images))
        per_source["read"] = np.reshape(classes, truth.shape[:2]) == problem.labels
    return {metric: values.mean(1) for metric, values in per_source.items()}


def _summary(values, problem):
    summary = {metric: float(of_images.mean()) for metric, of_images in values.items()}
    if len(problem.groups) > 1:
        summary["spread"] = {
            metric: float(np.std([of_images[group].mean() for group in problem.groups]))
            for metric, of_images in values.items()
        }
    count = len(problem.measurements)
    summary["per_image"] = [
        {metric: float(of_images[i]) for metric, of_images in values.items()} for i in range(count)
    ]
    return summary


def _flat(images):
    return images.reshape(-1, *images.shape[2:])


def format_table(methods: dict) -> str:
    """The scores of `results.json` as a table in plain text."""
    some = next(iter(methods.values()))
    columns = [(metric, heading, False) for metric, heading in METRICS.items() if metric in some]
    if "one_order" in some:
        columns += [(metric, f"{heading}, 1 order", True) for metric, heading, _ in columns]
    lines = [f"{'method':<14}" + "".join(f"{heading:>{COLUMN + 2}}" for _, heading, _ in columns)]
    for name, scores in methods.items():
        cells = [
            _cell(scores["one_order"] if in_one_order else scores, metric)
            for metric, _, in_one_order in columns
        ]
        lines.append(f"{name:<14}" + "".join(f"{cell:>{COLUMN + 2}}" for cell in cells))
    if "spread" in some:
        lines.append("±: standard deviation between the means of each operator")
    return "\n".join(lines)


def _cell(scores, metric):
    spread = f" ±{scores['spread'][metric]:.3f}" if "spread" in scores else ""
    return f"{scores[metric]:.3f}{spread}"

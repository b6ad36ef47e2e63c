import numpy as np
import pytest

from blind_gan_tf.config import InversionConfig
from blind_gan_tf.problems import Problem
from blind_gan_tf.scoring import format_table, score, stamp


def problem_of(images, group_size):
    names = [str(index) for index in range(len(images))]
    return Problem(np.zeros((len(images), 16, 16, 1)), names, group_size, "drawn", images=images)


def drawn(*shape):
    return np.random.default_rng(0).random((*shape, 16, 16, 1)).astype(np.float32)


@pytest.fixture
def separation():
    config = InversionConfig()
    config.problem.task, config.problem.sources = "separation", 2
    return config


def test_one_order_is_asked_of_all_mixtures_of_a_group_and_each_its_own_is_shown_beside(separation):
    images = drawn(3, 2)
    turned = images.copy()
    turned[2] = images[2, ::-1]
    outputs = {"blind": turned.copy(), "pgd_known": turned[:, ::-1].copy()}
    scores = score(problem_of(images, 3), outputs, separation, None)
    for method in scores.values():
        assert method["psnr"] > 50  # each mixture in its own order
        assert [image["psnr"] > 50 for image in method["per_image"]] == [True] * 3
    in_order = scores["blind"]["psnr"]
    wrong = score(problem_of(images[:1], 1), {"range": images[:1, ::-1]}, separation, None)
    wrong = wrong["range"]["one_order"]["psnr"]
    assert wrong < 15
    # Two of three have the order of the group; of what is told the order, only the third.
    assert scores["blind"]["one_order"]["psnr"] == pytest.approx(
        (2 * in_order + wrong) / 3, abs=1.5
    )
    assert scores["pgd_known"]["one_order"]["psnr"] == pytest.approx(
        (in_order + 2 * wrong) / 3, abs=1.5
    )
    assert "one order" in stamp(separation)["one_order"]
    table = format_table(scores)
    assert "PSNR (dB), 1 order" in table and "±" not in table


def test_the_spread_is_that_of_the_operators_means():
    images = np.full((4, 1, 16, 16, 1), 0.5, np.float32)
    errors = np.array([0.1, 0.1, 0.01, 0.01], np.float32)
    outputs = {"blind": images + errors[:, None, None, None, None]}
    config = InversionConfig()
    config.metrics.rounding = False
    scores = score(problem_of(images, 2), outputs, config, None)["blind"]
    assert scores["psnr"] == pytest.approx(30, abs=1e-3)
    assert scores["spread"]["psnr"] == pytest.approx(10, abs=1e-3)
    assert "one_order" not in scores
    table = format_table({"blind": scores})
    assert "30.000 ±10.000" in table and "each operator" in table


def test_without_the_truth_there_are_no_scores():
    problem = Problem(np.zeros((1, 16, 16, 1)), ["a"], 1, "own")
    assert score(problem, {"blind": drawn(1, 1)}, InversionConfig(), None) == {"blind": {}}

"""The Python code of the manual's page runs."""

import re
from pathlib import Path

import numpy as np

import blind_gan_tf as blind
from blind_gan_tf.config import InversionConfig

PAGE = Path(__file__).parents[2] / "docs" / "blind_inversion.md"


def short_search():
    config = InversionConfig()
    config.search.rounds = config.search.surrogate_steps = config.search.latent_steps = 1
    return config


def test_the_example_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(blind.recipes, "find_one_kernel", short_search)
    names = {}
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(code, names)
    assert "(25, 1, 32, 32, 1) (13, 13)" in capsys.readouterr().out
    assert names["refined"].shape == (25, 32, 32, 1)
    kernel = names["result"].operators[0].kernel
    assert kernel.min() >= 0
    np.testing.assert_allclose(kernel.sum(), 1.0, rtol=1e-5)
    assert len(list((tmp_path / "runs" / "mine" / "recovered").iterdir())) == 25

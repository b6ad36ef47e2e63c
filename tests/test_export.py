import numpy as np
import pytest
import tensorflow as tf

from inversenet_tf.export import export
from inversenet_tf.training import build_model


@pytest.fixture
def model(small_config):
    return build_model(small_config, with_discriminator=False)


def test_one_named_signature_serves_every_size(model, tmp_path):
    export(model, tmp_path / "export")
    serve = tf.saved_model.load(tmp_path / "export").signatures["serving_default"]
    for shape in [(1, 37, 53, 3), (5, 64, 64, 3)]:
        measurements = np.random.default_rng(0).random(shape).astype(np.float32)
        outputs = serve(measurements=tf.constant(measurements))
        assert list(outputs) == ["restored"]
        expected = model.restore(measurements)["restored"]
        np.testing.assert_allclose(outputs["restored"], expected, atol=1e-5)


def test_an_export_is_whole_or_absent(model, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("inversenet_tf.imaging.atomic.os.replace", None)
        with pytest.raises(TypeError):
            export(model, tmp_path / "export")
    assert not (tmp_path / "export").exists()
    export(model, tmp_path / "export")
    assert [p.name for p in tmp_path.glob("export*")] == ["export"]


def test_an_existing_directory_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="which exists"):
        export(model, tmp_path)

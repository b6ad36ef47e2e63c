import pytest

from inversenet_tf.imaging.wording import counted


@pytest.mark.parametrize(("count", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_one_is_no_plural(count, text):
    assert counted(count, "image") == text

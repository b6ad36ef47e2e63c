import psutil
import pytest

from inversenet_tf.imaging.files.memory import memory_limit


def test_memory_in_words(monkeypatch):
    words = {
        "1GiB": 2**30,
        "500MB": 500_000_000,
        " 1.5 kib ": 1536,
        "123456": 123_456,
        "2tb": 2 * 10**12,
    }
    for text, expected in words.items():
        assert memory_limit(text) == expected
    for text in ("", "0", "much", "1 GiBs", "-1GB", "1e9", "GB", "nan"):
        with pytest.raises(ValueError, match="like 1GiB, 500MB.*Received"):
            memory_limit(text)
    free = psutil.virtual_memory()._replace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert memory_limit() == 500

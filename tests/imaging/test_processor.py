"""The precision of the recipes for two cores is the one that the processor is fastest in."""

import pytest

from inversenet_tf.imaging import processor


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("vendor_id : AuthenticAMD\nflags : fma avx2 avx512_bf16 avx512_vnni", "mixed_bfloat16"),
        ("vendor_id : GenuineIntel\nflags : fma avx2 avx512_bf16 amx_bf16", "mixed_bfloat16"),
        ("vendor_id : GenuineIntel\nflags : fma avx2 avx512_bf16 avx512_fp16", "float32"),
        ("vendor_id : AuthenticAMD\nflags : fma avx2 avx512_vnni", "float32"),
        ("Features : asimd bf16", "mixed_bfloat16"),
        ("flags : fma avx2 abf16x", "float32"),
        (None, "float32"),
    ],
)
def test_bfloat16_is_for_processors_that_are_fast_in_it(flags, precision, tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(flags)
    monkeypatch.setattr(processor, "CPUINFO", path)
    monkeypatch.setattr(processor.shutil, "which", lambda program: None)
    assert processor.fast_precision.__wrapped__() == precision


def test_a_gpu_is_taken_to_have_it(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(processor.shutil, "which", lambda program: f"/usr/bin/{program}")
    assert processor.fast_precision.__wrapped__() == "mixed_bfloat16"

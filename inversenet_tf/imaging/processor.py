"""What the processor computes in quickly."""

import functools
import re
import shutil
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# What Linux calls the instructions for bfloat16, of x86 and of ARM.
BFLOAT16 = re.compile(r"\b(avx512_bf16|amx_bf16|bf16)\b")


@functools.cache
def fast_precision() -> str:
    """The precision that trains fastest here: "mixed_bfloat16", or "float32" where it is emulated.

    Processors without instructions for bfloat16 take several times as long in it as in float32.
    A GPU of NVIDIA is taken to have them. Where nothing is known of the processor, as on other
    systems than Linux, it is float32.
    """
    if shutil.which("nvidia-smi"):
        return "mixed_bfloat16"
    has_bfloat16 = CPUINFO.exists() and BFLOAT16.search(CPUINFO.read_text())
    return "mixed_bfloat16" if has_bfloat16 else "float32"

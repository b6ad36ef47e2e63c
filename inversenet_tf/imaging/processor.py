"""What the processor computes in quickly."""

import functools
import re
import shutil
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# As Linux calls them: units for products of bfloat16 matrices, of x86 and of ARM; and those for
# products of vectors, which are faster than float32's on AMD's processors, half as fast on Intel's.
MATRICES = re.compile(r"\b(amx_bf16|bf16)\b")
VECTORS = re.compile(r"\bavx512_bf16\b")
AMD = re.compile(r"\bAuthenticAMD\b")


@functools.cache
def fast_precision() -> str:
    """The precision that trains fastest here, "mixed_bfloat16" or "float32".

    Processors without instructions for bfloat16 take several times as long in it as in float32,
    and Intel's with AVX512-BF16 but without AMX, as some virtual machines have them, 1.5 times as
    long. A GPU of NVIDIA is taken to be fast. Where nothing is known of the processor, as on other
    systems than Linux, it is float32.
    """
    if shutil.which("nvidia-smi"):
        return "mixed_bfloat16"
    said = CPUINFO.read_text() if CPUINFO.exists() else ""
    is_fast = MATRICES.search(said) or (VECTORS.search(said) and AMD.search(said))
    return "mixed_bfloat16" if is_fast else "float32"

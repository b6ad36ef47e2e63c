"""Which precision this machine's processor is fast in."""

import functools
import re
import shutil
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Linux's names: bfloat16 matrix units of x86 and ARM; and bfloat16 vector units, which are faster
# than float32's on AMD's processors, but half as fast on Intel's.
MATRICES = re.compile(r"\b(amx_bf16|bf16)\b")
VECTORS = re.compile(r"\bavx512_bf16\b")
AMD = re.compile(r"\bAuthenticAMD\b")


@functools.cache
def fast_precision() -> str:
    """Returns the precision that trains fastest here, "mixed_bfloat16" or "float32".

    In bfloat16, processors without instructions for it take several times as long as in float32,
    and Intel's with AVX512-BF16 but without AMX, as in some virtual machines, 1.5 times as long.
    An NVIDIA GPU is assumed to be fast. Where nothing is known of the processor, as on systems
    other than Linux, it is float32.
    """
    if shutil.which("nvidia-smi"):
        return "mixed_bfloat16"
    said = CPUINFO.read_text() if CPUINFO.exists() else ""
    is_fast = MATRICES.search(said) or (VECTORS.search(said) and AMD.search(said))
    return "mixed_bfloat16" if is_fast else "float32"

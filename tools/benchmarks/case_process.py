"""The process of one case: prepares the case, then runs a turn for every request.

After the first, in JSON, a request is the line "turn" or "count"; answers are lines of JSON on
stdout. Only what the case needs is imported, so that the memory of the process is the case's.
"""

import importlib
import json
import os
import sys
import time


def main():
    requests, answers = sys.stdin, os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer

    def answer(**values):
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    asked = json.loads(requests.readline())
    begun = time.monotonic()
    module, function = asked["prepare"].split(":")
    prepare = getattr(importlib.import_module(module), function)
    turn = prepare(**asked["options"])
    answer(seconds=time.monotonic() - begun)
    for request in requests:
        if request.strip() == "count":
            answer(operations=counted(turn))
            continue
        begun = time.monotonic()
        told = turn()
        answer(seconds=time.monotonic() - begun, told=told, peak=peak_memory())


def peak_memory():
    """Returns the peak memory of this process in bytes, None where the system does not say."""
    try:
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
    except OSError:
        return None
    return int(lines["VmHWM"].split()[0]) * 1024


def counted(turn):
    """Counts floating-point operations of the convolutions and products of one turn in PyTorch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        turn()
    return counter.get_total_flops()


if __name__ == "__main__":
    main()

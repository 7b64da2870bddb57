"""A worker that does what its size says: `python -m tests.benchmarks.troubled fails`."""

import os
import signal
import sys
import time

from benchmarks import workers


def main():
    print("progress that nobody asked for")
    size = sys.argv[1]
    if size == "fails":
        raise ValueError("the size is wrong")
    if size == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if size == "hangs":
        time.sleep(120)
    workers.serve({"nap": lambda: time.sleep(0.001)}, lambda: None)


if __name__ == "__main__":
    main()

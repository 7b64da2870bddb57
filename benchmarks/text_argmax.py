"""Our argmax flows of text beside the reference code: training, evaluation and sampling.

    python -m benchmarks.text_argmax --reference=PATH --survae=PATH [--flows=ar,coupling]

The paths are checkouts of github.com/didriknielsen/argmax_flows and
github.com/didriknielsen/survae_flows. The networks are those of the paper with an LSTM of
--features units; `--num_texts` texts are sampled from each, which takes the reference's
autoregressive flow minutes.
"""

import argparse
import os
import sys

from benchmarks import side_by_side
from benchmarks.side_by_side import Worker

BATCH, LENGTH, CLASSES = 16, 256, 27
COMPONENTS, COUPLINGS, LAYERS = {"ar": 27, "coupling": 8}, 8, {"ar": 1, "coupling": 2}
TEXTS = {"ar": 4, "coupling": 16}
SIDES = {
    "ours": "benchmarks.workers.text_argmax_ours",
    "reference": "benchmarks.workers.text_argmax_reference",
}


def run(flow: str, features: int, repeats: int, paths: str, works: list[str]) -> None:
    """Compares the pieces of work of one flow; sampling is measured once."""
    size = f"{flow},{features}"
    workers = {
        side: Worker.start(module, side == "ours", size, paths) for side, module in SIDES.items()
    }
    for work in works:
        again = 1 if (work, flow) == ("sample", "ar") else repeats
        title = f"{flow} with LSTM {features}, {work}"
        side_by_side.compare(title, workers, work, again, warm=work != "sample")
    for worker in workers.values():
        worker.stop()


def main() -> None:
    """Parses the flags, says what runs where, and compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True, help="checkout of argmax_flows")
    parser.add_argument("--survae", required=True, help="checkout of survae_flows")
    parser.add_argument("--flows", default="ar,coupling", help="of ar,coupling")
    parser.add_argument("--works", default="train,evaluate,sample", help="of these three")
    parser.add_argument("--features", type=int, default=512, help="units of the LSTMs")
    parser.add_argument("--repeats", type=int, default=5)
    flags = parser.parse_args()
    flows, works = flags.flows.split(","), flags.works.split(",")
    for name, given, known in (
        ("flows", flows, ("ar", "coupling")),
        ("works", works, ("train", "evaluate", "sample")),
    ):
        if unknown := set(given) - set(known):
            parser.error(f"--{name} takes {', '.join(known)}; got {', '.join(sorted(unknown))}.")
    paths = [os.path.abspath(path) for path in (flags.reference, flags.survae)]
    for path, repository, file in (
        (paths[0], "didriknielsen/argmax_flows", "model/ar/flow.py"),
        (paths[1], "didriknielsen/survae_flows", "survae/flows/__init__.py"),
    ):
        if advice := side_by_side.missing(path, repository, file, {"torch": "torch"}):
            sys.exit(advice)
    side_by_side.introduce()
    for flow in flows:
        run(flow, flags.features, flags.repeats, os.pathsep.join(paths), works)


if __name__ == "__main__":
    main()

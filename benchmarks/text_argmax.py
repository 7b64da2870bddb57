"""Our argmax flows of text beside the reference code: training, evaluation and sampling.

    python -m benchmarks.text_argmax --reference=PATH --survae=PATH [--flows=ar,coupling]

The paths are checkouts of github.com/didriknielsen/argmax_flows and
github.com/didriknielsen/survae_flows. The networks are those of the paper with an LSTM of
--features units; `--num_texts` texts are sampled from each, which takes the reference's
autoregressive flow minutes.
"""

import argparse
import os
from collections.abc import Iterator, Sequence

from benchmarks import side_by_side
from benchmarks.processes import Worker, stopping
from benchmarks.results import Row

BATCH, LENGTH, CLASSES = 16, 256, 27
COMPONENTS, COUPLINGS, LAYERS = {"ar": 27, "coupling": 8}, 8, {"ar": 1, "coupling": 2}
TEXTS = {"ar": 4, "coupling": 16}
WORKS = ("train", "evaluate", "sample")
HOURS = 7200.0  # seconds; the reference's autoregressive flow samples for one with an LSTM of 2048
SIDES = {
    "ours": ("benchmarks.workers.text_argmax_ours", True),
    "reference, as shipped": ("benchmarks.workers.text_argmax_reference", False),
    "reference, our allocator": ("benchmarks.workers.text_argmax_reference", True),
}


def measure(
    references: Sequence[str],
    survae: Sequence[str],
    flows: Sequence[str] = ("ar", "coupling"),
    works: Sequence[str] = WORKS,
    features: int = 512,
    repeats: int = 5,
) -> Iterator[Row]:
    """Compares the pieces of work of each flow; the long sampling is measured once."""
    paths = checkouts(references, survae)
    for flow in flows:
        workers = {
            side: Worker.start(module, pages, f"{flow},{features}", paths, HOURS)
            for side, (module, pages) in SIDES.items()
        }
        with stopping(workers):
            for work in works:
                again, at_work = repeats, workers
                if (work, flow) == ("sample", "ar"):  # theirs takes minutes, whatever allocates
                    again, at_work = 1, {side: workers[side] for side in [*SIDES][:2]}
                title = f"{flow} with LSTM {features}, {work}"
                runs = side_by_side.compare(title, at_work, work, again, warm=work != "sample")
                batch = TEXTS[flow] if work == "sample" else BATCH
                size = {"features": features, "batch": batch, "length": LENGTH}
                yield from side_by_side.rows(
                    "text_argmax", {"work": work, "flow": flow, **size}, runs
                )


def checkouts(references: Sequence[str], survae: Sequence[str]) -> str:
    """Both checkouts that the reference consists of, as one search path."""
    torch = {"torch": "torch"}
    flows = ("didriknielsen/argmax_flows", "model/ar/flow.py")
    layers = ("didriknielsen/survae_flows", "survae/flows/__init__.py")
    result = side_by_side.checkout(references, *flows, torch)
    return os.pathsep.join([result, side_by_side.checkout(survae, *layers, torch, "survae")])


def main() -> None:
    """Parses the flags, says what runs where, and compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True, help="checkout of argmax_flows")
    parser.add_argument("--survae", required=True, help="checkout of survae_flows")
    parser.add_argument("--flows", default=",".join(TEXTS), help="of these two")
    parser.add_argument("--works", default=",".join(WORKS), help="of these three")
    parser.add_argument("--features", type=int, default=512, help="units of the LSTMs")
    parser.add_argument("--repeats", type=int, default=5)
    flags = parser.parse_args()
    flows, works = flags.flows.split(","), flags.works.split(",")
    for name, given, known in (("flows", flows, TEXTS), ("works", works, WORKS)):
        if unknown := set(given) - set(known):
            parser.error(f"--{name} takes {', '.join(known)}; got {', '.join(sorted(unknown))}.")
    side_by_side.alone(
        measure([flags.reference], [flags.survae], flows, works, flags.features, flags.repeats)
    )


if __name__ == "__main__":
    main()

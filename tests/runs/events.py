"""Reads what TensorBoard would, from the files of a run."""

import io
import pathlib
import struct
from typing import Any

from PIL import Image
from tensorboardX.proto.event_pb2 import Event


def events(workdir: pathlib.Path) -> list[Event]:
    """The events of all files, in the order of their names."""
    result = []
    for path in sorted((workdir / "tensorboard").glob("*tfevents*")):
        content = path.read_bytes()
        while content:
            (size,) = struct.unpack("<Q", content[:8])
            result.append(Event.FromString(content[12 : 12 + size]))  # between two checksums
            content = content[16 + size :]
    return result


def shown(workdir: pathlib.Path) -> dict[str, dict[int, Any]]:
    """By name and step: numbers, texts and pictures."""
    result: dict[str, dict[int, Any]] = {}
    for event in events(workdir):
        for value in event.summary.value:
            kind = value.WhichOneof("value")
            seen = getattr(value, kind)
            if kind == "image":
                seen = Image.open(io.BytesIO(seen.encoded_image_string))
            elif kind == "tensor":
                (seen,) = seen.string_val
            known = result.setdefault(value.tag, {})
            assert event.step not in known, f"{value.tag} at {event.step} twice"
            known[event.step] = seen
    return result

"""Cityscapes: street scenes of fifty cities as maps of 32 x 64 pixels and eight categories.

Source: Cordts et al., 2016, "The Cityscapes Dataset for Semantic Urban Scene Understanding".
Categories, size and splits as in Hoogeboom et al. (2021), who test on the official val.
"""

import collections
import dataclasses
import functools
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tqdm
from PIL import Image

from amd_jax.data.dataset import SPLITS
from amd_jax.data.maps import Maps
from amd_jax.data.reading import files, label_pngs, storage, zips

VERSION = "1.0.0"  # of the exported maps
URL = "https://www.cityscapes-dataset.com/downloads"
MOST_BYTES = 1 << 22  # of a PNG in the archive: twice its pixels, of which each is a byte
MEMBER = re.compile(r"gtFine/(train|val)/(\w+)/\2_\d+_\d+_gtFine_labelIds\.png")
CATEGORIES = {  # name -> colour, how many of the official label ids there are of it, in order
    "void": ((0, 0, 0), 7),
    "flat": ((128, 64, 128), 4),
    "construction": ((70, 70, 70), 6),
    "object": ((153, 153, 153), 4),
    "nature": ((107, 142, 35), 2),
    "sky": ((70, 130, 180), 1),
    "human": ((220, 20, 60), 2),
    "vehicle": ((0, 0, 142), 8),
}
NAMES = tuple(CATEGORIES)
PALETTE = np.array([colour for colour, _ in CATEGORIES.values()], np.uint8)
NUM_CLASSES = len(NAMES)
NO_ID = 255  # in `TABLE`
TABLE = np.full(256, NO_ID, np.uint8)  # label id -> category
TABLE[:34] = np.repeat(np.arange(NUM_CLASSES), [ids for _, ids in CATEGORIES.values()])
TABLE[255] = NAMES.index("vehicle")  # id -1 as a byte: license plate


class ArchiveError(RuntimeError):
    """The archive is missing, or it is not the official one."""


@dataclasses.dataclass(frozen=True)
class Archive:
    """What the official archive holds, and what becomes of it."""

    counts: Mapping[str, int]  # maps of the official train and val
    shape: tuple[int, int]  # height and width of each
    event_shape: tuple[int, int]  # (H, W) of the exported maps
    validation: int  # maps at the end of train, ordered by name
    name: str = "gtFine_trainvaltest.zip"

    def read(self, data_dir: str | None = None) -> dict[str, np.ndarray]:
        """Split -> its maps, uint8 (N, H, W); the first call unpacks the archive.

        Raises:
            ArchiveError: if the archive is missing, damaged, or not the official one.
        """
        root = storage.root(data_dir)
        height, width = self.event_shape
        file = root / "cityscapes" / f"maps-{VERSION}" / f"{height}x{width}.npy"
        archive = storage.manual(root, self.name)
        shape = (sum(self.counts.values()), height, width)
        maps = storage.kept(file, shape)
        if maps is None:
            if not archive.is_file():
                raise self._missing(archive, file)
            with storage.alone(root / "cityscapes"):
                maps = storage.kept(file, shape)  # another process may have done it meanwhile
                if maps is None:
                    maps = self.unpack(archive)
                    storage.keep(file, maps)
        train = self.counts["train"]
        ends = [train - self.validation, train]
        return dict(zip(SPLITS, np.split(maps, ends), strict=True))

    def unpack(self, archive: Path) -> np.ndarray:
        """Categories of train and val, ordered by name, uint8 (N, H, W): one map at a time."""
        try:
            with zips.opened(archive) as opened:
                names = self._members(opened, archive)
                bar = tqdm.tqdm(names, desc="cityscapes", unit=" maps", disable=None)
                return np.stack([self._map(opened, name, archive) for name in bar])
        except (ArchiveError, OSError):
            raise
        except Exception as error:  # a decoder may raise anything
            raise self._damaged(archive, files.reason(error)) from error

    def _members(self, opened: zipfile.ZipFile, archive: Path) -> list[str]:
        """Names of the maps of train, then those of val; ArchiveError unless all are there."""
        matches = list(filter(None, map(MEMBER.fullmatch, opened.namelist())))
        counted = collections.Counter(match[1] for match in matches)
        if any(counted[part] != count for part, count in self.counts.items()):
            result, expected = (
                " and ".join(f"{counts[part]} maps of {part}" for part in self.counts)
                for counts in (counted, self.counts)
            )
            raise self._damaged(archive, f"found {result}, expected {expected}")
        return sorted(match[0] for match in matches)

    def _map(self, opened: zipfile.ZipFile, name: str, archive: Path) -> np.ndarray:
        """Categories of one member, uint8 (H, W)."""
        try:
            content = zips.content(opened, name, MOST_BYTES)
            with label_pngs.opened(io.BytesIO(content)) as image:
                if image.mode != "L" or image.size != self.shape[::-1]:
                    raise ValueError(f"mode {image.mode}, {image.width} x {image.height} pixels")
                ids = np.asarray(image.resize(self.event_shape[::-1], Image.Resampling.NEAREST))
        except Exception as error:  # the same
            result = f"{name} cannot be read ({files.reason(error)})"
            raise self._damaged(archive, result) from error
        labels = TABLE[ids]
        if (labels == NO_ID).any():
            unknown = ids[labels == NO_ID][0]
            raise self._damaged(archive, f"{name} has {unknown}, which is no id of a label")
        return labels

    def _missing(self, archive: Path, file: Path) -> ArchiveError:
        reason = f"{file} is damaged" if file.exists() else "Cityscapes is not on this machine"
        return ArchiveError(
            f"{reason}, and only registered users may fetch it. Download {self.name} (241 MB) "
            f"from {URL} and put it, zipped, at {archive}, or train on maps of your own "
            "(experiments/own_maps.py)."
        )

    def _damaged(self, archive: Path, result: str) -> ArchiveError:
        return ArchiveError(
            f"{archive} is not the official {self.name}: {result}. "
            f"Delete it and download it from {URL} again."
        )


ARCHIVE = Archive({"train": 2975, "val": 500}, (1024, 2048), (32, 64), validation=475)


def load(data_dir: str | None = None, augment: bool = True) -> Maps:
    """Maps of Cityscapes, 32 x 64: 2500 to train on, 475 for validation, 500 for test.

    Row i, column j is the pixel 32 i + 16, 32 j + 16 of the official map: the nearest to the
    middle of its square. `data_dir` is the folder of TFDS: by default TFDS_DATA_DIR or
    ~/tensorflow_datasets. Nothing is read before the first row is asked for.
    """

    @functools.cache
    def splits() -> dict[str, np.ndarray]:
        return ARCHIVE.read(data_dir)

    def read(split: str) -> np.ndarray:
        return splits()[split]

    return Maps(
        NUM_CLASSES,
        ARCHIVE.event_shape,
        {split: functools.partial(read, split) for split in SPLITS},
        PALETTE,
        name="cityscapes",
        names=NAMES,
        augment=augment,
    )

"""Fashion-MNIST: 70,000 grey images of clothes, 28 x 28 pixels, ten classes.

Source: Xiao, Rasul & Vollgraf (2017), "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms".
Read from Debian's package dataset-fashion-mnist where it is installed, else fetched from OpenML.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_openml

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
N_TRAIN = 60_000
CLASSES = np.array(
    ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"],
)

Images = NDArray[np.uint8]
"""One image a row, (n_rows, 784)."""

Labels = NDArray[np.uint8]
"""Positions in CLASSES."""


def load_fashion_mnist() -> tuple[Images, Labels, Images, Labels]:
    """Return training images and labels, test images and labels."""
    if DEBIAN.is_dir():
        return (*_read_part("train"), *_read_part("t10k"))
    images, labels = fetch_openml("Fashion-MNIST", version=1, return_X_y=True, as_frame=False, parser="liac-arff")
    images, labels = images.astype(np.uint8), labels.astype(np.uint8)
    return images[:N_TRAIN], labels[:N_TRAIN], images[N_TRAIN:], labels[N_TRAIN:]


def _read_part(part: str) -> tuple[Images, Labels]:
    images = _read_idx(DEBIAN / f"{part}-images-idx3-ubyte.gz")
    return images.reshape(len(images), -1), _read_idx(DEBIAN / f"{part}-labels-idx1-ubyte.gz")


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array in an IDX file of bytes: two zeros, the type, the number of axes, their lengths, the numbers."""
    content = gzip.decompress(path.read_bytes())
    unsigned_byte, n_axes = content[2], content[3]
    if unsigned_byte != 8:
        raise ValueError(f"{path} holds numbers of IDX type {unsigned_byte}; only 8, unsigned bytes, is read.")
    shape = np.frombuffer(content, dtype=">u4", count=n_axes, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_axes).reshape(shape)

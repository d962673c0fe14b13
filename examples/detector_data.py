"""Synthetic detector data: a generative model of our own, small enough to read.

Classifier: 12 x 12 images (row = depth in the detector, column = transverse position) of five classes,
    0 noise          electronic noise and a few hot pixels only
    1 muon           one thin straight track, the same mean deposit in every row
    2 electron       a compact shower: gamma-shaped along the depth, narrow across it
    3 pion           a thin track up to a random depth, then a ragged shower of a few wide clusters
    4 two tracks     two thin straight tracks with different slopes
Autoencoder: 6 x 6 calorimeter cells that share the charge of one to three Gaussian energy deposits.
"""

import numpy as np

CLASSES = ("noise", "muon", "electron", "pion", "two tracks")
IMAGE = 12
CELLS = 6


def _track(rng, image, first_row=0, last_row=IMAGE - 1, slope_limit=0.6, start=None, slope=None):
    """Adds a minimum-ionising track; each row's deposit fluctuates with a long upper tail. Returns (start, slope)."""
    if start is None:
        start = rng.uniform(1.0, IMAGE - 2.0)
    if slope is None:
        slope = rng.uniform(-slope_limit, slope_limit)
    for row in range(first_row, last_row + 1):
        column = start + slope * (row - first_row)
        deposit = 45.0 + 12.0 * rng.standard_gamma(1.5) if rng.random() > 0.06 else 0.0
        left = int(np.floor(column))
        share = column - left
        for c, part in ((left, 1.0 - share), (left + 1, share)):
            if 0 <= c < IMAGE:
                image[row, c] += deposit * part
    return start, slope


def _blob(image, row, column, sigma_row, sigma_column, energy):
    """Adds a Gaussian cluster of a given total energy."""
    r, c = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    shape = np.exp(-0.5 * (((r - row) / sigma_row) ** 2 + ((c - column) / sigma_column) ** 2))
    image += energy * shape / shape.sum()


def _electron(rng, image):
    column, slope = rng.uniform(2.0, IMAGE - 3.0), rng.uniform(-0.2, 0.2)
    energy, peak, width = rng.uniform(500.0, 1800.0), rng.uniform(2.5, 4.5), rng.uniform(0.6, 1.0)
    depth = np.arange(IMAGE) + 0.5
    longitudinal = depth ** (peak * 0.9) * np.exp(-0.9 * depth)
    longitudinal *= rng.gamma(12.0, 1.0 / 12.0, IMAGE)
    longitudinal /= longitudinal.sum()
    across = np.arange(IMAGE)
    for row in range(IMAGE):
        profile = np.exp(-0.5 * ((across - column - slope * row) / width) ** 2)
        image[row] += energy * longitudinal[row] * profile / profile.sum()


def _pion(rng, image):
    vertex = int(rng.integers(1, 8))
    start, slope = _track(rng, image, last_row=vertex, slope_limit=0.3)
    column = start + slope * vertex
    for _ in range(int(rng.integers(3, 7))):
        row = vertex + rng.exponential(2.0)
        spread = 0.8 + 0.45 * (row - vertex)
        _blob(image, row, column + rng.normal(0.0, spread), rng.uniform(0.5, 1.3), rng.uniform(0.5, 1.4),
              rng.uniform(60.0, 420.0))


def _two_tracks(rng, image):
    start, slope = _track(rng, image)
    for _ in range(20):
        other_start, other_slope = rng.uniform(1.0, IMAGE - 2.0), rng.uniform(-0.6, 0.6)
        apart = abs((start - other_start) + (slope - other_slope) * np.arange(IMAGE))
        if apart.max() > 2.5:
            break
    _track(rng, image, start=other_start, slope=other_slope)


def detector_images(count, seed):
    """Returns images uint8 [count, 1, 12, 12] and labels uint8 [count], classes equally likely."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 1, IMAGE, IMAGE), np.uint8)
    labels = rng.integers(0, len(CLASSES), count).astype(np.uint8)
    for k in range(count):
        image = np.zeros((IMAGE, IMAGE))
        if labels[k] == 1:
            _track(rng, image)
        elif labels[k] == 2:
            _electron(rng, image)
        elif labels[k] == 3:
            _pion(rng, image)
        elif labels[k] == 4:
            _two_tracks(rng, image)
        image += rng.normal(8.0, 9.0, image.shape)
        for _ in range(rng.poisson(1.5)):
            image[rng.integers(IMAGE), rng.integers(IMAGE)] += rng.uniform(20.0, 90.0)
        images[k, 0] = np.clip(np.rint(image), 0, 255)
    return images, labels


def calorimeter_cells(count, seed):
    """Returns cell charges float32 [count, 1, 6, 6], each divided by the power of two that brings its sum into [1, 2)."""
    rng = np.random.default_rng(seed)
    cells = np.zeros((count, 1, CELLS, CELLS), np.float32)
    for k in range(count):
        charge = np.zeros((CELLS, CELLS))
        for _ in range(int(rng.integers(1, 4))):
            width = rng.uniform(0.35, 0.9)
            _blob(charge, rng.uniform(0.0, CELLS - 1.0), rng.uniform(0.0, CELLS - 1.0), width, width,
                  120.0 * rng.lognormal(0.0, 0.8))
        charge = np.floor(charge + np.abs(rng.normal(0.0, 0.7, charge.shape)))
        charge[CELLS // 2, CELLS // 2] += charge.sum() == 0
        cells[k, 0] = charge / 2.0 ** np.floor(np.log2(charge.sum()))
    return cells


def cell_distance():
    """Euclidean distance between the centres of the 36 cells, unit = cell pitch; float64 [36, 36], cells in C order."""
    row, column = np.divmod(np.arange(CELLS * CELLS), CELLS)
    return np.hypot(row[:, None] - row[None, :], column[:, None] - column[None, :])

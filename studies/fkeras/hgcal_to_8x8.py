#!/usr/bin/env python3
"""Turns HGCAL trigger-cell charges into the 8 x 8 input of the ECON-T autoencoders.

Each row of the CSV holds the 48 charges of one module. Rows whose sum is zero are dropped; the others are divided by
2^floor(log2(sum)), so that their sum lies in [1, 2), and cell k goes to pixel econt_cells.csv[k] (row-major). The
bottom-right 4 x 4 pixels hold no cell and stay zero. Output: .npy, float32, [rows, 8, 8, 1].
"""

import argparse
import pathlib
import sys

import numpy as np

CELLS = 48
PIXELS = 64


def read_charges(path):
    """Charges float64 [rows, 48]; one header line is skipped if there is one."""
    with open(path) as file:
        first = file.readline().strip().split(",")
    try:
        [float(value) for value in first]
        header = 0
    except ValueError:
        header = 1
    charges = np.loadtxt(path, delimiter=",", skiprows=header, ndmin=2)
    if charges.shape[1] != CELLS:
        sys.exit(f"hgcal_to_8x8: {path} has {charges.shape[1]} columns, expected {CELLS} charges per row")
    if not np.isfinite(charges).all() or (charges < 0).any():
        sys.exit(f"hgcal_to_8x8: {path} has a charge that is negative, infinite or not a number")
    return charges


def to_images(charges, pixel_of_cell):
    """Images float32 [rows with charge, 8, 8, 1]."""
    total = charges.sum(axis=1)
    charges, total = charges[total > 0], total[total > 0]
    _, exponent = np.frexp(total)  # total = m * 2^exponent with 0.5 <= m < 1
    images = np.zeros((len(charges), PIXELS), np.float32)
    images[:, pixel_of_cell] = np.ldexp(charges, (1 - exponent)[:, None])
    return images.reshape(-1, 8, 8, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example: hgcal_to_8x8.py CALQ_output.csv inputs.npy --first 500")
    parser.add_argument("charges", type=pathlib.Path, help="CSV, 48 charges per row, with or without a header line")
    parser.add_argument("images", type=pathlib.Path, help=".npy file to write")
    parser.add_argument("--first", type=int, metavar="N", help="keep the first N rows that have charge")
    parser.add_argument("--cells", type=pathlib.Path, default=pathlib.Path(__file__).with_name("econt_cells.csv"),
                        help="pixel of each cell, one comma-separated line (default: econt_cells.csv beside this script)")
    arguments = parser.parse_args()
    if arguments.first is not None and arguments.first < 1:
        parser.error(f"--first must be at least 1, got {arguments.first}")
    pixel_of_cell = np.loadtxt(arguments.cells, delimiter=",", dtype=int, ndmin=1)
    if len(pixel_of_cell) != CELLS or len(set(pixel_of_cell) & set(range(PIXELS))) != CELLS:
        sys.exit(f"hgcal_to_8x8: {arguments.cells} must hold {CELLS} different pixels from 0 to {PIXELS - 1}")
    charges = read_charges(arguments.charges)
    images = to_images(charges, pixel_of_cell)
    np.save(arguments.images, images[: arguments.first])
    print(f"{arguments.charges}: {len(charges)} rows, {len(charges) - len(images)} without charge, "
          f"{len(images[: arguments.first])} written to {arguments.images}")


if __name__ == "__main__":
    main()

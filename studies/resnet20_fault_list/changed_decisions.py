#!/usr/bin/env python3
"""Counts the rows of OUTPUTS.npy whose decision is not that of the same row of GOLDEN.npy.

The decision is PyTorch's: the first NaN where there is one, else the first of the largest. To be
used as a score: --score 'exec:changed_decisions.py golden.npy'.
"""

import array
import ast
import sys


def read_rows(path):
    """The rows of a two-dimensional float32 .npy file."""
    with open(path, "rb") as file:
        assert file.read(6) == b"\x93NUMPY", path
        length_bytes = 2 if file.read(2)[0] == 1 else 4
        header = ast.literal_eval(file.read(int.from_bytes(file.read(length_bytes), "little")).decode())
        assert header["descr"] == "<f4" and not header["fortran_order"], path
        values = array.array("f", file.read())
    rows, columns = header["shape"]
    return [values[i * columns : (i + 1) * columns] for i in range(rows)]


def decision(row):
    for i, value in enumerate(row):
        if value != value:
            return i
    return max(range(len(row)), key=lambda i: (row[i], -i))


def main():
    golden, faulty = read_rows(sys.argv[1]), read_rows(sys.argv[2])
    print(sum(decision(a) != decision(b) for a, b in zip(golden, faulty, strict=True)))


if __name__ == "__main__":
    main()

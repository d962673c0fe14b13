#!/usr/bin/env python3
"""Writes the groups of outputs that the "telescope" loss of the ECON-T autoencoders is taken over.

    telescope_groups.py groups.csv        then: flipscope rank … --loss groups:groups.csv

Three levels: 48 trigger cells (factor 4), 36 supercells of 2 x 2 neighbouring cells (factor 2), the 3 sectors of 4 x 4 cells
(factor 1). Cells are numbered row by row within their sector; the sectors meet in the middle of the hexagon, so that the
edges of two sectors are neighbours as well. A supercell's weight is a quarter of S, the sum over its cells of 1/(number of
supercells that hold the cell), so that every cell counts alike; where it holds one of the three cells at the very centre, the
networks were trained with 1/4 + (S - 1) instead.
"""

import argparse
import pathlib
from fractions import Fraction

SIDE = 4
SECTORS = 3
CENTRE = {3, 19, 35}
# Along each edge between two sectors: which cell faces which, from the rim to the centre or back.
EDGES = [[(0, 31), (1, 27), (2, 23), (3, 19)],
         [(3, 35), (7, 34), (11, 33), (15, 32)],
         [(16, 47), (17, 43), (18, 39), (19, 35)]]


def supercells():
    for sector in range(SECTORS):
        for row in range(SIDE - 1):
            for column in range(SIDE - 1):
                first = sector * SIDE * SIDE + row * SIDE + column
                yield [first, first + 1, first + SIDE, first + SIDE + 1]
    for edge in EDGES:
        for near, far in zip(edge, edge[1:]):
            yield [*near, *far]


def weight(supercell, held_by):
    total = sum(Fraction(1, held_by[cell]) for cell in supercell)
    return Fraction(1, 4) + (total - 1) if CENTRE & set(supercell) else total / 4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", type=pathlib.Path, help=".csv file to write")
    parser.add_argument("--cells", type=pathlib.Path, default=pathlib.Path(__file__).with_name("econt_cells.csv"),
                        help="pixel of each cell, one comma-separated line (default: econt_cells.csv beside this script)")
    arguments = parser.parse_args()
    pixel = [int(word) for word in arguments.cells.read_text().split(",")]
    squares = list(supercells())
    held_by = {cell: sum(cell in square for square in squares) for cell in range(len(pixel))}
    sectors = [range(k * SIDE * SIDE, (k + 1) * SIDE * SIDE) for k in range(SECTORS)]
    levels = [(4, [([cell], 1) for cell in range(len(pixel))]),
              (2, [(square, weight(square, held_by)) for square in squares]),
              (1, [(sector, 1) for sector in sectors])]
    lines = ["level,factor,group,weight,element"]
    for level, (factor, groups) in enumerate(levels):
        for group, (cells, share) in enumerate(groups):
            lines += [f"{level},{factor},{group},{float(share)!r},{pixel[cell]}" for cell in cells]
    arguments.groups.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""Runs the models of make_models.py in Flipscope and compares with QKeras's outputs.

    python compare.py FOLDER FLIPSCOPE

FLIPSCOPE is the program; it is called as `FLIPSCOPE run MODEL --inputs inputs.npy --outputs OUT.npy`. Prints
one line per model that differs, and a summary per kind. Exit status 1 where a model marked "exact"
differs in any bit, or another by more than float32 rounding can explain.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np

# QKeras returns x + (q(x) - x), which may be off q(x) by a rounding error of x where the scale of q
# is no power of two.
TOLERANCE = {"exact": 0.0, "scaled": 2e-5, "float": 2e-5, "weights": 5e-7}


def main():
    folder, program = sys.argv[1:3]
    summary = {}
    for name in sorted(os.listdir(folder), key=int):
        where = os.path.join(folder, name)
        kind = open(os.path.join(where, "note.txt")).read().strip()
        model = os.path.join(where, "model.h5")
        if not os.path.exists(model):
            model = os.path.join(where, "model.json") + ":" + os.path.join(where, "weights.hdf5")
        count = summary.setdefault(kind, {"models": 0, "same bits": 0, "within tolerance": 0, "refused": 0,
                                          "different": 0})
        count["models"] += 1
        expected = np.load(os.path.join(where, "outputs.npy"))
        with tempfile.TemporaryDirectory() as scratch:
            out = os.path.join(scratch, "out.npy")
            inputs = os.path.join(where, "inputs.npy")
            command = [program, "run", model, "--inputs", inputs, "--outputs", out]
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode != 0 or not os.path.exists(out):
                count["refused"] += 1
                print(f"{name} {kind}: {(run.stderr + run.stdout).strip()[:300]} (status {run.returncode})")
                continue
            actual = np.load(out)
        if actual.size == expected.size:
            actual = actual.reshape(expected.shape)
        if actual.shape == expected.shape and np.array_equal(actual, expected):
            count["same bits"] += 1
            continue
        worst = np.inf
        if actual.shape == expected.shape:
            worst = (np.abs(actual - expected) / np.maximum(1, np.abs(expected))).max()
        # A quantizer after a float sum may take the other side of a tie: that is one step, rarely.
        if worst <= TOLERANCE[kind]:
            count["within tolerance"] += 1
        else:
            count["different"] += 1
            wrong = np.mean(actual != expected) if actual.shape == expected.shape else 1
            print(f"{name} {kind}: relative difference {worst:.3g}, {wrong:.1%} of outputs differ")
    for kind, count in summary.items():
        print(kind, " ".join(f"{k}: {v}" for k, v in count.items()))
    sys.exit(any(c["different"] or c["refused"] for c in summary.values()))


if __name__ == "__main__":
    main()

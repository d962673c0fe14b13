"""Runs the models of a folder in Flipscope and compares with the outputs of the framework that made them.

    python compare.py FOLDER [FAULTS]

FOLDER is what make_models.py here, or in ../qkeras_parity, wrote. Needs the package flipscope. With FAULTS, of each
QONNX and QDQ model so many flips are put back into the ONNX file (Model.with_fault), run by qonnx-exec or ONNX
Runtime, and compared with Flipscope's own faulty outputs; that needs onnx, onnxruntime and qonnx too.
Prints a line for each model that differs, and a summary for each kind. Exit status 1 where one differs by more than its
kind's tolerance.
"""

import os
import sys

import numpy as np

import flipscope

# Where sums are exact, all bits agree. Else each framework adds in its own order, and a value within rounding
# of a quantizer's tie may fall to the other side; relative to the largest output of the sample.
TOLERANCE = {"qonnx": 0.0, "qdq": 0.0, "exact": 0.0, "scaled": 2e-5, "float": 2e-5, "weights": 5e-7}


def model_of(where):
    for name in ("model.onnx", "model.h5"):
        if os.path.exists(os.path.join(where, name)):
            return flipscope.Model(os.path.join(where, name))
    return flipscope.Model(os.path.join(where, "model.json") + ":" + os.path.join(where, "weights.hdf5"))


def difference(actual, expected):
    """0 where all bits agree; else the largest difference, relative to the sample's largest output if above 1."""
    actual = actual.reshape(expected.shape)
    if np.array_equal(actual, expected, equal_nan=True):
        return 0.0
    samples = expected.reshape(len(expected), -1)
    size = np.maximum(1, np.abs(samples).max(axis=1, keepdims=True))
    return float((np.abs(actual.reshape(samples.shape) - samples) / size).max())


def random_faults(model, count, rng):
    tensors = [t for t in model.tensors if t["part"] == "weights"]
    for _ in range(count):
        tensor = tensors[rng.integers(len(tensors))]
        yield flipscope.Fault(tensor["name"], int(rng.integers(np.prod(tensor["shape"]))),
                              int(rng.integers(tensor["bits"])))


def main():
    folder = sys.argv[1]
    faults = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    rng = np.random.default_rng(0)
    summary = {}
    for name in sorted(os.listdir(folder), key=int):
        where = os.path.join(folder, name)
        kind = open(os.path.join(where, "note.txt"), encoding="utf-8").read().strip()
        model = model_of(where)
        inputs, expected = (np.load(os.path.join(where, f"{part}.npy")) for part in ("inputs", "outputs"))
        pairs = [("golden", model(inputs), expected)]
        if faults and kind in ("qonnx", "qdq"):
            from make_models import expected as framework

            for fault in random_faults(model, faults, rng):
                faulty = model.with_fault(fault)
                pairs.append((str(fault), model(inputs, fault), framework(faulty.to_onnx(), kind, inputs)))
                pairs.append((str(fault) + ", read again", faulty(inputs), pairs[-1][1]))
        count = summary.setdefault(kind, {"models": 0, "runs": 0, "same bits": 0, "within tolerance": 0, "different": 0})
        count["models"] += 1
        for what, actual, right in pairs:
            worst = difference(actual, right)
            verdict = "same bits" if worst == 0 else "within tolerance" if worst <= TOLERANCE[kind] else "different"
            count["runs"] += 1
            count[verdict] += 1
            if verdict == "different":
                print(f"{name} {kind}, {what}: relative difference {worst:.3g}, "
                      f"{np.mean(actual.reshape(right.shape) != right):.1%} of outputs")
    for kind, count in summary.items():
        print(kind + ":", ", ".join(f"{number} {what}" for what, number in count.items()))
    sys.exit(any(count["different"] for count in summary.values()))


if __name__ == "__main__":
    main()

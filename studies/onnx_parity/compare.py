"""Runs the models of a folder in Flipscope and compares with the outputs of the framework that made them.

    python compare.py FOLDER [FAULTS]

FOLDER is what make_models.py here, or in ../qkeras_parity, wrote. Needs the package flipscope. With FAULTS, of each
QONNX and QDQ model so many flips are put back into the ONNX file (Model.with_fault), run by qonnx-exec or ONNX
Runtime, and compared with Flipscope's own faulty outputs; that needs onnx, onnxruntime and qonnx too.

Prints a line for each model that differs, and a summary for each kind. Exit status 1 where one differs by more than its
kind's tolerance, unless a quantizer's tie is shown to be why (at_a_tie).
"""

import os
import sys

import numpy as np

import flipscope

# Where sums are exact, all bits agree. Else each framework adds in its own order; relative to the largest output of
# the sample.
TOLERANCE = {"qonnx": 0.0, "qdq": 0.0, "exact": 0.0, "scaled": 2e-5, "float": 2e-5, "weights": 5e-7}


def model_of(where):
    for name in ("model.onnx", "model.h5"):
        if os.path.exists(os.path.join(where, name)):
            return flipscope.Model(os.path.join(where, name))
    return flipscope.Model(os.path.join(where, "model.json") + ":" + os.path.join(where, "weights.hdf5"))


def is_onnx(model):
    return model.path.endswith(".onnx")


def difference(actual, expected):
    """0 where all bits agree; else the largest difference, relative to the sample's largest output if above 1."""
    actual = actual.reshape(expected.shape)
    if np.array_equal(actual, expected, equal_nan=True):
        return 0.0
    samples = expected.reshape(len(expected), -1)
    size = np.maximum(1, np.abs(samples).max(axis=1, keepdims=True))
    return float((np.abs(actual.reshape(samples.shape) - samples) / size).max())


def at_a_tie(model, inputs):
    """True where the first quantizer whose outputs differ from qonnx-exec's gets inputs that differ by rounding alone:
    one of them lay so near a tie that it fell to the other side."""
    from make_models import executed
    from onnx import TensorProto, helper

    proto = model.to_onnx()
    values = executed(proto, inputs)
    constants = {tensor.name for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type in ("Quant", "BipolarQuant") and node.input[0] not in constants | {"input"}:
            found = []
            for name in (node.input[0], node.output[0]):
                part = model.to_onnx()
                del part.graph.output[:]
                part.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, values[name].shape))
                found.append(difference(flipscope.from_onnx(part)(inputs), values[name]))
            if found[1] > 2e-6:
                return found[0] <= 2e-6
    return False


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
        count = summary.setdefault(kind, {"models": 0, "runs": 0, "same bits": 0, "within tolerance": 0,
                                          "at a tie": 0, "different": 0})
        count["models"] += 1
        for what, actual, right in pairs:
            worst = difference(actual, right)
            verdict = "same bits" if worst == 0 else "within tolerance" if worst <= TOLERANCE[kind] else "different"
            if verdict == "different" and kind == "scaled" and is_onnx(model) and at_a_tie(model, inputs):
                verdict = "at a tie"
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

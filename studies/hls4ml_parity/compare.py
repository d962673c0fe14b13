"""hls4ml's bit-accurate C simulation beside Flipscope: golden outputs, and with flipped weights.

    python compare.py [FLIPS]

First: the weights' files that hls4ml writes hold the weights in the order of flipscope.masks(…, strategy). Then a dense
and a convolutional QKeras model with random weights are converted by hls4ml with wide accumulators
(fixed<32,16>), compiled (g++; no vendor's tools), and run; then the same with FLIPS (default 2) random weight bits
flipped, each put back by Model.with_fault. Needs flipscope, hls4ml, qkeras. Exit status 1 where any output differs.
"""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import hls4ml
import numpy as np
import qkeras as Q
import tensorflow as tf

import flipscope

PRECISION = "fixed<32,16>"


def dense():
    return tf.keras.Sequential([
        tf.keras.Input((10,)), layer(Q.QDense, 8), Q.QActivation("quantized_relu(6,2)"), layer(Q.QDense, 5)])


def convolution():
    return tf.keras.Sequential([
        tf.keras.Input((6, 6, 2)), layer(Q.QConv2D, 4, (3, 3)), Q.QActivation("quantized_relu(6,2)"),
        tf.keras.layers.Flatten(), layer(Q.QDense, 3)])


def layer(kind, *sizes):
    return kind(*sizes, kernel_quantizer=Q.quantized_bits(6, 0, alpha=1),
                bias_quantizer=Q.quantized_bits(6, 1, alpha=1), bias_initializer="random_normal")


def converted(model, folder, strategy="Latency"):
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", default_precision=PRECISION)
    config["Model"]["Strategy"] = strategy
    for settings in config["LayerName"].values():
        settings["Strategy"] = strategy
        if settings["Precision"]["result"] == "auto":
            settings["Precision"].update(result=PRECISION, accum=PRECISION)
    return hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=folder, backend="Vivado", io_type="io_parallel")


def same_order(live, model, strategy):
    """Whether each weights' file, read in masks' order, holds the model's weights."""
    same = True
    with tempfile.TemporaryDirectory() as folder:
        hls = converted(live, folder, strategy)
        hls.write()
        for tensor in (t for t in model.tensors if t["part"] == "weights"):
            name = hls.graph[tensor["layer"]].weights["weight"].name
            with open(f"{folder}/firmware/weights/{name}.txt", encoding="utf-8") as file:
                written = np.array([float(x) for x in file.read().split(",")])
            stored = model.values(tensor["name"]).ravel()
            # Bit k of an element's number, masked: its place in the file is where the ones of masks come out.
            place = np.zeros(stored.size, int)
            for bit in range((stored.size - 1).bit_length()):
                named = [(tensor["name"], i, bit % tensor["bits"]) for i in range(stored.size) if i >> bit & 1]
                ones = flipscope.masks(model, named, strategy.lower())[tensor["name"]].ravel() != 0
                place |= ones.astype(int) << bit
            same = same and np.array_equal(written, stored[place])
    return same


def simulated(model, inputs, folder):
    hls = converted(model, folder)
    hls.compile()
    return hls.predict(np.ascontiguousarray(inputs)).reshape(len(inputs), -1)


def main():
    flips = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    rng = np.random.default_rng(0)
    different = 0
    for make in (dense, convolution):
        tf.keras.utils.set_random_seed(1)
        live = make()
        model = flipscope.from_keras(live)
        for strategy in ("Latency", "Resource"):
            same = same_order(live, model, strategy)
            different += not same
            print(f"{make.__name__}, weights by {strategy}: {'' if same else 'NOT '}in the order of masks", flush=True)
        x = np.round(rng.normal(0, 1, (200, *live.input_shape[1:])) * 32).astype(np.float32) / 32
        weights = [t for t in model.tensors if t["part"] == "weights"]
        faults = [None]
        for n in range(flips):
            tensor = weights[n % len(weights)]
            faults.append(flipscope.Fault(
                tensor["name"], int(rng.integers(np.prod(tensor["shape"]))), tensor["bits"] - 1 - n % 3))
        for fault in faults:
            struck = live if fault is None else model.with_fault(fault).to_keras()
            ours = model(x, [] if fault is None else fault).reshape(len(x), -1)
            with tempfile.TemporaryDirectory() as folder:
                theirs = simulated(struck, x, folder)
            same = np.array_equal(ours, theirs)
            different += not same
            print(f"{make.__name__}, {'golden' if fault is None else tuple(fault)}: "
                  f"{'same bits' if same else f'largest difference {np.abs(ours - theirs).max():.3g}'}, "
                  f"{np.mean(np.any(ours != model(x).reshape(len(x), -1), axis=1)):.0%} of samples differ from golden",
                  flush=True)
    sys.exit(different > 0)


if __name__ == "__main__":
    main()

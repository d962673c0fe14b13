#!/usr/bin/env python3
"""Runs random faults of every real network by difference and by whole runs, and compares all bits.

`flipscope bench` does the work; this calls it for each network of the data folder (see the README
for where they come from) and for each part that can be struck, until at least --pairs pairs of a
fault and a sample are compared. Needs NumPy.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

CIFAR = ["--inputs", "cifar10/test_batch_first1017.bin", "--scale", "1/255"]
CIFAR_NORMALIZED = CIFAR + ["--mean", "0.4914,0.4822,0.4465", "--std", "0.2023,0.1994,0.2010"]
MNIST = ["--inputs", "mnist/t10k-images-idx3-ubyte.gz"]


def networks(hgcal, features):
    for size in ("small", "medium", "large"):
        yield f"ECON-T {size}", [f"econt/{size}/autoencoder_{size}.json:econt/{size}/autoencoder_{size}.hdf5",
                                 "--inputs", hgcal]
    yield "CIFAR-10 CNN", ["cifar10_hls4ml/tiny2_model_best.h5", *CIFAR]
    yield "ResNet-20", ["resnet_cifar10/resnet20.onnx", *CIFAR_NORMALIZED, "--first", "256"]
    yield "mnist_mlp", ["mnist/mnist_mlp.onnx", *MNIST, "--scale", "1/255", "--first", "1024"]
    yield "mnist-8", ["mnist/mnist-8.onnx", *MNIST, "--first", "1024"]
    yield "TFC_2W2A", ["qonnx/TFC_2W2A.onnx", *MNIST, "--scale", "1/255", "--first", "1024"]
    yield "TFC_1W1A", ["qonnx/TFC_1W1A.onnx", *MNIST, "--scale", "1/255", "--first", "1024"]
    yield "jet tagging", ["qonnx/qkeras_jettagging.onnx", "--inputs", features]
    yield "MLPerf Tiny ResNet-8", ["mlperf_tiny/ic_pretrainedResnet.h5", "--inputs",
                                   "cifar10/test_batch_first1017.bin", "--first", "256"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flipscope", default="flipscope", help="the program")
    parser.add_argument("--data", required=True, help="folder with the networks and samples")
    parser.add_argument("--pairs", type=int, default=1_000_000, help="to compare, of each network")
    parser.add_argument("--network", help="only those whose name holds this")
    options = parser.parse_args()
    data = pathlib.Path(options.data).resolve()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        hgcal = pathlib.Path(folder) / "hgcal.npy"
        convert = pathlib.Path(__file__).resolve().parent / "fkeras/hgcal_to_8x8.py"
        subprocess.run([sys.executable, convert, data / "hgcal/CALQ_output.csv", hgcal, "--first", "2048"], check=True,
                       stdout=subprocess.DEVNULL)
        features = pathlib.Path(folder) / "features.csv"  # no jets at hand: random numbers
        draw = random.Random(0)
        features.write_text("".join(",".join(f"{draw.gauss(0, 1):.6f}" for _ in range(16)) + "\n"
                                    for _ in range(1024)))
        for name, words in networks(str(hgcal), str(features)):
            if options.network and options.network not in name:
                continue
            compared = differing = seed = 0
            while compared < options.pairs:
                run = subprocess.run(
                    [options.flipscope, "bench", *words, "--in",
                     "weights,biases,activations,inputs" if seed % 2 else "weights",
                     "--seconds", "4", "--faults-per-layer", "4000", "--seed", str(seed), "--json",
                     "--quiet"], cwd=data, stdout=subprocess.PIPE, check=False)
                if run.returncode not in (0, 1):
                    return run.returncode
                for layer in json.loads(run.stdout)["layers"]:
                    compared += layer["compared"]
                    differing += layer["differing"]
                seed += 1
            print(f"{name}: {compared:,} pairs compared, {differing:,} differ", flush=True)
            bad += differing
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The program on real networks, against figures and outputs that others made.

Usage: real_models_test.py FLIPSCOPE. The data folder is $FLIPSCOPE_DATA; without it every test is
skipped, or fails where $FLIPSCOPE_REQUIRE_DATA is set.
"""

import array
import ast
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("FLIPSCOPE_DATA", "no-such-folder"))
FLIPSCOPE = "flipscope"


def flipscope(*arguments):
    done = subprocess.run([FLIPSCOPE, *map(str, arguments), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def read_npy(path):
    """Shape and flat float32 values of a little-endian C-order .npy file."""
    raw = pathlib.Path(path).read_bytes()
    size = int.from_bytes(raw[8:10], "little")
    header = ast.literal_eval(raw[10:10 + size].decode())
    assert header["descr"] == "<f4" and not header["fortran_order"]
    return header["shape"], array.array("f", raw[10 + size:])


def read_csv(path):
    with open(path, newline="") as file:
        return [float(x) for row in csv.reader(file) for x in row if x]


def keras_pair(folder, name):
    return f"{folder / name}.json:{folder / name}.hdf5"


@unittest.skipUnless(DATA.is_dir() or os.environ.get("FLIPSCOPE_REQUIRE_DATA"),
                     "FLIPSCOPE_DATA names no folder with the public models")
class RealModels(unittest.TestCase):
    def setUp(self):
        self.assertTrue(DATA.is_dir(), "FLIPSCOPE_DATA names no folder")
        self.folder = tempfile.TemporaryDirectory()
        self.out = pathlib.Path(self.folder.name) / "out.npy"

    def tearDown(self):
        self.folder.cleanup()

    def mnist(self, model, *more):
        return flipscope("run", model, "--inputs", DATA / "mnist/t10k-images-idx3-ubyte.gz",
                         "--labels", DATA / "mnist/t10k-labels-idx1-ubyte.gz", *more)

    def test_resnet20_logits_are_pytorchs(self):
        flipscope("run", DATA / "resnet_cifar10/resnet20.onnx",
                  "--inputs", DATA / "cifar10/test_batch_first1017.bin", "--scale", "1/255",
                  "--mean", "0.4914,0.4822,0.4465", "--std", "0.2023,0.1994,0.2010",
                  "--expect", DATA / "resnet_cifar10/resnet20_logits_1017.npy",
                  "--tolerance", "1e-4")

    def test_cifar_cnn_decides_as_qkeras_does_on_every_image(self):
        model = DATA / "cifar10_hls4ml/tiny2_model_best.h5"
        result = flipscope("run", model, "--inputs", DATA / "cifar10/test_batch_first1017.bin",
                           "--scale", "1/256", "--outputs", self.out)
        self.assertEqual(result["correct"], 839)
        (count, classes), values = read_npy(self.out)
        decisions = []
        for k in range(count):
            row = values[k * classes:(k + 1) * classes]
            decisions.append(str(row.index(max(row))))
        expected = (ROOT / "studies/fkeras/qkeras_cifar_decisions.txt").read_text().split()
        self.assertEqual("".join(decisions), "".join(expected))
        self.assertEqual(flipscope("info", model)["parts"]["weights"]["bits"], 459520)

    def test_econt_latents_outputs_and_emd_are_the_fixtures(self):
        fixtures = DATA / "econt/fixtures"
        for size, bits in (("medium", 12720), ("small", 10240)):
            with self.subTest(size):
                folder = DATA / "econt" / size
                encoder = keras_pair(folder, f"encoder_{size}")
                decoder = keras_pair(folder, f"decoder_{size}")
                inputs = fixtures / "calq32_input_8x8.csv"
                flipscope("run", encoder, "--inputs", inputs, "--outputs", self.out)
                _, latents = read_npy(self.out)
                self.assertEqual(list(latents), read_csv(fixtures / f"calq32_{size}_latent.csv"))
                for model in (f"{encoder}+{decoder}", keras_pair(folder, f"autoencoder_{size}")):
                    result = flipscope(
                        "run", model, "--inputs", inputs, "--targets", "inputs",
                        "--score", "emd", "--emd-cost", DATA / "hgcal/hex_metric_48x48.csv",
                        "--emd-cells", ROOT / "studies/fkeras/econt_cells.csv",
                        "--outputs", self.out)
                    emd = read_csv(fixtures / f"calq32_{size}_emd.csv")
                    self.assertAlmostEqual(result["score"]["value"], sum(emd) / len(emd), delta=1e-6)
                    _, outputs = read_npy(self.out)
                    expected = read_csv(fixtures / f"calq32_{size}_output.csv")
                    self.assertLess(max(abs(a - b) for a, b in zip(outputs, expected, strict=True)),
                                    1e-6)
                self.assertEqual(flipscope("info", encoder)["parts"]["weights"]["bits"], bits)

    def test_econt_large_has_its_published_bits(self):
        info = flipscope("info", keras_pair(DATA / "econt/large", "encoder_large"))
        self.assertEqual(info["parts"]["weights"]["bits"], 61344)

    def test_mnist_networks_reach_their_accuracy(self):
        self.assertAlmostEqual(self.mnist(DATA / "mnist/mnist-8.onnx")["accuracy"], 0.9891, delta=1e-9)
        result = self.mnist(DATA / "mnist/mnist_mlp.onnx", "--scale", "1/255")
        self.assertAlmostEqual(result["accuracy"], 0.9826, delta=1e-9)

    def test_qonnx_networks_run(self):
        result = self.mnist(DATA / "qonnx/TFC_2W2A.onnx", "--scale", "1/255")
        self.assertAlmostEqual(result["accuracy"], 0.9660, delta=1e-9)
        # The published 93.17% is out of the file's reach: see docs/results.md.
        result = self.mnist(DATA / "qonnx/TFC_1W1A.onnx", "--scale", "1/255")
        self.assertAlmostEqual(result["accuracy"], 0.9296, delta=1e-9)
        info = flipscope("info", DATA / "qonnx/qkeras_jettagging.onnx")
        self.assertEqual(info["inputs"][0]["shape"], [1, 16])

    def test_float_resnet8_of_mlperf_tiny(self):
        result = flipscope("run", DATA / "mlperf_tiny/ic_pretrainedResnet.h5",
                           "--inputs", DATA / "cifar10/test_batch_first1017.bin")
        self.assertGreater(result["accuracy"], 0.85)


if __name__ == "__main__":
    FLIPSCOPE = sys.argv.pop(1)
    unittest.main(verbosity=1)

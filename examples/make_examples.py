#!/usr/bin/env python3
"""Makes every data file of this folder: trains the two example networks and writes models, samples, expected outputs.

Needs PyTorch, ONNX and NumPy (Debian: python3-torch, python3-onnx, python3-numpy). One thread and fixed seeds: the
same machine gives the same bytes every time.
"""

import argparse
import pathlib

import numpy as np
import torch

import detector_data
import qonnx_export
import quantized_training

TRAIN_SEED, TEST_SEED, TORCH_SEED = 20240601, 20240602, 7
ROUNDING_MARGIN = 1e-4


def rounds_alike(model, images):
    """True for images whose normalized activations all keep ROUNDING_MARGIN steps from a rounding boundary.

    The batch normalization is float32, and frameworks differ in its last bit; on these images they must all put out
    the same codes, so that the expected logits are exact.
    """
    steps = quantized_training.evaluate(model.normalized, images / np.float32(256)) / model.hidden1_format.scale
    distance = np.abs(steps - np.floor(steps) - 0.5)
    return (distance > ROUNDING_MARGIN).all(axis=(1, 2, 3))


def make_classifier(folder, train_count, epochs, test_count):
    torch.manual_seed(TORCH_SEED)
    model = quantized_training.train_classifier(*detector_data.detector_images(train_count, TRAIN_SEED), epochs)
    images, labels = detector_data.detector_images(test_count + test_count // 4, TEST_SEED)
    keep = np.flatnonzero(rounds_alike(model, images))[:test_count]
    assert len(keep) == test_count, "too many images near a rounding boundary"
    images, labels = images[keep], labels[keep]
    logits = quantized_training.evaluate(model, images / np.float32(256))
    qonnx_export.export_classifier(model, folder / "classifier.onnx")
    np.save(folder / "classifier_inputs.npy", images)
    np.save(folder / "classifier_labels.npy", labels)
    np.save(folder / "classifier_logits.npy", logits)
    decision = logits.argmax(axis=1)
    print(f"classifier: accuracy {np.mean(decision == labels):.1%} on {test_count} images")
    for label, name in enumerate(detector_data.CLASSES):
        print(f"  {name:<10} {np.mean(decision[labels == label] == label):.1%} of {np.sum(labels == label)}")


def make_autoencoder(folder, train_count, epochs, test_count):
    torch.manual_seed(TORCH_SEED)
    model = quantized_training.train_autoencoder(detector_data.calorimeter_cells(train_count, TRAIN_SEED), epochs)
    cells = detector_data.calorimeter_cells(test_count, TEST_SEED)
    outputs = quantized_training.evaluate(model, cells)
    qonnx_export.export_autoencoder(model, folder / "autoencoder.onnx")
    np.save(folder / "autoencoder_inputs.npy", cells)
    np.save(folder / "autoencoder_outputs.npy", outputs)
    np.savetxt(folder / "cell_distance.csv", detector_data.cell_distance(), "%.17g", ",")
    mean_squared = np.mean((outputs - cells) ** 2)
    print(f"autoencoder: mean squared error {mean_squared:.3e} on {test_count} samples, "
          f"{mean_squared / np.var(cells, axis=0).mean():.1%} of the variance")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent,
                        help="folder for the files (default: this script's)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    make_classifier(arguments.out, train_count=20000, epochs=12, test_count=1000)
    make_autoencoder(arguments.out, train_count=20000, epochs=60, test_count=500)


if __name__ == "__main__":
    main()

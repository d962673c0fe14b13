#!/usr/bin/env python3
"""Compares Flipscope's per-fault critical rates with a published fault list.

Draws faults of the list at random, runs them with `flipscope inject` on the images at hand, and
compares each fault's share of critical images with the list's by Fisher's exact test, and the
pooled rates by the paired difference. Needs Python's standard library only.

The list has no outcome for NaN: an image whose logits hold one was counted by the index that
PyTorch's argmax returns, the first NaN's. So faults with DUE outcomes are run again here with a
score that decides in the same way.
"""

import argparse
import csv
import math
import pathlib
import random
import shlex
import subprocess
import sys
import tempfile


def log_choose(n, k):
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def fisher_p(a, n, b, m):
    """Two-sided p-value for a of n against b of m: the sum over all tables no likelier."""
    total = a + b
    low, high = max(0, total - m), min(n, total)

    def log_p(k):
        return log_choose(n, k) + log_choose(m, total - k) - log_choose(n + m, total)

    observed = log_p(a) + 1e-9
    return min(1.0, sum(math.exp(p) for k in range(low, high + 1) if (p := log_p(k)) <= observed))


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_list(path, rows, drawn):
    columns = ("Injection", "Layer", "TensorIndex", "Bit")
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([rows[k][c] for c in columns] for k in drawn)


def network(data):
    return [data / "resnet_cifar10/resnet20.onnx", "--inputs",
            data / "cifar10/test_batch_first1017.bin", "--scale", "1/255",
            "--mean", "0.4914,0.4822,0.4465", "--std", "0.2023,0.1994,0.2010"]


def inject(options, data, folder, name, more):
    """The exported rows of the faults in list.csv."""
    store, table = folder / f"{name}.db", folder / f"{name}.csv"
    subprocess.run([options.flipscope, "inject", *network(data), "--select",
                    f"list:{folder / 'list.csv'}", "--store", store, *more],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run([options.flipscope, "export", store, "--out", table],
                   check=True, stdout=subprocess.DEVNULL)
    return read_rows(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flipscope", default="flipscope", help="the program")
    parser.add_argument("--data", required=True, help="folder with resnet_cifar10, cifar10, faultlists")
    parser.add_argument("--faults", type=int, default=1000, help="faults to draw (default 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--level", type=float, default=1e-4, help="of each fault's test")
    options = parser.parse_args()
    data = pathlib.Path(options.data)

    rows = read_rows(data / "faultlists/ResNet20_FL.csv")
    drawn = sorted(random.Random(options.seed).sample(range(len(rows)), options.faults))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_list(folder / "list.csv", rows, drawn)
        ours = inject(options, data, folder, "run", [])
        undecided = [i for i, row in enumerate(ours) if int(row["due"]) > 0]
        changed = [int(row["critical"]) for row in ours]
        if undecided:
            write_list(folder / "list.csv", rows, [drawn[i] for i in undecided])
            golden = folder / "golden.npy"
            subprocess.run([options.flipscope, "run", *network(data), "--outputs", golden],
                           check=True, stdout=subprocess.DEVNULL)
            program = pathlib.Path(__file__).resolve().with_name("changed_decisions.py")
            score = ["--score", f"exec:{shlex.quote(str(program))} {shlex.quote(str(golden))}"]
            for i, row in zip(undecided, inject(options, data, folder, "again", score), strict=True):
                changed[i] = round(float(row["score"]))

    rejected, differences = [], []
    our_rate = list_rate = 0.0
    for k, row, a in zip(drawn, ours, changed, strict=True):
        n = int(row["samples"])
        b, m = int(rows[k]["critical"]), int(rows[k]["n_injections"])
        p = fisher_p(a, n, b, m)
        if p < options.level:
            rejected.append((p, k, rows[k]["Layer"], rows[k]["TensorIndex"], rows[k]["Bit"], a, n, b, m))
        differences.append(a / n - b / m)
        our_rate += a / n / options.faults
        list_rate += b / m / options.faults
    count = len(differences)
    mean = sum(differences) / count
    error = math.sqrt(sum((d - mean) ** 2 for d in differences) / (count - 1) / count)
    low, high = mean - 2.5758 * error, mean + 2.5758 * error
    print(f"faults {count}, rejected at {options.level:g}: {len(rejected)} ({100 * len(rejected) / count:.2f}%)")
    for entry in sorted(rejected):
        print("  p={:.1e} row {} {} {} bit {}: {}/{} against {}/{}".format(*entry))
    print(f"pooled critical rate: ours {our_rate:.5f}, list {list_rate:.5f}")
    print(f"mean difference {mean:+.5f}, 99% interval [{low:+.5f}, {high:+.5f}]")
    return 0 if len(rejected) <= 0.005 * count and low <= 0 <= high else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Sensitive bits against width and pruning, the score beside them, for two networks.

design_space.py --data DIR --inputs FILE.npy --out DIR [--flipscope PROGRAM] [--faults N] [--threads N]

The networks: ECON-T Small's encoder (exact EMD) and FKeras's CIFAR-10 CNN (mispredictions among the images that the golden
run gets right). Variants are made by --requantize and --prune, without training. Every point is a campaign of N random
single-bit faults, whose share of sensitive bits (score worse) comes with its 95% interval; campaigns resume. Writes designs.csv,
and design_space.png where matplotlib is there. Inputs of ECON-T come from hgcal_to_8x8.py (README).
"""

import argparse
import csv
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PRUNED = (0.0, 0.2, 0.4, 0.6)


def networks(data, inputs):
    small = data / "econt/small/autoencoder_small"
    return {
        "ECON-T Small": {
            "model": f"{small}.json:{small}.hdf5",
            "widths": [(f"encoder/*=fixed:{bits},2", bits) for bits in (4, 5, 6, 8, 10, 16)],  # as trained: 8
            "options": ["--inputs", inputs, "--first", "512", "--targets", "inputs"],
            "score": ["--layers", "encoder/*", "--score", "emd", "--emd-cost", data / "hgcal/hex_metric_48x48.csv",
                      "--emd-cells", HERE / "econt_cells.csv"],
        },
        "CIFAR-10 CNN": {
            "model": data / "cifar10_hls4ml/tiny2_model_best.h5",
            "widths": [(f"*=fixed:{bits},3", bits) for bits in (5, 6, 7, 8, 10, 16)],  # as trained: 8
            "options": ["--inputs", data / "cifar10/test_batch_first1017.bin", "--scale", "1/256", "--first", "256"],
            "score": ["--count-only-correct"],
        },
    }


def run(arguments, *words):
    return subprocess.run([arguments.flipscope, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout


def design(arguments, name, network, variant, label):
    """One campaign: its row of the table."""
    store = arguments.out / f"{name}-{label}.db".replace(" ", "_").lower()
    run(arguments, "inject", network["model"], *network["options"], *network["score"], *variant, "--select",
        f"random:{arguments.faults}", "--store", store, "--threads", arguments.threads, "--quiet")
    found = json.loads(run(arguments, "compare", store, "--json"))
    own = found["designs"][0]
    rate = own["sensitive"]
    golden = json.loads(run(arguments, "run", network["model"], *network["options"], *variant, "--json"))
    measure = "accuracy" if "accuracy" in golden else found["score"]
    return {"network": name, "variant": label, "bits": own["bits"], "score": golden.get("accuracy", own["score"]), "measure": measure,
            "sensitive": rate["mean"], "lower": rate["lower"], "upper": rate["upper"]}


def plot(rows, path):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(row["network"] for row in rows))
    figure, axes = pyplot.subplots(len(names), 2, figsize=(9, 3.4 * len(names)), squeeze=False)
    for line, name in zip(axes, names):
        for axis, kind, title in zip(line, ("bits", "pruned"), ("bits of a weight", "share of weights pruned")):
            points = [row for row in rows if row["network"] == name and row["variant"].startswith(kind)]
            x = [float(row["variant"].removeprefix(kind)) for row in points]
            share = [row["sensitive"] for row in points]
            error = [[row["sensitive"] - row["lower"] for row in points], [row["upper"] - row["sensitive"] for row in points]]
            axis.errorbar(x, share, error, fmt="o-", color="tab:blue")
            axis.set(xlabel=title, ylabel="sensitive bits", ylim=(0, 1), title=name)
            score = axis.twinx()
            score.plot(x, [row["score"] for row in points], "s--", color="tab:red")
            score.set_ylabel(f"{points[0]['measure']} of the golden run", color="tab:red")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--inputs", required=True, help="ECON-T samples, .npy")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--flipscope", default="flipscope")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, network in networks(arguments.data, arguments.inputs).items():
        for formats, bits in network["widths"]:
            rows.append(design(arguments, name, network, ["--requantize", formats], f"bits{bits}"))
        for share in PRUNED:
            rows.append(design(arguments, name, network, ["--prune", share] if share else [], f"pruned{share}"))
    with open(arguments.out / "designs.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    for row in rows:
        print(f"{row['network']:14} {row['variant']:10} {row['bits']:8,} bits  {row['measure']} {row['score']:.5g}  "
              f"sensitive {row['sensitive']:.1%} ({row['lower']:.1%} to {row['upper']:.1%})")
    plot(rows, arguments.out / "design_space.png")


if __name__ == "__main__":
    main()

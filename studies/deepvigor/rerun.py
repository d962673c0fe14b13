#!/usr/bin/env python3
"""Reruns the experiments of DeepVigor+ (Ahmadilivani et al., 2024) as far as the networks at hand allow, and prints our
figures beside the published ones.

rerun.py PROGRAM DATA [--part truth|sampling|factors|plots|costs|counts]... [--images N] [--networks FOLDER] [--work FOLDER]

DATA is the folder with the public models (README, *Public models and data*). Costs are measured on networks of the paper's
shapes with random weights that make_networks.py has put into --networks. What was interrupted goes on with the same command.
Needs numpy, and matplotlib for the plots.
"""

import argparse
import collections
import csv
import json
import pathlib
import subprocess
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent.parent / "examples"
CIFAR = ["--scale", "1/255", "--mean", ".4914,.4822,.4465", "--std", ".2023,.1994,.2010"]


def networks(data):
    """name → (model, options that bring samples)."""
    cifar = ["--inputs", data / "cifar10/test_batch_first1017.bin"]
    mnist = ["--inputs", data / "mnist/t10k-images-idx3-ubyte.gz"]
    return {
        "classifier (fixed point)": (EXAMPLES / "classifier.onnx",
                                     ["--inputs", EXAMPLES / "classifier_inputs.npy", "--scale", "1/256"]),
        "mnist-8": (data / "mnist/mnist-8.onnx", mnist),
        "MNIST MLP": (data / "mnist/mnist_mlp.onnx", [*mnist, "--scale", "1/255"]),
        "CIFAR-10 CNN (fixed point)": (data / "cifar10_hls4ml/tiny2_model_best.h5", [*cifar, "--scale", "1/256"]),
        "ResNet-20": (data / "resnet_cifar10/resnet20.onnx", [*cifar, *CIFAR]),
    }


class Runs:
    def __init__(self, program, work, images):
        self.program, self.work, self.images = program, work, images

    def __call__(self, name, model, samples, *words, images=None):
        """The verb's JSON, its folder and its time; what is there already is not run again."""
        folder = self.work / name.replace(" ", "_")
        folder.mkdir(parents=True, exist_ok=True)
        result = folder / "result.json"
        if not result.exists():
            begin = time.monotonic()
            command = [self.program, "vulnerability", model, *samples, "--first", images or self.images, *words, "--out",
                       folder, "--json"]
            done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
            found = json.loads(done.stdout) | {"clock": time.monotonic() - begin}
            result.write_text(json.dumps(found))
        return json.loads(result.read_text()), folder


def percent(value):
    return "–" if value is None else f"{100 * value:.3g}%"


def truth(runs, data, shares):
    print("\n## Against exhaustive injection (Table III)\n")
    print("Published: mean |CVF − injection| 0.82% to 0.98%; no relative error, no rank correlation, no constant.\n")
    print("| network | images | kind | errors of a filter count | channels | injected | estimated | mean error | relative | "
          "Spearman | best constant's error |")
    print("|" + " --- |" * 11)
    for name, (model, samples) in networks(data).items():
        share, images = shares.get(name, (0.15, runs.images))
        for errors in ("place", "fault"):
            for kind in (["--of", "filters"], ["--of", "activations", "--activations", "operands"],
                         ["--of", "activations", "--activations", "stored"]):
                if errors == "fault" and kind[1] != "filters":
                    continue
                found, _ = runs(f"truth {name} {errors} {kind[-1]}", model, samples, *kind, "--filter-errors", errors,
                                "--validate", share, images=images)
                for entry in found["kinds"]:
                    a = entry["validation"]["cvf"]
                    print(f"| {name} | {found['samples']} | {entry['kind']} | {errors if kind[1] == 'filters' else ''} | "
                          f"{a['targets']} | {percent(a['truth'])} | {percent(a['estimate'])} | {percent(a['absolute'])} | "
                          f"{percent(a['relative'])} | {a['rank_correlation'] or float('nan'):.3f} | "
                          f"{percent(a['constant_absolute'])} |", flush=True)


PUBLISHED_COUNTS = {  # Tables V and VI, where the networks' shapes bring them out
    ("VGG-11", "activations"): {"layer": 74_863, "unaware": 1_562_657},
    ("VGG-11", "weights"): {"layer": 75_351, "unaware": 2_141_913},
    ("ResNet-18-I", "weights"): {"layer": 190_896},
}


def counts(runs, data):
    """Tables V and VI: simulations of exhaustive and statistical injection, by the verb sample-size."""
    print("\n## Simulations of fault injection (Tables V and VI)\n")
    print("Ours from the networks' shapes; published beside them, where known.\n")
    print("| network | faults in | exhaustive | statistical, by layer | published | data-unaware (by bit) | published |")
    print("|" + " --- |" * 7)
    shapes = data / "sfi/deepvigor_networks_shapes.json"
    for part in ("activations", "weights"):
        found = {}
        for method in ("layer", "unaware"):
            command = [runs.program, "sample-size", shapes, "--in", part, "--method", method, "--json"]
            done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
            for network in json.loads(done.stdout)["networks"]:
                found.setdefault(network["name"], {})[method] = network
        for name, methods in found.items():
            published = PUBLISHED_COUNTS.get((name, part), {})
            cells = [f"{methods['layer']['population']:,}"]
            for method in ("layer", "unaware"):
                cells.append(f"{methods[method]['faults']:,}")
                cells.append(f"{published[method]:,}" if method in published else "–")
            print(f"| {name} | {part} | {' | '.join(cells)} |", flush=True)


RESNET_STAGES = ["--of", "activations", "--layers", "layer1.1.conv1,layer2.1.conv1,layer3.1.conv1", "--search", "bisect"]


def sampling(runs, data, cases):
    """Table IV: every channel (and all or log2 of its elements) once, then 50 draws from what was found. Cases: network, whether
    all elements, further options, images."""
    print("\n## Sampled against complete (Table IV)\n")
    print("Published, 10%: the LVF within 0.053%. 50 draws of ⌈ratio·C⌉ channels and ⌈log2 E⌉ elements, over all draws and "
          "layers.\n")
    print("| network | kind | complete over | ratio | LVF mean | LVF maximum | CVF mean | CVF maximum |")
    print("|" + " --- |" * 8)
    random = np.random.default_rng(0)
    for name, complete, words, images in cases:
        model, samples = networks(data)[name]
        case = f"complete {name}{' elements' if complete and words else ''}"
        _, folder = runs(case, model, samples, "--sampling", "complete" if complete else 1, *words, images=images)
        factors = collections.defaultdict(lambda: collections.defaultdict(list))  # (kind, layer) → channel → VFs
        with open(folder / "error_maps.csv", newline="") as file:
            for row in csv.DictReader(file):
                factors[row["kind"], row["layer"]][row["channel"]].append(float(row["vf"]))
        for kind in sorted({kind for kind, _ in factors}):
            layers = [list(map(np.array, channels.values())) for (k, _), channels in factors.items() if k == kind]
            for ratio in (0.05, 0.10, 0.15, 0.20):
                lvf, cvf = [], []
                for channels in layers:
                    whole = np.mean([channel.mean() for channel in channels])
                    for _ in range(50):
                        drawn = random.choice(len(channels), int(np.ceil(ratio * len(channels))), replace=False)
                        means = []
                        for c in drawn:
                            channel = channels[c]
                            count = min(len(channel), max(1, int(np.ceil(np.log2(len(channel))))) if complete else len(channel))
                            means.append(random.choice(channel, count, replace=False).mean())
                            cvf.append(abs(means[-1] - channel.mean()))
                        lvf.append(abs(np.mean(means) - whole))
                over = "all elements" if complete else "all channels, log2 of the elements"
                print(f"| {name} | {kind} | {over} | {ratio:.0%} | {percent(np.mean(lvf))} | {percent(np.max(lvf))} | "
                      f"{percent(np.mean(cvf))} | {percent(np.max(cvf))} |", flush=True)


def factors(runs, data, images):
    """Figs. 8 to 10: factors of layers and networks."""
    print("\n## Factors of layers and networks (Figs. 8 to 10)\n")
    print("Published totals: 1.19% (VGG-16) to 2.76% (MobileNetV2).\n")
    print("| network | images | MVF of activations | MVF of filters | total MVF | LVF of activations, by layer | LVF of filters |")
    print("|" + " --- |" * 7)
    for name, (model, samples) in networks(data).items():
        found, _ = runs(f"factors {name}", model, samples, "--sampling", 0.1, images=images.get(name, runs.images))
        kinds = found["kinds"]
        layers = [" ".join(f"{100 * layer['lvf']:.2g}" for layer in kind["layers"]) for kind in kinds]
        print(f"| {name} | {found['samples']} | {percent(kinds[0]['mvf'])} | {percent(kinds[1]['mvf'])} | "
              f"{percent(found['total_mvf'])} | {layers[0]} | {layers[1]} |", flush=True)


def plots(runs, data, images):
    """Figs. 8 to 10: LVF by layer, MVF by network, the error map and ranges of one channel."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    totals = {}
    for name, (model, samples) in networks(data).items():
        found, folder = runs(f"factors {name}", model, samples, "--sampling", 0.1, images=images.get(name, runs.images))
        totals[name] = [kind["mvf"] for kind in found["kinds"]] + [found["total_mvf"]]
        figure, axes = pyplot.subplots(2, 1, figsize=(8, 6), sharex=True)
        for axis, kind in zip(axes, found["kinds"]):
            lvf = np.array([[100 * layer[key] for layer in kind["layers"]] for key in ("lvf", "lower", "upper")])
            axis.bar(range(lvf.shape[1]), lvf[0], yerr=[lvf[0] - lvf[1], lvf[2] - lvf[0]], color="#4477aa", capsize=2)
            axis.set_ylabel(f"LVF of {kind['kind']} (%)")
        axes[1].set_xticks(range(lvf.shape[1]), [layer["layer"] for layer in found["kinds"][1]["layers"]], rotation=90)
        figure.suptitle(f"{name}, {found['samples']} images; bars: 95% by the channels drawn")
        save(figure, runs.work / f"lvf_{folder.name}.png")
        channel_plot(folder, name)
    figure, axis = pyplot.subplots(figsize=(8, 4))
    for k, label in enumerate(("activations", "filters", "total")):
        axis.bar(np.arange(len(totals)) + 0.25 * (k - 1), [100 * factors[k] for factors in totals.values()], 0.25, label=label)
    axis.set_xticks(range(len(totals)), list(totals))
    axis.set_ylabel("MVF (%)")
    axis.legend()
    save(figure, runs.work / "mvf.png")


def channel_plot(folder, name):
    """The error map of the first analysed filter, and where its ranges begin, image by image."""
    from matplotlib import pyplot
    with np.load(folder / "vulnerability.npz") as arrays:
        row = int(np.argmax(arrays["kinds"][arrays["layer"]] == "filters"))
        maps, first = arrays["maps"][row], arrays["first"][row]
        title = f"{name}, {arrays['layers'][arrays['layer'][row]]}, filter {arrays['channel'][row]}"
        share = maps / max(arrays["faults"][row], 1)
    figure, axis = pyplot.subplots(figsize=(8, 4))
    exponents = np.arange(-10, 11)
    for side, (sign, color) in enumerate((("+", "#4477aa"), ("−", "#cc6677"))):
        axis.bar(exponents + 0.4 * side - 0.2, 100 * share[side], 0.4, color=color, label=f"faults by δ = {sign}2^ρ (%)")
        hits = first[:, side][first[:, side] < len(exponents)]
        axis.plot(hits - 10 + 0.4 * side - 0.2, np.zeros(len(hits)), "|", color=color, markersize=14)
    axis.set_xlabel("ρ (ticks: δ⁺ and δ⁻ of each image)")
    axis.set_title(title)
    axis.legend()
    save(figure, folder.parent / f"channel_{folder.name}.png")


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"{path}")


PUBLISHED_SECONDS = {"vgg11": "415 + 111", "resnet18": "580 + 184", "resnet18_imagenet": "1,167 together"}


def costs(runs, folder, names, images):
    """Tables V to VIII: simulations and time, on random weights."""
    print("\n## Costs, random weights (cost only; Tables V to VIII)\n")
    print("Published: about 6 forwards for each element, 14.9 to 26.9 times fewer than data-aware injection; seconds on an A100.\n")
    print("| network | images | search | kind | forwards | runs a target and image | exhaustive | statistical, by layer | by bit | "
          "seconds here | published seconds |")
    print("|" + " --- |" * 11)
    for name in names:
        model = folder / f"{name}.onnx"
        size = 224 if "imagenet" in name else 32
        inputs = folder / f"inputs_{size}.npy"
        if not inputs.exists():
            np.save(inputs, np.random.default_rng(1).normal(size=(images, 3, size, size)).astype(np.float32))
        for search in ("bisect", "first-hit"):
            found, _ = runs(f"cost {name} {search}", model, ["--inputs", inputs], "--sampling", 0.1, "--search", search,
                            images=images)
            for kind in found["kinds"]:
                print(f"| {name} | {found['samples']} | {search} | {kind['kind']} | {kind['forwards']:,.0f} | "
                      f"{kind['runs'] / kind['targets']:.1f} | {kind['exhaustive']:,} | {kind['statistical_by_layer']:,} | "
                      f"{kind['statistical_by_bit']:,} | {found['seconds']:.0f} (both kinds) | "
                      f"{PUBLISHED_SECONDS.get(name, '')} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--part", action="append", choices=["truth", "sampling", "factors", "plots", "costs", "counts"])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--truth-images", type=int, default=1, help="of ResNet-20, each fault of 15%% of whose channels is run")
    parser.add_argument("--stage-images", type=int, default=8, help="of three layers of ResNet-20, all of whose elements are analysed")
    parser.add_argument("--networks", type=pathlib.Path)
    parser.add_argument("--network", action="append", help="of --networks (default: vgg11, resnet18)")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("deepvigor"))
    options = parser.parse_args()
    runs = Runs(options.program, options.work, options.images)
    parts = options.part or ["truth", "sampling", "factors", "plots", "counts", *(["costs"] if options.networks else [])]
    if "truth" in parts:
        truth(runs, options.data, {"ResNet-20": (0.15, options.truth_images), "MNIST MLP": (0.01, 16),
                                   "mnist-8": (0.3, 32), "CIFAR-10 CNN (fixed point)": (0.15, 16),
                                   "classifier (fixed point)": (1, options.images)})
    if "sampling" in parts:
        sampling(runs, options.data, [("classifier (fixed point)", True, [], None), ("mnist-8", False, [], None),
                                      ("ResNet-20", False, [], None), ("ResNet-20", True, RESNET_STAGES, options.stage_images)])
    if "factors" in parts:
        factors(runs, options.data, {})
    if "plots" in parts:
        plots(runs, options.data, {})
    if "counts" in parts:
        counts(runs, options.data)
    if "costs" in parts:
        if not options.networks:
            parser.error("costs need --networks FOLDER, made by make_networks.py")
        costs(runs, options.networks, options.network or ["vgg11", "resnet18"], options.images)


if __name__ == "__main__":
    main()

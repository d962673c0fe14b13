#!/usr/bin/env python3
"""Judges every SliceFI heuristic on four networks, and weighs slices against exact runs: see README.md.

study.py --flipscope PROGRAM --data FOLDER --econt INPUTS.npy --out FOLDER [--only NAME,...] [--threads N]
Campaigns resume and finished steps are kept, so that the same command goes on where it was interrupted.
"""

import argparse
import collections
import csv
import io
import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent

Network = collections.namedtuple("Network", "name title model samples few space score oracle judged best rivals")
# few: samples of the oracle, where not all; oracle: --select of the campaign that judges; judged: how many of its
# faults all heuristics score; best: the heuristic that is set beside other rankings, where the oracle is exhaustive.

FIRST = 256  # samples that heuristics look at


def networks(data, econt):
    mnist = ["--inputs", f"{data}/mnist/t10k-images-idx3-ubyte.gz", "--labels",
             f"{data}/mnist/t10k-labels-idx1-ubyte.gz"]
    medium = f"{data}/econt/medium/autoencoder_medium"
    correct = ["--count-only-correct"]
    few = ["--first", FIRST]
    return [
        Network("mnist_mlp", "MNIST, four layers", f"{data}/mnist/mnist_mlp.onnx", [*mnist, "--scale", "1/255"], few, [],
                correct, "random:40000", 10000, None, []),
        Network("mnist_8", "MNIST, mnist-8", f"{data}/mnist/mnist-8.onnx", mnist, few, [], correct, "random:40000", 10000,
                None, []),
        Network("cifar", "CIFAR-10 CNN", f"{data}/cifar10_hls4ml/tiny2_model_best.h5",
                ["--inputs", f"{data}/cifar10/test_batch_first1017.bin", "--scale", "1/255"], [], [], correct,
                "exhaustive", 5000, "gradient", ["random", "msb", "gradient", "taylor"]),
        Network("econ_t", "ECON-T Medium", f"{medium}.json:{medium}.hdf5",
                ["--inputs", econt, "--targets", "inputs"], [], ["--layers", "encoder/*"],
                ["--score", "emd", "--emd-cost", f"{data}/hgcal/hex_metric_48x48.csv", "--emd-cells",
                 str(HERE.parent / "fkeras" / "econt_cells.csv")], "exhaustive", 10000, "jacobian-loss",
                ["random", "msb", "gradient", "hessian", "flip"]),
    ]


class Study:
    def __init__(self, options):
        self.program, self.out, self.threads = options.flipscope, pathlib.Path(options.out), options.threads
        self.out.mkdir(parents=True, exist_ok=True)

    def run(self, *words):
        print("+", *words, file=sys.stderr, flush=True)
        return subprocess.run([self.program, *map(str, words), "--threads", str(self.threads)], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def once(self, name, *words):
        """The JSON that a call prints, kept."""
        file = self.out / f"{name}.json"
        if not file.exists():
            began = time.time()
            page = json.loads(self.run(*words, "--json", "--quiet"))
            page["wall_seconds"] = time.time() - began
            file.write_text(json.dumps(page))
        return json.loads(file.read_text())

    def oracle(self, net):
        store = self.out / f"{net.name}.db"
        return store, self.once(f"{net.name}_oracle", "inject", net.model, *net.samples, *net.few, *net.space,
                                *net.score, "--select", net.oracle, "--store", store)

    def slices(self, net, store):
        """Every heuristic and reduction, judged; and what leaving things out of the loop costs."""
        base = ["slice", net.model, *net.samples, *net.space, "--oracle", store]
        if net.oracle == "exhaustive":  # a part of it is enough; another draw of a random part shares little
            base += ["--select", f"random:{net.judged}"]
        all_first = ["--first", FIRST]
        pages = {"layer": self.once(f"{net.name}_all", *base, *all_first, "--heuristic", "all:all", "--cost", 64, "--scatter",
                                    self.out / f"{net.name}_scatter.csv")}
        few = ["--heuristic", "centroid,l2,jacobian," + ("jacobian-loss" if "--score" in net.score else "gradient")]
        for end in ("sums", "update"):
            pages[end] = self.once(f"{net.name}_{end}", *base, *all_first, *few, "--slice-end", end, "--cost", 64)
        for first in (16, 64):
            pages[first] = self.once(f"{net.name}_first_{first}", *base, *few, "--first", first)
        return pages

    def rivals(self, net, store):
        """Rankings of all bits by slices, by derivatives, and by exact campaigns on few samples."""
        rankings = {}

        def rank(label, metric):
            out = self.out / f"{net.name}_{label}.csv"
            page = self.once(f"{net.name}_rank_{label}", "rank", net.model, *net.samples, *net.space, "--metric", metric,
                             "--first", 64, "--out", out)
            rankings[label] = (out, page["wall_seconds"])
        rank("slice_centroid", "slice:centroid")
        rank(f"slice_{net.best}", f"slice:{net.best}")
        for metric in net.rivals:
            rank(metric, metric)
        for first in (4, 16):
            few = self.out / f"{net.name}_exact_{first}.db"
            page = self.once(f"{net.name}_exact_{first}", "inject", net.model, *net.samples, *net.space, *net.score,
                             "--first", first, "--store", few)
            out = self.out / f"{net.name}_exact_{first}.csv"
            if not out.exists():
                rows = list(csv.DictReader(io.StringIO(self.run("export", few))))
                rows.sort(key=lambda row: -abs(float(row["delta"])))
                with open(out, "w", newline="") as file:
                    writer = csv.writer(file)
                    writer.writerow(["layer", "tensor", "index", "bit"])
                    writer.writerows([row["layer"], row["tensor"], row["index"], row["bit"]] for row in rows)
            rankings[f"exact, {first} samples"] = (out, page["wall_seconds"])
        names = list(rankings)
        page = self.once(f"{net.name}_rivals", "evaluate", store, "--ranking",
                         ",".join(str(rankings[name][0]) for name in names))
        for name, judged in zip(names, page["rankings"]):
            judged["seconds"] = rankings[name][1]
        return names, page

    def hybrid(self, net, store):
        """Hybrid campaigns replayed with 100 seeds."""
        if not net.best or "--score" in net.score:
            return None
        return self.once(f"{net.name}_hybrid", "slice", net.model, *net.samples, *net.space, "--first", 64, "--oracle",
                         store, "--heuristic", net.best, "--replay", 100, "--cost", 64)


def percent(x):
    return "" if x is None else f"{100 * x:.1f}%"


def figure(x):
    return "" if x is None else f"{x:.3f}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def by_heuristic(page):
    """{heuristic: {reduction: judgement}}"""
    found = collections.OrderedDict()
    for column in page["heuristics"]:
        name, reduction = column["heuristic"].split(":")
        found.setdefault(name, {})[reduction] = column
    return found


def agreement(results):
    """ρ of every heuristic under its best reduction, on every network."""
    names = []
    for _, pages, *_ in results:
        names += [name for name in by_heuristic(pages["layer"]) if name not in names]
    rows = []
    for name in names:
        row = [f"`{name}`"]
        for _, pages, *_ in results:
            reductions = by_heuristic(pages["layer"]).get(name)
            if not reductions:
                row += ["", ""]
                continue
            known = {r: c["all"]["spearman"] for r, c in reductions.items() if c["all"]["spearman"] is not None}
            best = max(known, key=known.get)
            row += [f"{figure(known.get('mean'))}; {best} {figure(known[best])}", figure(max(
                c["all"]["area"] for c in reductions.values()))]
        rows.append(row)
    header = ["heuristic"]
    for net, *_ in results:
        header += [f"{net.title}: ρ of mean; of the best reduction", "best area"]
    return table(header, rows)


def layers(net, pages):
    found = by_heuristic(pages["layer"])
    slices = [s["layer"] for s in found["l2"]["mean"]["by_layer"]]
    rows = []
    for name, reductions in found.items():
        judged = {s["layer"]: s["judgement"] for s in reductions["mean"]["by_layer"]}
        top = {t["percent"]: t for t in reductions["mean"]["all"]["top"]}
        rows.append([f"`{name}`"] + [figure(judged[s]["spearman"]) for s in slices] +
                    [f"{percent(top[p]['precision'])}, {percent(top[p]['recall'])}" for p in (1, 5, 20)])
    return table(["mean of"] + [f"ρ {s}" for s in slices] + [f"top {p}%: precision, recall" for p in (1, 5, 20)], rows)


def costs(pages):
    rows = []
    update = {c["layer"]: c for c in pages["update"]["cost"]}
    for cost in pages["layer"]["cost"]:
        seconds = cost["seconds_per_pair"]
        name = cost["layer"]
        by_name = {h["heuristic"]: h for h in cost["heuristics"]}
        shown = [by_name[k]["seconds_per_pair"] for k in ("l2:mean", "centroid:mean", "gradient:mean", "jacobian:mean")]
        pays = [k.split(":")[0] for k, h in by_name.items() if h["pays"] and k.endswith(":mean")]
        without = update[name]["seconds_per_pair"]["update"] if name in update else None
        cells = [seconds["slice"], without, *shown, seconds["centroids_from_scratch"], seconds["exact"],
                 seconds["suffix"], seconds["whole"]]
        rows.append([name] + ["" if c is None else f"{1e6 * c:.3g}" for c in cells] +
                    [percent(cost["unchanged"]), percent(cost["coinciding"]), f"{len(pays)} of {len(by_name) // 6}"])
    return table(["µs a pair", "slice", "Δw·x", "`l2`", "`centroid`", "`gradient`", "`jacobian`", "centroids whole",
                  "exact", "suffix", "whole", "nothing changes", "same change", "heuristics that pay"], rows)


def left_out(net, pages):
    names = [h["heuristic"] for h in pages["sums"]["heuristics"]]
    label = {"layer": "slices", "sums": "ends at sums", "update": "golden + Δw·x, no run", 64: "64 samples",
             16: "16 samples"}
    rows = []
    for key in ("layer", "sums", "update", 64, 16):
        if key not in pages:
            continue
        judged = {h["heuristic"]: h["all"]["spearman"] for h in pages[key]["heuristics"]}
        rows.append([label[key]] + [figure(judged.get(n)) for n in names] + [f"{pages[key]['seconds']:.1f}"])
    return table([net.title] + [f"ρ `{n}`" for n in names] + ["seconds (all heuristics in the first line)"], rows)


def plots(study, results):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    for net, pages, *_ in results:
        figure_, axes = pyplot.subplots(figsize=(7, 5))
        for name, reductions in by_heuristic(pages["layer"]).items():
            axes.plot(range(101), reductions["mean"]["all"]["found"], label=name, lw=1)
        axes.set(xlabel="% of faults, highest score first", ylabel="share of all change found", title=net.title)
        axes.legend(fontsize=6)
        figure_.savefig(study.out / f"{net.name}_curves.png", dpi=150)
        pyplot.close(figure_)
        with open(study.out / f"{net.name}_scatter.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        slices = list(dict.fromkeys(row["slice"] for row in rows))
        figure_, grid = pyplot.subplots(1, len(slices), figsize=(4 * len(slices), 4), squeeze=False)
        for axes, name in zip(grid[0], slices):
            for kind, marker, size in (("expected", ".", 8), ("faulty", "x", 8), ("centroid", "*", 90)):
                mine = [row for row in rows if row["slice"] == name and row["kind"] == kind]
                axes.scatter([float(r["x"]) for r in mine], [float(r["y"]) for r in mine], marker=marker, s=size,
                             c=[int(r["class"]) for r in mine], cmap="tab10", vmin=0, vmax=9,
                             edgecolors="black" if kind == "centroid" else None, linewidths=0.5)
            axes.set_title(name, fontsize=8)
        figure_.savefig(study.out / f"{net.name}_scatter.png", dpi=120)
        pyplot.close(figure_)


def rivals_text(net, found):
    names, page = found
    rows = [[f"`{name}`", figure(judged["spearman"]), f"{judged['area']:.4f}", f"{judged['seconds']:.0f} s"]
            for name, judged in zip(names, page["rankings"])]
    rows.append(["best possible", "", f"{page['rankings'][-1]['area']:.4f}", ""])
    return table([f"{net.title}: all bits ranked on 64 samples", "ρ", "area", "time"], rows)


def hybrid_text(page):
    rows = [[f"`{h['heuristic']}`", percent(h["run"]), percent(h["time"]), f"{h['stated']:.3g}",
             f"{h['interval'][0]:.3g} to {h['interval'][1]:.3g}", f"{h['actual']:.3g}", f"{h['critical']:.4g}",
             f"{h['covered']} of {h['seeds']}"] for h in page["hybrid"]]
    return table(["decides by", "run exactly", "of the exact time", "error stated", "interval", "error left", "critical rate", "covered"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("flipscope", "data", "econt", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    study = Study(options)
    results = []
    for net in networks(options.data, options.econt):
        if options.only and net.name not in options.only.split(","):
            continue
        store, oracle = study.oracle(net)
        results.append((net, study.slices(net, store), study.rivals(net, store) if net.best else None, study.hybrid(net, store),
                        oracle))
    text = ["## Agreement with the oracle\n", agreement(results)]
    for net, pages, found, hybrid, oracle in results:
        text += [f"\n## {net.title}\n", f"Oracle: {net.oracle}, {pages['layer']['oracle_samples']} samples, "
                 f"{pages['layer']['faults']} faults judged.\n", layers(net, pages), "\nCost, one thread:\n", costs(pages),
                 "\nWhat can leave the loop:\n", left_out(net, pages)]
        if found:
            text += ["\nAgainst other rankings:\n", rivals_text(net, found)]
        if hybrid:
            text += ["\nHybrid campaigns, replayed:\n", hybrid_text(hybrid)]
    (study.out / "tables.md").write_text("\n".join(text))
    plots(study, results)
    print("\n".join(text))


if __name__ == "__main__":
    main()

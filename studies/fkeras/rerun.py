#!/usr/bin/env python3
"""Reruns the experiments of the FKeras paper on the real models, and writes tables and plots with our figure beside the
published one.

    rerun.py --data DATA --flipscope build/release/flipscope --out fkeras        needs NumPy, and Matplotlib for the plots

DATA is the folder of public models and samples (README.md says where each comes from). What the output folder already holds is
not computed again; campaigns go on where they were stopped. --networks restricts the study, by parts of names.
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys

import numpy as np

import networks
import tables

METRICS = {"hessian": ["--metric", "hessian"], "hessian-paper": ["--metric", "hessian", "--variant", "paper"],
           "hessian-code": ["--metric", "hessian", "--variant", "code"], "gradient": ["--metric", "gradient"],
           "taylor": ["--metric", "taylor"], "msb": ["--metric", "msb"], "inflection": ["--metric", "inflection"],
           "flip": ["--metric", "flip"], "random": ["--metric", "random"]}
DEAR = {"trace": ["--metric", "trace", "--probes", "16"]}
RIVALS = "binfi,statfi-aware,statfi-unaware,statfi-layer"


def make_inputs(data, out):
    """21,000 rows of HGCAL charges: 500 + 500 that rankings see, then 20,000 others, a quarter of them of the denser file."""
    inputs = out / "inputs.npy"
    if inputs.exists():
        return inputs
    rows = {}
    for name in ("CALQ_output", "ttbar_0PU"):
        subprocess.run([sys.executable, networks.HERE / "hgcal_to_8x8.py", data / f"hgcal/{name}.csv", out / f"{name}.npy"], check=True)
        rows[name] = np.load(out / f"{name}.npy")
    dense, sparse = rows["CALQ_output"], rows["ttbar_0PU"]
    judged = np.concatenate([dense[500:], sparse[500:]])[:20000]
    judged = judged[np.random.default_rng(0).permutation(len(judged))]
    np.save(out / "normal16.npy", np.random.default_rng(0).standard_normal((1256, 16)).astype(np.float32))
    subprocess.run([sys.executable, networks.HERE / "telescope_groups.py", out / "groups.csv"], check=True)
    np.save(inputs, np.concatenate([dense[:500], sparse[:500], judged]))
    return inputs


def write_moved(trace, moved):
    """Bits by how far the flip moves the Hessian's trace from that of most flips, which is the golden network's, up or down."""
    with open(trace, newline="") as file:
        rows = list(csv.DictReader(file))
    golden = statistics.median(float(row["score"]) for row in rows)
    for row in rows:
        row["score"] = abs(float(row["score"]) - golden)
    rows.sort(key=lambda row: -row["score"])
    with open(moved, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "rank": rank} for rank, row in enumerate(rows))


class Study:
    def __init__(self, flipscope, out, threads):
        self.flipscope, self.out = str(flipscope), out
        self.threads = ["--threads", str(threads)] if threads else []

    def call(self, verb, *options):
        command = [self.flipscope, verb, *map(str, options), *self.threads]
        print(" ".join(command), file=sys.stderr)
        done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"rerun.py: flipscope {verb} ended with code {done.returncode}")
        return json.loads(done.stdout)

    def judge(self, network):
        """All rankings of one network, judged by its oracle."""
        folder = tables.folder_of(self.out, network)
        folder.mkdir(exist_ok=True)
        select = ["--select", f"random:{network.sampled}"] if network.sampled else []
        model = [network.model, *network.variant, "--layers", network.layers]
        campaign = self.call("inject", *model, *network.samples, *network.score, *select, "--store", folder / "oracle.db")
        rankings = []
        for name, options in (METRICS | {name: DEAR[name] for name in network.also}).items():
            if name in network.without:
                continue
            ranking = folder / f"{name}.csv"
            if not ranking.exists():
                self.call("rank", *model, *network.ranked_on, "--loss", network.loss, *options, "--out", ranking)
            rankings.append(str(ranking))
            if name == "trace":
                write_moved(ranking, folder / "trace-moved.csv")
                rankings.append(str(folder / "trace-moved.csv"))
        against = [] if network.sampled else ["--against", RIVALS]
        judged = {}
        for sensitive in ("worse", "different"):
            judged[sensitive] = self.call("evaluate", folder / "oracle.db", "--ranking", ",".join(rankings), *against,
                                          "--sensitive", sensitive, "--out", folder / f"curves-{sensitive}.csv")
        (folder / "evaluation.json").write_text(json.dumps({"campaign": campaign, **judged}, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--flipscope", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("fkeras"))
    parser.add_argument("--networks", default="", help="only those whose names contain one of these, by commas")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    inputs = make_inputs(options.data.resolve(), options.out.resolve())
    study = Study(options.flipscope.resolve(), options.out.resolve(), options.threads)
    wanted = [part.lower() for part in options.networks.split(",")]
    known = networks.networks(options.data.resolve(), inputs)
    for network in known:
        if any(part in network.name.lower() for part in wanted):
            study.judge(network)
    tables.write(options.out, known)


if __name__ == "__main__":
    main()

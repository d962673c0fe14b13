#!/usr/bin/env python3
"""Tests of selections and rivals on the command line: selections_test.py PROGRAM [unittest options]."""

import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

import cases
from cases import AUTOENCODER, CLASSIFIER, EXAMPLES

DATA = pathlib.Path(os.environ.get("FLIPSCOPE_DATA", "/nonexistent"))
SAMPLES = [*cases.SAMPLES, "--first", "64"]


class Case(cases.Case):
    def data(self, *words):
        return json.loads(self.good(*words, "--json"))

    def inject(self, store, *words):
        return self.data("inject", CLASSIFIER, *SAMPLES, "--store", store, "--quiet", *words)

    def rows(self, store):
        lines = self.good("export", store).splitlines()
        return [dict(zip(lines[0].split(","), line.split(","))) for line in lines[1:]]


class SampleSize(Case):
    def test_the_formula_by_bit_and_layer(self):
        result = self.data("sample-size", CLASSIFIER, "--method", "unaware", "--error", "0.05")
        self.assertEqual((result["t"], result["error"], result["seed"]), (1.96, 0.05, 0))
        network = result["networks"][0]
        bits = {"conv1.weight": 72, "conv2.weight": 864, "dense.weight": 540}
        size = sum(6 * n / (1 + 0.0025 * (n - 1) / 0.9604) for n in bits.values())
        self.assertAlmostEqual(network["size"], size, places=6)
        self.assertEqual(network["faults"], int(size))
        self.assertEqual([row["name"] for row in network["tensors"]], list(bits))
        self.assertEqual(len(network["bits"]), 18)
        layer = self.data("sample-size", CLASSIFIER, "--error", "0.05", "--bits", "5")["networks"][0]
        self.assertAlmostEqual(layer["size"], size / 6, places=6)
        whole = self.data("sample-size", CLASSIFIER, "--method", "network", "--confidence", "0.99")
        self.assertEqual(whole["t"], 2.5758)
        n = 8856
        self.assertAlmostEqual(whole["networks"][0]["size"], n / (1 + 1e-4 * (n - 1) / (2.5758**2 / 4)), places=6)
        self.assertIn("8,856", self.good("sample-size", CLASSIFIER, "--method", "network"))

    def test_data_aware_shares_go_by_distance(self):
        p = {rule: [row["p"] for row in self.data(
                 "sample-size", CLASSIFIER, "--layers", "conv1", "--method", "aware", "--outlier-rule",
                 rule)["networks"][0]["bits"]] for rule in ("none", "largest:1", "iqr:1.5")}
        self.assertEqual(p["none"], [0.5 * (2**bit - 1) / 31 for bit in range(6)])
        self.assertEqual(p["largest:1"], [0.5 * (2**bit - 1) / 15 for bit in range(5)] + [0.5])
        self.assertEqual(p["iqr:1.5"], p["largest:1"])  # 32 lies beyond 14 + 1.5·11.5 = 31.25

    def test_inject_draws_what_it_says(self):
        for method in ("layer", "unaware", "aware"):
            size = self.data("sample-size", CLASSIFIER, "--method", method, "--error", "0.04")
            run = self.inject(f"{method}.db", "--select", f"statistical:{method}", "--error", "0.04")
            self.assertEqual(run["faults"], size["networks"][0]["drawn"])
            self.assertEqual(run["done"], run["faults"])

    def test_mistakes(self):
        self.bad("sample-size", CLASSIFIER, "--method", "clever", says=["clever", "unaware"])
        for value in ("0", "1", "-1", "nan", "much", ""):
            self.bad("sample-size", CLASSIFIER, "--error", value, says=["--error"])
            self.bad("sample-size", CLASSIFIER, "--confidence", value, says=["--confidence"])
        self.bad("sample-size", CLASSIFIER, "--outlier-rule", "iqr", says=["iqr", "largest:N"])
        self.bad("sample-size", CLASSIFIER, "--method", "aware", "--in", "activations", says=["activations"])
        self.bad("sample-size", "none.json", says=["none.json"])
        (self.folder / "shapes.json").write_text('{"net": [{"name": "a", "weights": 5}]}')
        self.assertEqual(self.data("sample-size", "shapes.json")["networks"][0]["population"], 160)
        self.bad("sample-size", "shapes.json", "--method", "aware", says=["unaware"])
        self.bad("sample-size", "shapes.json", "--in", "activations", says=["ifmap"])
        (self.folder / "shapes.json").write_text("{")
        self.bad("sample-size", "shapes.json", says=["shapes.json"])


@unittest.skipUnless(DATA.is_dir() or os.environ.get("FLIPSCOPE_REQUIRE_DATA"),
                     "FLIPSCOPE_DATA names no folder with the public data")
class PublishedCounts(Case):
    """DeepVigor+ (Ahmadilivani et al., 2024), Table VI."""

    def count(self, method, part, network):
        result = self.data("sample-size", DATA / "sfi/deepvigor_networks_shapes.json", "--method", method,
                           "--in", part)
        return next(row["faults"] for row in result["networks"] if row["name"] == network)

    def test_they_come_out(self):
        for method, part, network, published in (
                ("layer", "activations", "VGG-11", 74_863),
                ("layer", "weights", "VGG-11", 75_351),
                ("unaware", "activations", "VGG-11", 1_562_657),
                ("unaware", "weights", "VGG-11", 2_141_913),
                ("layer", "weights", "ResNet-18-I", 190_896)):
            self.assertEqual(self.count(method, part, network), published, (method, part, network))


class Selections(Case):
    def test_until_ends_when_the_margin_holds(self):
        run = self.inject("run.db", "--select", "until:0.02")
        self.assertLessEqual((run["critical"]["upper"] - run["critical"]["lower"]) / 2, 0.02)
        self.assertEqual(run["done"] % 100, 0)
        self.assertEqual(run["done"], run["faults"])
        for threads in (1, 3):
            self.inject(f"{threads}.db", "--select", "until:0.02", "--threads", threads)
            self.assertEqual(self.rows(f"{threads}.db"), self.rows("run.db"))
        more = self.inject("sure.db", "--select", "until:0.02", "--confidence", "0.999")
        self.assertGreater(more["done"], run["done"])
        self.assertEqual(more["confidence"], 0.999)

    def test_a_signal_leaves_what_resumes(self):
        words = ["inject", CLASSIFIER, *SAMPLES[:-2], "--select", "binary-search", "--store", "run.db", "--threads", "1"]
        self.good(*words[:-4], "--store", "whole.db")
        child = subprocess.Popen([cases.PROGRAM, *words], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while child.poll() is None and not (self.folder / "run.db").exists():
            time.sleep(0.005)
        child.send_signal(signal.SIGINT)
        child.communicate()
        self.assertIn(child.returncode, (0, 3))
        self.good(*words)
        self.assertEqual(self.rows("run.db"), self.rows("whole.db"))

    def test_search_says_what_it_implies(self):
        run = self.inject("run.db", "--select", "binary-search", "--critical", "delta>0")
        self.assertLess(run["done"], run["fault_space"])
        self.assertRegex(run["notes"][0], r"1476 words searched, \d+ of their bits are critical")
        joint = self.inject("joint.db", "--select", "binary-search", "--critical", "delta>0", "--binfi", "joint")
        self.assertLess(joint["done"], run["done"])
        for k in (1, 2):
            self.inject(f"{k}.db", "--select", "binary-search", "--critical", "delta>0", "--shard", f"{k}/2")
        self.good("merge", "1.db", "2.db", "--out", "merged.db")
        self.assertEqual(self.rows("merged.db"), self.rows("run.db"))

    def test_rates_of_strata(self):
        self.inject("run.db", "--select", "statistical:unaware", "--error", "0.05")
        self.good("export", "run.db", "--by", "layer")
        self.bad("export", "run.db", "--by", "channel", says=["--by bit"])

    def test_mistakes(self):
        self.inject("run.db", "--select", "statistical:unaware")
        run = ["inject", CLASSIFIER, *SAMPLES, "--store", "run.db"]
        self.bad(*run, "--select", "statistical:unaware", "--error", "0.02", says=["another campaign", "0.02"])
        new = ["inject", CLASSIFIER, *SAMPLES, "--store", "new.db"]
        self.bad(*new, "--select", "until:0", says=["until:0", "0.01"])
        self.bad(*new, "--select", "until:0.02", "--shard", "1/2", says=["--shard"])
        self.bad(*new, "--select", "statistical", says=["layer"])
        self.bad(*new, "--select", "statistical:network", says=["random:N"])
        self.bad(*new, "--select", "statistical:layer", "--faults", "multi:3", says=["bit-flip"])
        self.bad(*new, "--select", "binary-search", "--faults", "stuck-at-1", says=["bit-flip"])
        self.bad(*new, "--select", "binary-search", "--in", "activations", says=["--binfi joint"])
        self.bad(*new, "--select", "binary-search", "--binfi", "both", says=["both"])
        self.bad(*new, "--select", "statistical:aware", "--in", "activations", says=["activations"])
        without = ["inject", AUTOENCODER, "--inputs", EXAMPLES / "autoencoder_inputs.npy", "--score", "mse", "--store",
                   "new.db"]
        self.bad(*without, "--select", "binary-search", says=["--critical"])
        self.bad(*without, "--select", "until:0.1", says=["--critical"])


class Against(Case):
    def setUp(self):
        super().setUp()
        self.inject("run.db", "--layers", "conv1")

    def judged(self, *words):
        result = self.data("evaluate", "run.db", *words)
        return result, {row["ranking"]: row for row in result["rankings"]}

    def test_rivals_make_the_flips_that_they_would(self):
        result, rows = self.judged("--against", "binfi,statfi-layer,statfi-unaware,statfi-aware", "--error", "0.08")
        self.assertEqual(list(rows), ["binfi", "binfi+implied", "statfi-layer", "statfi-unaware", "statfi-aware",
                                      "(best possible)"])
        worse = {row["fault"] for row in self.rows("run.db") if float(row["delta"]) > 0}
        self.assertEqual(result["sensitive_bits"], len(worse))
        for name, words in (("binfi", ["--select", "binary-search", "--critical", "delta>0"]),
                            ("statfi-layer", ["--select", "statistical:layer", "--error", "0.08"]),
                            ("statfi-unaware", ["--select", "statistical:unaware", "--error", "0.08"]),
                            ("statfi-aware", ["--select", "statistical:aware", "--error", "0.08"])):
            self.inject(f"{name}.db", "--layers", "conv1", *words)
            site = lambda row: (row["index"], row["bit"])
            flipped = {site(row) for row in self.rows(f"{name}.db")}
            sensitive = {site(row) for row in self.rows("run.db") if float(row["delta"]) > 0}
            self.assertEqual(rows[name]["flips"], len(flipped))
            self.assertEqual(rows[name]["missed_sensitive"], len(sensitive - flipped))
        implied = rows["binfi+implied"]
        self.assertEqual(implied["flips"], rows["binfi"]["flips"])
        self.assertLess(implied["missed_sensitive"], rows["binfi"]["missed_sensitive"])
        self.assertGreater(implied["bits"], rows["binfi"]["bits"])
        joint = self.judged("--against", "binfi", "--binfi", "joint")[1]
        self.assertLess(joint["binfi"]["flips"], rows["binfi"]["flips"])

    def test_times_sooner_than_random(self):
        result, rows = self.judged("--sensitive", "different")
        bits, sensitive = 432, result["sensitive_bits"]
        wanted = -(-9 * sensitive // 10)
        random = wanted * (bits + 1) / (sensitive + 1)
        self.assertAlmostEqual(result["random_flips_to_90_percent_of_sensitive"], random)
        best = rows["(best possible)"]
        self.assertAlmostEqual(best["times_sooner_than_random"], random / best["flips_to_90_percent_of_sensitive"])
        self.assertEqual(best["missed_sensitive"], 0)

    def test_curves(self):
        _, rows = self.judged("--against", "binfi", "--out", "curves.csv", "--out-top", "top.csv")
        curves = [line.split(",") for line in (self.folder / "curves.csv").read_text().splitlines()]
        self.assertEqual(curves[0], ["ranking", "flips", "found"])
        last = [row for row in curves if row[0] == "binfi+implied"][-1]
        self.assertEqual(int(last[1]), rows["binfi"]["flips"])
        top = [line.split(",") for line in (self.folder / "top.csv").read_text().splitlines()]
        self.assertEqual(top[0], ["ranking", "percent", "bits", "flips"])
        self.assertEqual(len(top), 1 + 3 * 100)
        for row in top[1:]:
            reach = rows[row[0]]["top"][int(row[1]) - 1]
            self.assertEqual([int(row[2]), int(row[3]) if row[3] else None], [reach["bits"], reach["flips"]])

    def test_mistakes(self):
        self.bad("evaluate", "run.db", "--against", "bin-fi", says=["bin-fi", "statfi-aware"])
        self.bad("evaluate", "run.db", "--against", "statfi-network", says=["statfi-network"])
        self.bad("evaluate", "run.db", "--against", "statfi-clever", says=["clever"])
        self.inject("activations.db", "--in", "activations", "--layers", "conv1", "--bits", "msb:1")
        self.bad("evaluate", "activations.db", "--against", "binfi", says=["separate"])
        self.bad("evaluate", "activations.db", "--against", "statfi-aware", says=["aware"])
        self.data("evaluate", "activations.db", "--against", "binfi,statfi-unaware", "--binfi", "joint")


if __name__ == "__main__":
    cases.main(__doc__)

#!/usr/bin/env python3
"""Tests of protect, compare and network variants: protection_test.py PROGRAM [unittest options]."""

import csv
import json
import re
import shutil
import subprocess
import unittest

import cases
from cases import AUTOENCODER, CLASSIFIER, EMD, EXAMPLES, SAMPLES, Case

KERNEL = ["--layers", "encoder.conv"]  # 324 bits
FEW = [*EMD, "--first", "20", *KERNEL]

# A module for TMRG, simulated as it is: loads, keeps, shows flips of the triplicated register in the plan's bits.
BENCH = """
module bench;
  reg clk, load;
  reg [{last}:0] in, first;
  wire [{last}:0] words;
  integer k;
  {name} held(.clk(clk), .load(load), .in(in), .words(words));
  task tick; begin #1 clk = 1; #1 clk = 0; #1; end endtask
  initial begin
    clk = 0; load = 1;
    for (k = 0; k < {total}; k = k + 1) in[k] = $random;
    first = in;
    tick; if (words === first) $write("loaded ");
    load = 0; in = ~in;
    tick; if (words === first) $write("kept ");
    held.kept = ~held.kept;
    #1 if ((words ^ first) === {mask}) $write("struck ");
    load = 1;
    tick; if (words === ~first) $display("loaded");
  end
endmodule
"""


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Protect(Case):
    def setUp(self):
        super().setUp()
        self.store = self.path("oracle.db")
        self.good("inject", AUTOENCODER, *FEW, "--store", self.store, "--quiet")
        self.good("export", self.store, "--out", self.path("oracle.csv"))
        self.oracle = rows(self.path("oracle.csv"))
        self.harm = {(row["tensor"], row["index"], row["bit"]): max(float(row["delta"]), 0) for row in self.oracle}

    def protect(self, *words):
        return json.loads(self.good("protect", self.store, *words, "--json"))

    def test_the_worst_bits_are_protected_and_what_is_left_is_their_share(self):
        out = self.path("plan.csv")
        found = self.protect("--budget", "bits:10%,residual:5%", "--out", out)
        plan = [(row["tensor"], row["index"], row["bit"]) for row in rows(out)]
        self.assertEqual(len(plan), len(self.oracle) // 10)
        self.assertEqual(found["protected"], len(plan))
        worst = sorted(self.harm.values(), reverse=True)
        self.assertEqual([self.harm[bit] for bit in plan], worst[:len(plan)])
        for point in found["points"]:
            self.assertAlmostEqual(point["error_left"], sum(worst[point["bits"]:]) / sum(worst), places=12)
            self.assertAlmostEqual(point["area"], 2.6 * point["bits"] / len(self.oracle), places=12)
        enough = next(point for point in found["points"] if "residual" in point["budget"])["bits"]
        self.assertLessEqual(sum(worst[enough:]), 0.05 * sum(worst))
        self.assertGreater(sum(worst[enough - 1:]), 0.05 * sum(worst))

    def test_a_change_for_the_better_may_count_as_harm(self):
        out = self.path("plan.csv")
        self.protect("--budget", "bits:50%", "--sensitive", "different", "--out", out)
        change = {(row["tensor"], row["index"], row["bit"]): abs(float(row["delta"])) for row in self.oracle}
        plan = [change[row["tensor"], row["index"], row["bit"]] for row in rows(out)]
        self.assertEqual(plan, sorted(change.values(), reverse=True)[:len(plan)])
        self.assertNotEqual(plan, sorted(self.harm.values(), reverse=True)[:len(plan)])
        self.bad("protect", self.store, "--budget", "3", "--sensitive", "maybe", says=["maybe", "different"])

    def test_area_counts_registers_and_voter(self):
        found = self.protect("--budget", "area:6%", "--cost", "2,1")
        self.assertEqual(found["protected"], int(0.06 * len(self.oracle) / 3))

    def test_a_ranking_gives_the_order(self):
        ranking = self.path("ranking.csv")
        self.good("rank", AUTOENCODER, *FEW[:4], *KERNEL, "--metric", "msb", "--out", ranking)
        out = self.path("plan.csv")
        self.protect("--budget", "7", "--ranking", ranking, "--out", out)
        keys = ("layer", "tensor", "index", "bit")
        self.assertEqual([[row[key] for key in keys] for row in rows(out)],
                         [[row[key] for key in keys] for row in rows(ranking)[:7]])
        of_model = self.path("of_model.csv")
        self.good("protect", AUTOENCODER, *FEW, "--budget", "7", "--ranking", ranking, "--out", of_model)
        self.assertEqual(rows(of_model), rows(out))
        # What it is, is told by the file: a --config file may bring inputs to a store too.
        with open(self.path("options.toml"), "w", encoding="utf-8") as file:
            file.write(f'inputs = "{FEW[1]}"\n')
        self.assertEqual(self.protect("--budget", "7", "--config", self.path("options.toml"), "--ranking", ranking),
                         self.protect("--budget", "7", "--ranking", ranking))

    def test_options_of_a_model_are_none_of_a_store(self):
        for words in (["--inputs", "none.npy"], ["--first", "10"], ["--score", "mse"], ["--layers=fc"], ["--bits", "99"],
                      ["--in", "biases"], ["--requantize", "*=fixed:4,1"], ["--prune", "0.5"], ["--count-only-correct"]):
            self.bad("protect", self.store, "--budget", "7", *words,
                     says=["[usage]", words[0].split("=")[0], "of a MODEL only", self.store])
        self.bad("protect", *FEW[:2], "--budget", "7", self.store, says=["--inputs", "of a MODEL only"])
        ranking = self.path("ranking.csv")
        self.good("rank", AUTOENCODER, *KERNEL, "--metric", "msb", "--out", ranking)
        self.bad("protect", AUTOENCODER, *KERNEL, "--ranking", ranking, "--budget", "7", "--sensitive", "different",
                 says=["--sensitive", "of a STORE only"])

    def test_plans_keep_their_cost(self):
        area = {}
        for cost in ("2,0.6", "2,1.5"):
            for to in ("csv", "json"):
                out = self.path(f"plan.{to}")
                found = self.protect("--budget", "20", "--cost", cost, "--to", to, "--out", out)
                area[to] = json.loads(self.good("report", self.store, "--plan", out, "--json"))["plans"][0]["area"]
                self.assertAlmostEqual(area[to], sum(map(float, cost.split(","))) * 20 / len(self.oracle), places=12)
                self.assertAlmostEqual(area[to], next(p["area"] for p in found["points"] if p["budget"] == "20"), places=12)
            self.assertEqual("area" in rows(self.path("plan.csv"))[0], cost != "2,0.6")
        # The list is still one.
        self.good("inject", AUTOENCODER, *FEW, "--store", self.path("guarded.db"), "--protect", self.path("plan.csv"), "--quiet")

    def test_stores_that_do_not_hold_every_fault(self):
        some = self.path("some.db")
        self.good("inject", AUTOENCODER, *FEW, "--store", some, "--select", "random:30", "--quiet")
        self.bad("protect", some, "--budget", "3", says=["[protect]", "30 faults", "random:30", "324", "exhaustive"])
        self.good("protect", self.store, "--budget", "324", "--out", self.path("all.csv"), "--quiet")
        listed = self.path("listed.db")
        self.good("inject", AUTOENCODER, *FEW, "--store", listed, "--select", f"list:{self.path('all.csv')}", "--quiet")
        self.bad("protect", listed, "--budget", "3", says=["[protect]", "--select list:", "exhaustive"])
        self.bad("evaluate", listed, says=["[evaluate]", "--select list:", "random:N"])
        part = self.path("part.db")
        self.good("inject", AUTOENCODER, *FEW, "--store", part, "--shard", "2/2", "--quiet")
        self.bad("protect", part, "--budget", "3", says=["[protect]", "its space has 324"])
        with open(self.path("twice.csv"), "w", encoding="utf-8") as file:
            file.write("layer,index,bit\n" + "encoder.conv,0,1\n" * 2)
        self.bad("protect", self.store, "--budget", "2", "--ranking", self.path("twice.csv"), says=["[protect]", "twice"])

    def test_trials_measure_what_is_left(self):
        out = self.path("plan.csv")
        words = ["--budget", "30%".join(["bits:", ",324"]), "--out", out, "--trial", "multi:24", "--trials", "40"]
        found = self.protect(*words)
        measured = {point["bits"]: point["measured"] for point in found["points"] if "measured" in point}
        self.assertEqual(sorted(measured), [0, 97, 324])
        self.assertGreater(measured[0]["mean"], measured[97]["mean"])
        self.assertEqual(measured[324]["mean"], measured[324]["golden"])
        self.assertEqual(measured[324]["worse"], 0)
        foreseen = {point["bits"]: point["predicted_change"] for point in found["points"]}
        self.assertAlmostEqual(foreseen[0], measured[0]["mean"] - measured[0]["golden"], places=9)
        self.assertEqual(foreseen[324], 0)
        # The store of a plan's trials is the one that inject --protect makes.
        own = self.path("own.db")
        self.good("inject", AUTOENCODER, *FEW, "--store", own, "--faults", "multi:24", "--select", "random:40",
                  "--protect", out)
        self.assertEqual(self.csv(own), self.csv(f"{out}.trials-97.db"))
        self.assertEqual(self.protect(*words), found)  # resumed: nothing is run again

    def test_a_trial_is_a_set_and_protected_bits_do_nothing(self):
        store = self.path("trials.db")
        trials = ["--faults", "multi:24", "--select", "random:30"]
        self.good("inject", AUTOENCODER, *FEW, "--store", store, *trials)
        self.good("export", store, "--sites", "--out", self.path("sites.csv"))
        sites = {}
        for row in rows(self.path("sites.csv")):
            sites.setdefault(row["fault"], []).append((row["layer"], row["tensor"], row["index"], row["bit"]))
        self.assertEqual(len(sites), 30)
        for bits in sites.values():
            self.assertEqual(len(set(bits)), 24)
        # With all bits of one trial protected, that trial alone is golden.
        with open(self.path("list.csv"), "w", encoding="utf-8") as file:
            file.write("layer,tensor,index,bit\n" + "".join(",".join(bit) + "\n" for bit in sites["3"]))
        guarded = self.path("guarded.db")
        self.good("inject", AUTOENCODER, *FEW, "--store", guarded, *trials, "--protect", self.path("list.csv"))
        self.good("export", guarded, "--out", self.path("guarded.csv"))
        self.good("export", store, "--out", self.path("trials.csv"))
        before, after = rows(self.path("trials.csv")), rows(self.path("guarded.csv"))
        self.assertEqual((after[3]["masked"], float(after[3]["delta"])), (after[3]["samples"], 0))
        for k in range(30):
            if not set(sites[str(k)]) & set(sites["3"]):
                self.assertEqual(after[k], before[k])

    def test_hardware_formats(self):
        for form, says in (("json", '"protected"'), ("c-header", "static const uint32_t protect_"),
                           ("systemverilog", "package flipscope_protection;"),
                           ("tmrg", "// tmrg triplicate kept keptVoted keptNext")):
            out = self.path(f"plan.{form}")
            self.good("protect", self.store, "--budget", "5", "--to", form, "--out", out)
            self.assertIn(says, open(out, encoding="utf-8").read())

    @unittest.skipUnless(shutil.which("iverilog"), "iverilog is not installed")
    def test_tmrg_modules_hold_words_and_triplicate_the_plan(self):
        self.good("protect", self.store, "--budget", "20", "--to", "tmrg", "--out", self.path("plan.v"))
        self.good("protect", self.store, "--budget", "20", "--out", self.path("plan.csv"))
        plan = [(int(row["index"]), int(row["bit"])) for row in rows(self.path("plan.csv"))]
        verilog = open(self.path("plan.v"), encoding="utf-8").read()
        name, width = re.search(r"module (\w+) ", verilog)[1], int(re.search(r"of (\d+) bits, word", verilog)[1])
        total = int(re.search(r"input \[(\d+):0\] in;", verilog)[1]) + 1
        mask = sum(1 << (index * width + bit) for index, bit in plan)
        with open(self.path("bench.v"), "w", encoding="utf-8") as file:
            file.write(BENCH.format(name=name, last=total - 1, total=total, mask=f"{total}'h{mask:x}"))
        subprocess.run(["iverilog", "-g2001", "-Wall", "-o", self.path("bench"), self.path("bench.v"),
                        self.path("plan.v")], check=True, capture_output=True)
        said = subprocess.run([self.path("bench")], check=True, capture_output=True, text=True).stdout
        self.assertEqual(said.strip(), "loaded kept struck loaded")

    def test_mistakes(self):
        self.bad("protect", self.store, says=["needs --budget"])
        self.bad("protect", self.store, "--budget", "3%", says=["--budget '3%'"])
        self.bad("protect", self.store, "--budget", "bits:3", says=["'bits:3'", "bits:3%", "alone"])
        self.bad("protect", self.store, "--budget", "bits:101%", says=["'bits:101%'", "more than 100%"])
        self.bad("protect", self.store, "--budget", "400", says=["400 bits", "324"])
        self.bad("protect", self.store, "--budget", "5", "--cost", "2", says=["--cost '2'"])
        self.bad("protect", self.store, "--budget", "5", "--to", "vhdl", says=["--to"])
        self.bad("protect", self.store, "--budget", "5", "--trial", "multi:3", says=["--out"])
        self.bad("protect", self.store, "--budget", "5", "--trial", "burst:3", "--out", self.path("p"),
                 says=["--trial"])
        self.bad("protect", self.path("none.db"), "--budget", "5", says=["none.db"])
        self.bad("protect", AUTOENCODER, *FEW, "--budget", "5", says=["--ranking"])
        ranking = self.path("ranking.csv")
        self.good("rank", AUTOENCODER, *FEW[:4], *KERNEL, "--metric", "msb", "--out", ranking)
        self.bad("protect", AUTOENCODER, *FEW, "--budget", "residual:5%", "--ranking", ranking, says=["harm"])


class Variants(Case):
    def test_formats_change_what_can_be_struck(self):
        def bits(*words):
            layers = json.loads(self.good("info", CLASSIFIER, *words, "--json"))["layers"]
            return {layer["layer"]: (layer["tensors"][0]["format"], layer["bits"])
                    for layer in layers if layer["tensors"]}

        before, after = bits(), bits("--requantize", "conv1=fixed:4,1,dense=fixed:5,2")
        self.assertEqual(after["conv1"][0], "fixed<4,1>")
        self.assertEqual(after["dense"][0], "fixed<5,2>")
        self.assertEqual(after["conv2"], before["conv2"])
        # A format that holds every weight changes nothing.
        finer = before["conv2"][0].replace("fixed<", "").rstrip(">").split(",")
        wider = f"conv2=fixed:{int(finer[0]) + 2},{int(finer[1]) + 1}"
        outputs = [self.path("a.npy"), self.path("b.npy")]
        self.good("run", CLASSIFIER, *SAMPLES, "--outputs", outputs[0])
        self.good("run", CLASSIFIER, *SAMPLES, "--outputs", outputs[1], "--requantize", wider)
        self.assertEqual(*(open(name, "rb").read() for name in outputs))

    def test_pruning_zeroes_the_smallest(self):
        store = self.path("run.db")
        self.good("inject", CLASSIFIER, *SAMPLES, "--first", "10", "--store", store, "--layers", "conv1", "--bits",
                  "0", "--prune", "0.25")
        self.good("export", store, "--out", self.path("run.csv"))
        golden = [float(row["golden"]) for row in rows(self.path("run.csv"))]
        self.assertGreaterEqual(sum(value == 0 for value in golden), len(golden) // 4)
        # It is another campaign, and says why.
        self.bad("inject", CLASSIFIER, *SAMPLES, "--first", "10", "--store", store, "--layers", "conv1", "--bits",
                 "0", says=["it has --prune '0.25', not no --prune"])

    def test_later_verbs_know_the_variant(self):
        store, out = self.path("run.db"), self.path("plan.csv")
        self.good("inject", CLASSIFIER, *SAMPLES, "--first", "20", "--store", store, "--layers", "conv1",
                  "--requantize", "*=fixed:4,1")
        found = json.loads(self.good("protect", store, "--budget", "9", "--out", out, "--trial", "multi:5",
                                     "--trials", "5", "--json"))
        self.assertEqual(found["space"], 72 * 4)
        self.assertEqual(len(rows(out)), 9)

    def test_verified_by_the_reference(self):
        self.good("inject", CLASSIFIER, *SAMPLES, "--first", "64", "--store", self.path("run.db"), "--select",
                  "random:20", "--requantize", "*=fixed:5,1", "--prune", "0.3", "--verify", "20")

    def test_mistakes(self):
        for text in ("conv1", "conv1=4,1", "conv1=fixed:4", "=fixed:4,1", "conv1=fixed:1,1", "conv1=fixed:40,1",
                     "conv1=fixed:4,x", "conv1=fixed:4,1,dense", "conv1=fixed:4,1,"):
            self.bad("info", CLASSIFIER, "--requantize", text, says=["--requantize", "GLOB=fixed:B,I"])
        self.bad("info", CLASSIFIER, "--requantize", "none*=fixed:4,1", says=["none*", "conv1"])
        self.bad("info", CLASSIFIER, "--prune", "1", says=["--prune"])


class Compare(Case):
    def setUp(self):
        super().setUp()
        self.stores = []
        for name, words in (("wide", []), ("narrow", ["--requantize", "encoder.conv=fixed:4,1"])):
            self.stores.append(self.path(f"{name}.db"))
            self.good("inject", AUTOENCODER, *FEW, "--store", self.stores[-1], *words, "--quiet")

    def test_table(self):
        costs, out = self.path("costs.csv"), self.path("designs.csv")
        with open(costs, "w", encoding="utf-8") as file:
            file.write("store,latency,LUT\nnarrow,9,1200\nwide,11,1900\n")
        found = json.loads(self.good("compare", *self.stores, "--costs", costs, "--out", out, "--json"))
        self.assertEqual([design["bits"] for design in found["designs"]], [324, 216])
        self.assertEqual([design["costs"]["latency"] for design in found["designs"]], [11, 9])
        table = rows(out)
        self.assertEqual([row["LUT"] for row in table], ["1900", "1200"])
        left = []
        for store, design, row in zip(self.stores, found["designs"], table):
            self.good("export", store, "--out", self.path("x.csv"))
            deltas = [float(x["delta"]) for x in rows(self.path("x.csv"))]
            worse = sum(delta > 0 for delta in deltas)
            self.assertAlmostEqual(float(row["sensitive"]), worse / len(deltas), places=12)
            harm = sorted((max(delta, 0) for delta in deltas), reverse=True)
            left.append((sum(harm), sum(harm[design["protected"]:]), sum(harm[design["protected"] - 1:])))
        least = 0.1 * min(total for total, _, _ in left)
        for _, after, with_one_less in left:
            self.assertLessEqual(after, least * (1 + 1e-12))
            self.assertGreater(with_one_less, least)

    def test_mistakes(self):
        costs = self.path("costs.csv")
        with open(costs, "w", encoding="utf-8") as file:
            file.write("store,latency\nother,9\n")
        self.bad("compare", *self.stores, "--costs", costs, says=["'wide'"])
        with open(costs, "w", encoding="utf-8") as file:
            file.write("store,latency\nwide,9,3\n")
        self.bad("compare", *self.stores, "--costs", costs, says=["costs.csv:2"])
        with open(costs, "w", encoding="utf-8") as file:
            file.write("store,latency\nwide,9\nnarrow,fast\n")
        self.bad("compare", *self.stores, "--costs", costs, says=["costs.csv:3", "'fast'", "'latency'"])
        self.bad("compare", str(EXAMPLES / "cell_distance.csv"), says=["store"])
        other = self.path("other.db")
        self.good("inject", AUTOENCODER, *FEW[:4], *KERNEL, "--select", "random:5", "--score", "mae", "--store", other)
        self.bad("compare", *self.stores, other, says=["mae", "emd"])


if __name__ == "__main__":
    cases.main(__doc__)

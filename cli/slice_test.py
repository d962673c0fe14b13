#!/usr/bin/env python3
"""Tests of the slice verb and of rankings by slices: slice_test.py PROGRAM [unittest options]."""

import csv
import io
import json
import re
import signal
import subprocess
import time

import cases
from cases import AUTOENCODER, CLASSIFIER, EMD, SAMPLES, Case

FEW = ["--first", "100"]
HEURISTICS = ("affected", "l1", "l2", "linf", "relative-l2", "cosine", "centroid", "centroid-own", "centroid-margin",
              "nearest-centroid", "mahalanobis", "read-out", "read-out-margin", "read-out-loss",
              "read-out-probability", "jacobian", "jacobian-margin", "jacobian-loss", "jacobian-probability",
              "gradient")
REDUCTIONS = ("mean", "net", "rms", "max", "share", "bounded")


class Slice(Case):
    def slice(self, *words, code=0):
        return self.good("slice", CLASSIFIER, *SAMPLES, *FEW, "--quiet", *words, code=code)

    def table(self, name):
        with open(self.path(name), newline="") as file:
            return list(csv.DictReader(file))

    def oracle(self):
        self.inject("oracle.db", *FEW, "--count-only-correct")

    def test_every_heuristic_and_reduction_scores_every_fault(self):
        self.slice("--heuristic", "all:all", "--layers", "conv1", "--out", "s.csv")
        rows = self.table("s.csv")
        self.assertEqual(len(rows), 72 * 6)
        for heuristic in HEURISTICS:
            for reduction in REDUCTIONS:
                scores = [float(row[f"{heuristic}:{reduction}"]) for row in rows]
                self.assertTrue(all(score >= 0 for score in scores), heuristic)
                self.assertGreater(max(scores), 0, heuristic)
        self.assertEqual(rows[0]["slice"], "conv1")

    def test_scores_are_the_same_for_any_number_of_threads(self):
        words = ["--heuristic", "all:all", "--select", "random:300"]
        self.slice(*words, "--threads", 1, "--out", "one.csv")
        self.slice(*words, "--threads", 3, "--out", "three.csv")
        self.assertEqual((self.folder / "one.csv").read_bytes(), (self.folder / "three.csv").read_bytes())

    def test_a_fault_that_changes_no_output_of_its_slice_is_masked(self):
        self.oracle()
        self.slice("--heuristic", "affected:share", "--out", "s.csv")
        with open(self.path("export.csv"), "w") as file:
            file.write(self.csv("oracle.db"))
        masked = [int(row["masked"]) for row in self.table("export.csv")]
        affected = [float(row["affected:share"]) for row in self.table("s.csv")]
        self.assertEqual(len(masked), len(affected))
        self.assertTrue(all(m >= 100 * (1 - a) - 1e-6 for m, a in zip(masked, affected)))
        self.assertLess(min(affected), 0.5)

    def test_the_oracle_judges_and_better_heuristics_do_better(self):
        self.oracle()
        page = json.loads(self.slice("--oracle", "oracle.db", "--heuristic", "all", "--json"))
        rho = {h["heuristic"]: h["all"]["spearman"] for h in page["heuristics"]}
        self.assertEqual(len(rho), len(HEURISTICS))
        self.assertGreater(rho["jacobian-margin:mean"], rho["centroid:mean"])
        self.assertGreater(rho["centroid:mean"], rho["affected:mean"])
        for heuristic in page["heuristics"]:
            found = heuristic["all"]["found"]
            self.assertEqual(found, sorted(found))
            self.assertEqual((len(found), found[0]), (101, 0))
            self.assertAlmostEqual(found[-1], 1)
            self.assertEqual([s["layer"] for s in heuristic["by_layer"]], ["conv1", "conv2", "dense"])

    def test_a_random_part_can_be_the_oracle(self):
        self.inject("part.db", *FEW, "--select", "random:500")
        page = json.loads(self.slice("--oracle", "part.db", "--heuristic", "l2", "--json"))
        self.assertEqual(page["faults"], 500)
        self.assertEqual(page["heuristics"][0]["all"]["faults"], 500)

    def test_sums_need_no_run(self):
        words = ["--heuristic", "l2,centroid,jacobian-margin", "--select", "random:300"]
        self.slice(*words, "--slice-end", "sums", "--out", "run.csv")
        self.slice(*words, "--slice-end", "update", "--out", "update.csv")
        for run, update in zip(self.table("run.csv"), self.table("update.csv")):
            for column in ("l2:mean", "centroid:mean", "jacobian-margin:mean"):
                self.assertAlmostEqual(float(run[column]), float(update[column]),
                                       delta=1e-3 * float(run[column]) + 1e-6)

    def test_costs_are_measured_beside_the_exact_run(self):
        page = json.loads(self.slice("--heuristic", "centroid,jacobian", "--select", "random:300", "--cost", 16, "--json"))
        self.assertEqual([c["layer"] for c in page["cost"]], ["conv1", "conv2", "dense"])
        for cost in page["cost"]:
            self.assertEqual(len(cost["heuristics"]), 2)
            for key in ("slice", "exact", "suffix", "whole", "centroids_from_scratch"):
                self.assertGreater(cost["seconds_per_pair"][key], 0)
        text = self.good("slice", CLASSIFIER, *SAMPLES, *FEW, "--select", "random:300", "--cost", 16)
        self.assertIn("exact", text)

    def test_pictures(self):
        self.slice("--select", "random:200", "--scatter", "points.csv")
        rows = self.table("points.csv")
        kinds = {row["kind"] for row in rows}
        self.assertEqual(kinds, {"expected", "faulty", "centroid"})
        self.assertEqual({row["slice"] for row in rows}, {"conv1", "conv2", "dense"})
        expected = [row for row in rows if row["kind"] == "expected" and row["slice"] == "dense"]
        self.assertEqual(len(expected), 100)
        self.assertLess(abs(sum(float(row["x"]) for row in expected)), 1e-2)

    def test_autoencoders_have_clusters_and_no_decisions(self):
        words = ["slice", AUTOENCODER, *EMD[:4], *FEW, "--select", "random:200", "--quiet"]
        self.good(*words, "--heuristic", "all:all", "--out", "s.csv")
        self.assertNotIn("jacobian-margin:mean", self.table("s.csv")[0])
        self.assertIn("jacobian-loss:mean", self.table("s.csv")[0])
        self.bad(*words, "--heuristic", "jacobian-margin", says=["decisions"])

    def test_activations_biases_and_normalization_have_slices_too(self):
        self.slice("--in", "activations,biases,normalization,inputs,operands", "--select", "random:400", "--heuristic",
                   "l2:max", "--out", "s.csv")
        self.assertEqual(len(self.table("s.csv")), 400)
        self.bad("slice", CLASSIFIER, *SAMPLES, *FEW, "--in", "normalization", "--slice-end", "sums",
                 says=["--in weights"])

    def test_interruption_keeps_what_is_done(self):
        words = [cases.PROGRAM, "slice", CLASSIFIER, *SAMPLES, "--heuristic", "all:all", "--threads", "1", "--quiet",
                 "--out", "s.csv"]
        running = subprocess.Popen(words, cwd=self.folder, stderr=subprocess.PIPE, text=True)
        while not (self.folder / "s.csv.partial").exists() and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 3, error)
        self.assertIn("this goes on", error)
        self.assertEqual(self.files(), ["s.csv.partial"])
        self.good(*words[1:])
        self.assertEqual(self.files(), ["s.csv"])
        self.good(*words[1:-1], "whole.csv")
        self.assertEqual((self.folder / "s.csv").read_bytes(), (self.folder / "whole.csv").read_bytes())

    def test_mistakes(self):
        words = ["slice", CLASSIFIER, *SAMPLES, *FEW]
        self.bad("slice", CLASSIFIER, says=["--inputs"])
        self.bad(*words, "--heuristic", "l3", says=["l3", "centroid"])
        self.bad(*words, "--heuristic", "l2:median", says=["median", "bounded"])
        self.bad(*words, "--heuristic", "l2,l2:mean", says=["twice"])
        self.bad(*words, "--slice-end", "here", says=["layer or sums"])
        self.bad(*words, "--slice-end", "update", "--in", "biases", says=["--in weights"])
        self.bad(*words, "--classes", "none", says=["labels or decisions"])
        self.bad(*words, "--select", "list:x.csv", says=["random:N"])
        self.bad(*words, "--oracle", "none.db", says=["none.db"])
        self.bad(*words, "--out", "no/such/folder.csv", says=["no/such"])

    def test_an_oracle_of_another_space_is_refused(self):
        self.inject("conv1.db", *FEW, "--layers", "conv1")
        self.bad("slice", CLASSIFIER, *SAMPLES, *FEW, "--layers", "dense", "--oracle", "conv1.db", says=["--layers"])
        self.inject("trials.db", *FEW, "--faults", "multi:2", "--select", "random:5")
        self.bad("slice", CLASSIFIER, *SAMPLES, *FEW, "--oracle", "trials.db", says=["single-bit"])


class Hybrid(Case):
    SELECT = "hybrid:jacobian-probability:1200"

    def rows(self, store):
        return {tuple(row[key] for key in ("tensor", "index", "bit")): row
                for row in csv.DictReader(io.StringIO(self.csv(store)))}

    def test_a_hybrid_campaign_runs_some_faults_and_states_what_it_leaves(self):
        self.inject("all.db", *FEW)
        page = json.loads(self.inject("hybrid.db", *FEW, "--select", self.SELECT, "--json"))
        everything, some = self.rows("all.db"), self.rows("hybrid.db")
        self.assertLess(len(some), len(everything))
        self.assertGreater(len(some), 1200)
        for site, row in some.items():
            for key in ("masked", "critical", "score"):
                self.assertEqual(row[key], everything[site][key])
        missed = sum(int(row["critical"]) for site, row in everything.items() if site not in some)
        stated = next(note for note in page["notes"] if "whole space" in note)
        lower, upper = map(float, re.search(r"confidence (\S+) to (\S+)", stated).groups())
        actual = missed / 100 / len(everything)
        self.assertLessEqual(lower * (1 - 1e-3), actual)
        self.assertGreaterEqual(upper * (1 + 1e-3), actual)
        critical = sum(int(row["critical"]) for row in everything.values())
        self.assertLess(missed, 0.2 * critical)

    def test_a_hybrid_campaign_is_the_same_however_it_is_run(self):
        for threads in (1, 3):
            self.inject(f"{threads}.db", *FEW, "--select", self.SELECT, "--threads", threads)
        again = json.loads(self.inject("3.db", *FEW, "--select", self.SELECT, "--json"))
        self.assertIn("whole space", "".join(again["notes"]))
        self.assertEqual(self.csv("1.db"), self.csv("3.db"))

    def test_replays_say_how_often_the_interval_holds(self):
        self.inject("all.db", *FEW)
        page = json.loads(self.good("slice", CLASSIFIER, *SAMPLES, *FEW, "--oracle", "all.db", "--heuristic",
                                    "jacobian-probability,affected", "--replay", 50, "--audit", 1200, "--json", "--quiet"))
        best, affected = page["hybrid"]
        self.assertGreaterEqual(best["covered"], 46)
        self.assertLess(best["run"], affected["run"])
        self.assertLess(best["actual"], 0.08 * best["critical"])
        self.bad("slice", CLASSIFIER, *SAMPLES, *FEW, "--replay", 5, says=["--oracle"])

    def test_mistakes(self):
        words = ["inject", CLASSIFIER, *SAMPLES, *FEW, "--store", "x.db"]
        self.bad(*words, "--select", "hybrid:none", says=["none", "centroid"])
        self.bad(*words, "--select", "hybrid:all", says=["one heuristic"])
        self.bad(*words, "--select", "hybrid:l2:1", says=["audit"])
        self.bad(*words, "--select", "hybrid:l2", "--shard", "1/2", says=["--shard"])
        self.bad(*words, "--select", "hybrid:l2", "--faults", "stuck-at-0", says=["bit-flip"])
        self.bad("inject", AUTOENCODER, *EMD, "--store", "x.db", "--select", "hybrid:l2", says=["--critical"])


class Rank(Case):
    def test_rankings_by_slices_are_judged_as_others_are(self):
        self.inject("oracle.db", *FEW, "--count-only-correct")
        for metric in ("slice:jacobian-margin", "slice:l2:max", "random"):
            self.good("rank", CLASSIFIER, *SAMPLES, *FEW, "--metric", metric, "--out", metric.replace(":", "-") + ".csv",
                      "--quiet")
        page = json.loads(self.good("evaluate", "oracle.db", "--ranking",
                                    "slice-jacobian-margin.csv,slice-l2-max.csv,random.csv", "--json"))
        areas = [ranking["area"] for ranking in page["rankings"][:3]]
        self.assertEqual(areas, sorted(areas, reverse=True))
        self.bad("rank", CLASSIFIER, *SAMPLES, "--metric", "slice:none", says=["none", "centroid"])
        self.bad("rank", CLASSIFIER, *SAMPLES, "--metric", "slice:all", says=["one"])


if __name__ == "__main__":
    cases.main(__doc__)

#!/usr/bin/env python3
"""Tests of inject, export and merge: inject_test.py PROGRAM [unittest options]."""

import contextlib
import hashlib
import json
import random
import re
import signal
import sqlite3
import subprocess
import time

import cases
from cases import AUTOENCODER, Case, CELLS, CLASSIFIER, COLUMNS, EMD, SAMPLES


class Inject(Case):
    SMALL = ["--first", "200"]

    def test_exhaustive(self):
        text = self.good("inject", CLASSIFIER, *SAMPLES, *self.SMALL, "--store", "run.db", "--verify", 20)
        self.assertLessEqual(text.count("\n"), 20, text)
        self.assertIn("8,856 of 8,856 faults", text)
        rows = self.csv("run.db").splitlines()
        self.assertEqual(rows[0], COLUMNS)
        self.assertEqual(len(rows), 1 + 8856)
        for row in rows[1:]:
            cells = row.split(",")
            self.assertEqual(sum(map(int, cells[9:13])), int(cells[8]))
        for by in ("bit", "weight", "channel", "layer", "model"):
            self.assertGreater(len(self.csv("run.db", "--by", by).splitlines()), 1)
        rates = json.loads(self.good("export", "run.db", "--by", "model", "--json"))["rates"]
        self.assertEqual(rates[0]["faults"], 8856)
        self.good("export", "run.db", "--format", "fault-list", "--out", "list.csv")
        self.good("export", "run.db", "--format", "npz", "--out", "run.npz")

    def test_threads_and_shards_give_the_same_bytes(self):
        texts = []
        for threads in (1, 2, 3):
            self.inject(f"{threads}.db", *self.SMALL, "--threads", threads)
            texts.append(self.csv(f"{threads}.db"))
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(texts[0], texts[2])
        for k in (3, 1, 2):
            self.inject(f"part{k}.db", *self.SMALL, "--shard", f"{k}/3")
        self.good("merge", "part1.db", "part2.db", "part3.db", "--out", "whole.db")
        self.assertEqual(self.csv("whole.db"), texts[0])
        self.inject("other.db", "--first", 100, "--bits", "0")
        self.bad("merge", "part1.db", "other.db", "--out", "mixed.db", says=["other.db"])
        self.assertNotIn(".part:", self.bad("merge", "part1.db", "--out", "absent/m.db", says=["absent/m.db "]))

    def test_killed_ten_times(self):
        self.inject("whole.db")
        expected = self.csv("whole.db")
        chance = random.Random(3)
        command = [cases.PROGRAM, "inject", CLASSIFIER, *SAMPLES, "--store", "killed.db", "--quiet"]
        kills = 0
        while kills < 10:
            process = subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE)
            time.sleep(chance.uniform(0.05, 0.4))
            kills += 1 if process.poll() is None else 0
            process.kill()
            process.communicate()
            if process.returncode == 0:
                break
        self.inject("killed.db")
        self.assertEqual(self.csv("killed.db"), expected)

    def test_interrupted(self):
        words = ["inject", AUTOENCODER, *EMD, "--layers", "encoder.*", "--store", "run.db"]
        process = subprocess.Popen([cases.PROGRAM, *words], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        while not (self.folder / "run.db").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
        if process.returncode == 0:
            self.skipTest("the campaign was done before the signal came")
        self.assertEqual(process.returncode, 3, errors)
        self.assertIn("flipscope inject", errors)
        self.assertIn("--store run.db", errors)

    def test_random_stuck_and_multi_bit_faults(self):
        self.inject("random.db", *self.SMALL, "--select", "random:500", "--seed", 7)
        self.assertEqual(len(self.csv("random.db").splitlines()), 501)
        self.inject("again.db", *self.SMALL, "--select", "random:500", "--seed", 7)
        self.assertEqual(self.csv("random.db"), self.csv("again.db"))
        self.inject("stuck.db", *self.SMALL, "--faults", "stuck-at-0", "--bits", "msb:1")
        self.inject("multi.db", *self.SMALL, "--faults", "multi:10", "--select", "random:50")
        self.assertEqual(len(self.csv("multi.db", "--sites").splitlines()), 1 + 50 * 10)
        self.inject("biases.db", *self.SMALL, "--in", "biases")

    def test_bar(self):
        self.inject("run.db", *self.SMALL, "--bits", "msb:1", "--fail-if", "sdc>0.000001", code=1)
        self.inject("run.db", *self.SMALL, "--bits", "msb:1", "--fail-if", "sdc>0.999999")
        self.inject("run.db", *self.SMALL, "--bits", "msb:1", "--fail-if", "critical>0.0001%", code=1)
        rate = json.loads(self.good("inject", CLASSIFIER, *SAMPLES, *self.SMALL, "--bits", "msb:1", "--store", "run.db", "--json"))
        said = self.call("inject", CLASSIFIER, *SAMPLES, *self.SMALL, "--bits", "msb:1", "--store", "run.db", "--quiet",
                         "--fail-if", "sdc>0.000001").stderr
        bound = float(re.fullmatch(r"flipscope: \[inject\] the bar --fail-if 'sdc>0.000001' is broken: the rate's upper "
                                   r"bound is (\S+)\n", said)[1])
        self.assertAlmostEqual(bound, rate["critical"]["upper"], places=5)
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "run.db", "--fail-if", "luck>1", says=["luck", "sdc"])
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "run.db", "--fail-if", "sdc>x%", says=["--fail-if", "x%"])
        self.bad("inject", AUTOENCODER, *EMD, "--store", "emd.db", "--fail-if", "sdc>0.1",
                 says=["--critical", "--labels"])

    def test_an_empty_shard_passes(self):
        words = [*self.SMALL, "--select", "random:3"]
        empty = None
        for k in range(1, 9):
            self.inject(f"{k}.db", *words, "--shard", f"{k}/8", "--fail-if", "sdc>0.999999")
            if len(self.csv(f"{k}.db").splitlines()) == 1:
                empty = f"{k}.db"
        self.assertIsNotNone(empty)
        self.bad("report", empty, "--format", "md", says=[empty, "no faults"])

    def test_rows_as_json(self):
        self.inject("run.db", *self.SMALL, "--layers", "conv1")
        of = lambda *words: json.loads(self.good("export", *words, "--json"))
        found = of("run.db")
        lines = [line.split(",") for line in self.csv("run.db").splitlines()]
        self.assertEqual(list(found["faults"][0]), lines[0])
        number = lambda text: None if text == "" else float(text)
        for line, row in zip(lines[1:], found["faults"], strict=True):
            self.assertEqual([row["layer"], row["tensor"]], line[1:3])
            self.assertEqual([row[name] for name in lines[0][3:]], list(map(number, line[3:])))
        listed = of("run.db", "--format", "fault-list")["faults"]
        header, first = self.csv("run.db", "--format", "fault-list").splitlines()[:2]
        self.assertEqual(",".join(listed[0]), header)
        self.assertIn(f'"{listed[0]["TensorIndex"]}",{listed[0]["Bit"]},', first)
        self.inject("multi.db", *self.SMALL, "--faults", "multi:4", "--select", "random:5")
        sites = of("multi.db", "--sites")["sites"]
        self.assertEqual([",".join(map(str, site.values())) for site in sites],
                         self.csv("multi.db", "--sites").splitlines()[1:])
        self.assertIsNone(of("multi.db")["faults"][0]["layer"])
        self.bad("export", "run.db", "--format", "npz", "--json", says=["npz", "--out"])

    def test_list_and_protection(self):
        self.inject("run.db", *self.SMALL, "--layers", "dense", "--bits", "msb:1")
        self.good("export", "run.db", "--format", "fault-list", "--out", "list.csv")
        self.inject("list.db", *self.SMALL, "--select", "list:list.csv")
        numbers = lambda text: [row.split(",")[1:] for row in text.splitlines()]
        self.assertEqual([row[8:] for row in numbers(self.csv("list.db"))],
                         [row[8:] for row in numbers(self.csv("run.db"))])
        self.inject("protected.db", *self.SMALL, "--layers", "dense", "--bits", "msb:1", "--protect", "list.csv")
        for row in self.csv("protected.db").splitlines()[1:]:
            self.assertEqual(row.split(",")[9], "200")

    def test_a_list_of_several_tensors_of_a_layer_comes_back(self):
        words = [*self.SMALL, "--in", "weights,biases", "--layers", "dense", "--bits", "msb:1"]
        self.inject("run.db", *words)
        self.good("export", "run.db", "--format", "fault-list", "--out", "list.csv")
        header, first = (self.folder / "list.csv").read_text().splitlines()[:2]
        self.assertEqual(header, "Injection,Layer,TensorIndex,Bit,n_injections,masked,non_critical,critical,tensor")
        self.assertTrue(first.endswith(",dense.weight"), first)
        listed = json.loads(self.csv("run.db", "--format", "fault-list", "--json"))["faults"]
        self.assertEqual(",".join(listed[0]), header)
        self.assertEqual({row["tensor"] for row in listed}, {"dense.weight", "dense.bias"})
        self.inject("list.db", *words, "--select", "list:list.csv")
        rest = lambda store: [row.split(",")[1:] for row in self.csv(store).splitlines()]
        self.assertEqual(rest("list.db"), rest("run.db"))
        self.inject("one.db", *self.SMALL, "--layers", "dense", "--bits", "msb:1")
        self.assertTrue(self.csv("one.db", "--format", "fault-list").splitlines()[0].endswith(",critical"))

    def test_changes_that_are_no_number_have_no_sign(self):
        self.inject("inf.db", *self.SMALL, "--select", "random:3", "--score", "exec:echo inf")
        self.assertEqual([row.split(",")[-2:] for row in self.csv("inf.db").splitlines()[1:]], [["inf", "nan"]] * 3)
        self.assertTrue(self.csv("inf.db", "--by", "model").splitlines()[1].endswith(",nan"))
        self.assertNotIn("-nan", self.good("report", "inf.db", "--format", "md"))
        self.assertEqual([row["delta"] for row in json.loads(self.csv("inf.db", "--json"))["faults"]], [None] * 3)

    def test_a_condition_takes_the_place_of_the_decision(self):
        words = [*self.SMALL, "--layers", "dense", "--bits", "msb:1"]
        self.inject("decided.db", *words)
        self.inject("asked.db", *words, "--critical", "delta>0")
        self.inject("never.db", *words, "--critical", "delta>2")
        critical = {name: sum(int(row.split(",")[11]) for row in self.csv(f"{name}.db").splitlines()[1:])
                    for name in ("decided", "asked", "never")}
        self.assertGreater(critical["decided"], critical["asked"])
        self.assertGreater(critical["asked"], 0)
        self.assertEqual(critical["never"], 0)

    def test_bad_campaigns(self):
        words = ["inject", CLASSIFIER, *SAMPLES, *self.SMALL, "--store", "run.db"]
        self.bad(*words, "--faults", "meteor", says=["meteor", "bit-flip"])
        self.bad(*words, "--select", "best", says=["best", "exhaustive"])
        self.bad(*words, "--select", "random:99999", says=["99999"])
        self.bad(*words, "--select", "list:absent.csv", says=["absent.csv"])
        self.bad(*words, "--layers", "nothing*", says=["nothing*", "conv1"])
        self.bad(*words, "--bits", "31", says=["31"])
        self.bad(*words, "--shard", "4/3", says=["4/3"])
        self.bad(*words, "--memory", "lots", says=["lots"])
        self.bad(*words, "--arithmetic", "sloppy", says=["sloppy", "exact"])
        self.bad(*words, "--critical", "delta", says=["delta"])
        self.bad(*words, "--emd-cost", CELLS, says=["--emd-cost", "--score emd", "mispredict"])
        self.bad(*words, "--score", "accuracy", "--emd-cells", CELLS, says=["--emd-cells", "--score emd", "accuracy"])
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "absent/run.db", says=["absent/run.db"])
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", self.fifo(), says=["fifo", "regular"])

    def test_foreign_stores(self):
        self.inject("run.db", *self.SMALL, "--bits", "0")
        kept = (self.folder / "run.db").read_bytes()
        self.bad("inject", CLASSIFIER, *SAMPLES, *self.SMALL, "--store", "run.db", "--bits", "1", says=["run.db", "bits"])
        self.bad("inject", CLASSIFIER, *SAMPLES, "--first", 100, "--store", "run.db", "--bits", "0", says=["run.db"])
        self.assertEqual((self.folder / "run.db").read_bytes(), kept)
        (self.folder / "text.db").write_text("not a database\n" * 1000)
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "text.db", says=["text.db"])
        self.assertNotIn("--store", self.bad("export", "text.db", says=["text.db", "not a Flipscope store", "damaged"]))
        (self.folder / "cut.db").write_bytes(kept[:len(kept) // 2])
        self.assertNotIn("--store", self.bad("export", "cut.db", says=["cut.db", "damaged"]))
        with contextlib.closing(sqlite3.connect(self.folder / "other.db")) as database:
            database.execute("CREATE TABLE mine(x)")
            database.commit()
        before = hashlib.sha256((self.folder / "other.db").read_bytes()).digest()
        self.bad("inject", CLASSIFIER, *SAMPLES, "--store", "other.db", says=["other.db"])
        self.assertEqual(hashlib.sha256((self.folder / "other.db").read_bytes()).digest(), before)
        self.bad("export", "absent.db", says=["absent.db"])
        self.assertFalse((self.folder / "absent.db").exists())

    def test_unwritable_exports(self):
        self.inject("run.db", *self.SMALL, "--bits", "0")
        self.bad("export", "run.db", "--out", "absent/o.csv", says=["absent/o.csv"])
        self.bad("export", "run.db", "--by", "layer", "--out", self.fifo(), says=["fifo", "regular"])
        self.bad("export", "run.db", "--out", "o.csv", says=["o.csv"], disk=40000)
        self.bad("export", "run.db", "--format", "npz", "--out", self.fifo(), says=["fifo", "regular"])
        with open("/dev/full", "w") as full:
            self.bad("export", "run.db", says=[], stdout=full)


if __name__ == "__main__":
    cases.main(__doc__)

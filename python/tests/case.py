"""What tests of the package share: the example's model and samples, a folder, campaigns, the command line.

python -m unittest discover python/tests runs them, where flipscope is installed. FLIPSCOPE_PROGRAM names the command
line to compare with; else it is the package's own.
"""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import flipscope

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"
CLASSIFIER = EXAMPLES / "classifier.onnx"
SCALE = "1/256"
PROGRAM = shlex.split(os.environ.get("FLIPSCOPE_PROGRAM", f"{sys.executable} -m flipscope"))


def has(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.inputs = np.load(EXAMPLES / "classifier_inputs.npy")[:100]
        self.labels = np.load(EXAMPLES / "classifier_labels.npy")[:100]
        self.samples = {"inputs": self.inputs, "labels": self.labels, "scale": SCALE}
        self.model = flipscope.Model(CLASSIFIER)

    def path(self, name):
        return str(self.folder / name)

    def campaign(self, name="run.db", **options):
        settings = {**self.samples, "layers": "conv1", "progress": False, **options}
        return flipscope.inject(self.model, store=self.path(name), **settings)

    def command_line(self, *words):
        return subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)

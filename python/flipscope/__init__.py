"""Flipscope says which bits of a trained neural network matter.

    import flipscope
    model = flipscope.Model("model.onnx")
    store = flipscope.inject(model, inputs, store="run.db", labels=labels)
    pandas.DataFrame(store.rates("layer"))

Verbs and options have the names of the command line (`flipscope VERB --help`), with `_` for `-`, and `in_`
for `--in`. Samples are arrays or file names. Mistakes raise `Error` with the command line's one line.
"""

from flipscope._core import Error, VerificationError, __version__
from flipscope.fault import Fault
from flipscope.frameworks import from_brevitas, from_hls4ml, from_keras, from_onnx, from_torch
from flipscope.masks import masks
from flipscope.model import Model, example
from flipscope.store import Store, merge
from flipscope.table import Table
from flipscope.verbs import (
    Bits, Evaluation, Page, Plan, Ranking, Run, bench, compare, evaluate, info, inject, protect, rank, report, run,
    sample_size, slice, trace, verb, vulnerability)

__all__ = [
    "Bits", "Error", "Evaluation", "Fault", "Model", "Page", "Plan", "Ranking", "Run", "Store", "Table",
    "VerificationError", "__version__", "bench", "compare", "evaluate", "example", "from_brevitas", "from_hls4ml",
    "from_keras", "from_onnx", "from_torch", "info", "inject", "masks", "merge", "protect", "rank", "report", "run",
    "sample_size", "slice", "trace", "verb", "vulnerability",
]

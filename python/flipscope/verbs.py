"""The verbs of the command line.

`inject` runs in this process; the others run as `python -m flipscope VERB --json`, so that their output and their
interruption are the command line's own.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, Callable, Union

from flipscope import _core, display, session
from flipscope.options import text_of, words
from flipscope.progress import Progress, bar_for
from flipscope.store import Store
from flipscope.table import Table, read_csv

Path = Union[str, os.PathLike]


class Run(dict):
    """What `run` says, as with --json; `outputs` is the array of outputs, samples first."""

    outputs: Any


class Bits(Table):
    """A list of bits: columns layer, tensor, index, bit, and others."""

    path: str  #: its file
    summary: dict  #: what the verb says, as with --json

    def __fspath__(self) -> str:
        return self.path


class Ranking(Bits):
    """Columns rank, layer, tensor, index, bit, score; the bit to look at first is the first row."""

    def select(self, first: int | None = None) -> str:
        """The first bits, for `inject`: `select=ranking.select(1000)` runs 1,000 of them."""
        return f"ranking:{self.path}" + ("" if first is None else f":{first}")

    def _repr_html_(self, most: int = 10) -> str:
        first = max(1, self.rows // 10)
        return (f"<p>The first {first:,} of {self.rows:,} bits, by layer and bit (0 = least significant):</p>"
                + display.bits_by_place(self, first) + super()._repr_html_(most))


class Plan(Bits):
    """The bits to protect: columns layer, tensor, index, bit; the most important is the first row."""

    def _repr_html_(self, most: int = 10) -> str:
        points, bits = self.summary["points"], self.summary["protected"]
        chosen = next(point for point in points if point["bits"] == bits)
        left = chosen["error_left"]
        text = (f"<p><b>{bits:,}</b> of {self.summary['space']:,} bits are protected ({chosen['share']:.2%}), "
                f"which adds {chosen['area']:.1%} to the area of registers"
                + ("" if left is None else f" and leaves <b>{left:.1%}</b> of the harm of single flips") + ".</p>")
        if not self.rows:
            return text
        return (text + display.harm_left(points, bits) + "<p>By layer and bit (0 = least significant):</p>"
                + display.bits_by_place(self, self.rows) + super()._repr_html_(most))


class Evaluation(dict):
    """What `evaluate` says, as with --json."""

    store: str  #: the oracle
    rankings: list  #: that were judged

    def _repr_html_(self) -> str:
        return display.report_of(self.store, ["rankings"], ranking=self.rankings or None)


def _relay(stream, lines: list[str], shown: bool) -> None:
    """Passes progress on as it comes; keeps what is said."""
    for line in stream:
        lines.append(line.rstrip("\n"))
        if shown and not line.startswith("flipscope: "):
            print(line, end="", file=sys.stderr, flush=True)


def _execute(command: list[str], progress: bool) -> str:
    """Standard output of `flipscope …`. Raises Error, or KeyboardInterrupt at Ctrl-C."""
    import signal
    import subprocess
    import threading

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = [package] + [p for p in [os.environ.get("PYTHONPATH")] if p]
    child = subprocess.Popen(
        [sys.executable, "-m", "flipscope", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, start_new_session=True)
    said: list[str] = []
    relay = threading.Thread(target=_relay, args=(child.stderr, said, progress), daemon=True)
    relay.start()
    try:
        output = child.stdout.read()
        code = child.wait()
    except BaseException:
        child.send_signal(signal.SIGINT)
        child.wait()
        raise
    finally:
        relay.join()
        child.stdout.close()
        child.stderr.close()
    if code in (0, 1) and output:
        return output
    mistakes = [line.removeprefix("flipscope: ") for line in said if line.startswith("flipscope: ")]
    raise _core.Error(mistakes[-1] if mistakes else f"[internal] flipscope {command[0]} ended with status {code}")


def verb(name: str, *arguments: Any, progress: bool = True, **options: Any) -> dict:
    """Any verb of the command line: its JSON as a dictionary. Arguments are models, stores or files."""
    command = [name, *map(text_of, arguments), *words({**options, "json": True})]
    return json.loads(_execute(command, progress))


def info(model: Path, **options: Any) -> dict:
    """Layers, shapes, formats, bits, proof of exactness, fault space.

    Options: requantize, prune; in_, layers, bits."""
    return verb("info", model, **options)


def run(model: Path, inputs: Any, **options: Any) -> Run:
    """The golden run: outputs, accuracy or score, comparison with another framework's outputs.

    Options: requantize, prune; labels, targets, scale, mean, std, layout, first, skip; score, emd_cost, emd_cells,
    emd_empty, count_only_correct; expect, tolerance; verify; threads, seed. For outputs alone, call the Model."""
    import numpy

    wanted = options.pop("outputs", None)
    out = session.new_path("outputs.npy") if wanted is None else os.fspath(wanted)
    result = Run(verb("run", model, inputs=inputs, outputs=out, **options))
    result.outputs = numpy.load(out)
    if wanted is None:
        os.remove(out)
        result.pop("outputs_file", None)
    return result


def _score_name(score: Callable) -> str:
    """Names a callable in a campaign's identity: what it is called, and a digest of its code."""
    import hashlib
    import inspect

    try:
        code = inspect.getsource(score)
    except (OSError, TypeError):
        code = repr(getattr(getattr(score, "__code__", None), "co_code", type(score)))
    name = getattr(score, "__qualname__", type(score).__qualname__)
    return f"exec:python {name} {hashlib.blake2b(code.encode(), digest_size=8).hexdigest()}"


def inject(model: Path, inputs: Any, store: Path, *, labels: Any = None, targets: Any = None,
           score: str | Callable[[Any], float] | None = None, progress: bool | Progress = True,
           **options: Any) -> Store:
    """A fault-injection campaign; the same call again resumes what the store holds.

    `inputs`, `labels`, `targets` are arrays (samples first) or file names. `score` is a name
    of the command line's, or a callable that gives one number for outputs (float32 [sample, value], to be read
    before it returns) under one fault; it is called by several threads, one at a time. A callable's name and
    source are part of the campaign's identity.

    `progress` is a callable progress(done, total, seconds), True for a bar, or False. Ctrl-C stops the campaign
    and raises KeyboardInterrupt; what is done stands in the store.

    Options: requantize, prune; scale, mean, std, layout, first, skip; faults, select, error, confidence, outlier_rule,
    binfi, protect; in_, layers, bits; emd_cost, emd_cells, emd_empty, count_only_correct, critical, fail_if; shard,
    arithmetic, verify, memory, threads, seed.
    """
    function = score if callable(score) else None
    command = ["inject", text_of(model), *words({
        "inputs": inputs, "store": store, "labels": labels, "targets": targets,
        "score": _score_name(function) if function else score, **options})]
    report, end = bar_for(progress)
    try:
        summary = json.loads(_core.inject(command, report, function))
    finally:
        end()
    return Store(store, last_run=summary)


def rank(model: Path, inputs: Any = None, *, out: Path | None = None, **options: Any) -> Ranking:
    """Bits in the order in which they should matter, by derivatives, without injecting.

    Options: metric, variant, loss, top, probes; requantize, prune; labels, targets, scale, mean, std, layout, first,
    skip; in_, layers, bits; threads, seed."""
    said = [options[name] for name in ("metric", "variant", "loss") if options.get(name)]
    name = re.sub(r"[^\w.]+", "-", "-".join(said) or "ranking")  # What reports and judgements call it.
    path = session.new_path(name + ".csv") if out is None else os.fspath(out)
    return _bits("rank", path, model, kind=Ranking, inputs=inputs, **options)


def vulnerability(model: Path, inputs: Any, **options: Any) -> dict:
    """Vulnerability factors of networks, layers and channels, by error maps and searched ranges.

    Options: of, activations, sampling, repeat, flips, filter_errors, large_critical, search, validate, exact, out (a
    folder); requantize, prune; labels, scale, mean, std, layout, first, skip; layers; threads, seed."""
    return verb("vulnerability", model, inputs=inputs, **options)


def slice(model: Path, inputs: Any, *, out: Path | None = None, **options: Any) -> Bits:
    """Heuristic scores of faults at their slice's end: a line for each fault, with a column for each heuristic. With an
    `oracle`, a store, the `summary` judges them.

    Options: heuristic, oracle, slice_end, classes, select, cost, replay, audit, scatter; requantize, prune; labels,
    targets, scale, mean, std, layout, first, skip; in_, layers, bits; threads, seed."""
    path = session.new_path("slices.csv") if out is None else os.fspath(out)
    return _bits("slice", path, model, inputs=inputs, **options)


def protect(store: Path, budget: Any = None, *, ranking: Any = None, to: str = "csv", out: Path | None = None,
            **options: Any) -> Plan:
    """Which bits to protect under a budget ("bits:3%", "area:6%", "residual:10%", a number, or a list of them), what
    it costs and what error is left (`summary`). The bits are those of the first budget; inject(…, protect=bits) takes
    them. With `ranking` and `inputs`, `store` is a model.

    Options: cost, sensitive, trial, trials; requantize, prune, inputs, labels, …, as of inject; threads, seed."""
    path = session.new_path("protected." + to) if out is None else os.fspath(out)
    return _bits("protect", path, store, kind=Plan, budget=budget, ranking=ranking, to=to, **options)


def compare(stores: list[Path], **options: Any) -> dict:
    """Stores of several models beside each other: size, score, sensitive bits, cost of protection for equal error.

    Options: costs, residual, cost, out."""
    return verb("compare", *stores, **options)


def _bits(name: str, path: str, *arguments: Any, kind: type[Bits] = Bits, **options: Any) -> Any:
    """What a verb writes to --out, with what it says."""
    summary = verb(name, *arguments, out=path, **options)
    bits = kind(read_csv(path) if options.get("to", "csv") == "csv" else {})
    bits.path, bits.summary = path, summary
    return bits


def _listed(value: Any) -> list | None:
    return list(value) if isinstance(value, (list, tuple)) else None if value is None else [value]


def trace(model: Path, inputs: Any, **options: Any) -> dict:
    """The loss's curvature: Hessian trace and largest eigenvalues of each layer.

    Options: variant, loss, top, probes; requantize, prune; labels, targets, scale, mean, std, layout, first, skip;
    in_, layers, bits; threads, seed."""
    return verb("trace", model, inputs=inputs, **options)


def evaluate(store: Path, ranking: Any = None, **options: Any) -> Evaluation:
    """Judges rankings (one, or a list of them) by a store that holds every fault, or a random sample. By one that holds
    every fault also what other methods would find (`against`).

    Options: against, binfi, error, confidence, outlier_rule; sensitive, out, out_top; threads, seed."""
    rankings = _listed(ranking)
    result = Evaluation(verb("evaluate", store, ranking=rankings, **options))
    result.store, result.rankings = text_of(store), [text_of(r) for r in rankings or []]
    return result


class Page:
    """A report's file: as html one page that needs nothing else. A notebook shows html and md."""

    def __init__(self, path: str, format: str = "html") -> None:
        self.path, self.format = path, format

    def __fspath__(self) -> str:
        return self.path

    def text(self) -> str:
        """What the file holds."""
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def _repr_html_(self) -> str | None:
        return display.framed(self.path) if self.format == "html" else None

    def _repr_markdown_(self) -> str | None:
        return self.text() if self.format == "md" else None


def report(stores: Path | list[Path], *, ranking: Any = None, vulnerability: Path | None = None, slice: Any = None,
           plan: Any = None, costs: Any = None, format: str = "html", out: Path | None = None) -> Page:
    """What one store says, or several compared, as a page, or as "md", "csv" or "json".

    `ranking`, `slice` and `plan` are one each or lists, and judged by the first store: what `rank`, `slice` and
    `protect` gave, or files. `vulnerability` is the folder that `vulnerability` wrote, `costs` a table of your own
    columns, as of `compare`."""
    several = isinstance(stores, (list, tuple))
    path = session.new_path("report." + format) if out is None else os.fspath(out)
    verb("report", *(stores if several else [stores]), ranking=_listed(ranking), vulnerability=vulnerability,
         slice=_listed(slice), plan=_listed(plan), costs=costs, format=format, out=path)
    return Page(path, format)


def sample_size(model: Path, **options: Any) -> dict:
    """Number of faults that a statistical campaign needs.

    Options: method, error, confidence, outlier_rule; in_, layers, bits."""
    return verb("sample-size", model, **options)


def bench(model: Path, inputs: Any, **options: Any) -> dict:
    """What a campaign will cost here, layer by layer, beside runs of the whole network.

    Options: faults_per_layer, seconds; requantize, prune; scale, mean, std, layout, first, skip; in_, layers, bits;
    threads, seed."""
    return verb("bench", model, inputs=inputs, **options)

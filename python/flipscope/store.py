"""Stores: what campaigns have found."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from flipscope import _core, session
from flipscope.fault import Fault
from flipscope.table import Table, read_csv


class Store:
    """A campaign's file. `last_run` is what the call of `inject` that gave it has to say, as with --json."""

    def __init__(self, path: str | os.PathLike, *, last_run: dict | None = None) -> None:
        self.path: str = os.fspath(path)
        self.last_run = last_run
        _core.summary(self.path)  # Raises Error where there is no store.

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"flipscope.Store({self.path!r})"

    def summary(self) -> dict:
        """Faults, samples, golden score, and each outcome's rate with its interval."""
        return json.loads(_core.summary(self.path))

    def rates(self, by: str = "layer") -> Table:
        """Rates with their intervals, by "bit", "weight", "channel", "layer" or "model"."""
        path = session.new_path("rates.csv")
        _core.export_rates(self.path, by, path)
        return _read_and_remove(path)

    def rows(self) -> Table:
        """A row for each fault: the columns of `flipscope export`. What is absent is −1, or NaN."""
        import numpy

        path = session.new_path("rows.npz")
        _core.export_npz(self.path, path)
        with numpy.load(path) as arrays:
            columns = dict(arrays)
        os.remove(path)
        for column, names in (("layer", columns.pop("layers")), ("tensor", columns.pop("tensors"))):
            known = numpy.append(names.astype(object), "")  # −1, absent, is the last.
            columns[column] = known[columns[column]]
        return Table(columns)

    def sites(self) -> Table:
        """The bits of each trial of a campaign that strikes several: fault, layer, tensor, index, bit."""
        path = session.new_path("sites.csv")
        _core.export_sites(self.path, path)
        return _read_and_remove(path)

    def fault(self, number: int) -> list[Fault]:
        """The bits that fault `number` flips, for Model.with_fault."""
        table = self.rows()
        if table["bit"].size and (table["bit"] < 0).any():
            table = self.sites()
        chosen = table["fault"] == number
        if not chosen.any():
            raise _core.Error(f"[store] {self.path} holds no fault {number}")
        names = (table[name][chosen] for name in ("tensor", "index", "bit"))
        return [Fault(str(tensor), int(index), int(bit)) for tensor, index, bit in zip(*names)]

    def export(self, out: str | os.PathLike, *, by: str | None = None, format: str = "csv",
               sites: bool = False) -> None:
        """Writes the file that `flipscope export` with these options writes, byte for byte."""
        out = os.fspath(out)
        if sum((by is not None, format != "csv", sites)) > 1:
            raise _core.Error("[usage] export takes one of by, sites, format")
        if by is not None:
            _core.export_rates(self.path, by, out)
        elif sites:
            _core.export_sites(self.path, out)
        else:
            writers = {"csv": _core.export_csv, "npz": _core.export_npz, "fault-list": _core.export_fault_list}
            if format not in writers:
                raise _core.Error(f'[usage] format is csv, fault-list or npz, not "{format}"')
            writers[format](self.path, out)

    def _repr_html_(self) -> str:
        from flipscope import display

        summary = self.summary()
        if 0 < summary["done"] <= display.SHOWN_UNASKED:
            return display.report_of(self, ["answer", "where"])
        rows = "".join(
            f"<tr><td>{name}</td><td>{_rate(summary.get(name))}</td></tr>"
            for name in ("masked", "non_critical", "critical", "due"))
        return (f"<p>{summary['done']:,} of {summary['faults']:,} faults on "
                f"{summary['samples']:,} samples</p><table>{rows}</table>")


def _rate(rate: Any) -> str:
    if not rate:
        return "–"
    return f"{rate['mean']:.3%} ({rate['lower']:.3%} to {rate['upper']:.3%})"


def _read_and_remove(path: str) -> Table:
    table = read_csv(path)
    os.remove(path)
    return table


def merge(stores: Iterable[str | os.PathLike], out: str | os.PathLike) -> Store:
    """Joins the shards of one campaign into one new store."""
    _core.merge([os.fspath(store) for store in stores], os.fspath(out))
    return Store(out)

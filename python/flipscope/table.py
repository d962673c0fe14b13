"""Tables: dictionaries of NumPy arrays, one for each column, as pandas.DataFrame takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from flipscope import session


class Table(dict):
    """Column name → array; all are of the same length."""

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Table:
        """Of dictionaries that have the same keys, one for each row; lists and dictionaries in them are left out."""
        rows = list(records)
        names = [name for name, value in (rows[0].items() if rows else ()) if not isinstance(value, (list, dict))]
        return cls((name, _column([row[name] for row in rows])) for name in names)

    @property
    def rows(self) -> int:
        return len(next(iter(self.values()), ()))

    def _repr_html_(self, most: int = 20) -> str:
        import html
        import itertools

        shown = {name: column for name, column in self.items() if not _is_empty(column)}
        head = "".join(f"<th>{html.escape(name)}</th>" for name in shown)
        body = ""
        for row in itertools.islice(zip(*shown.values()), most):
            body += "<tr>" + "".join(f"<td>{html.escape(_short(v))}</td>" for v in row) + "</tr>"
        more = f"<p>{self.rows:,} rows</p>" if self.rows > most else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _is_empty(column: Any) -> bool:
    """True where a column has rows, and none of them says anything."""
    return len(column) > 0 and getattr(column, "dtype", None) == float and bool((column != column).all())


def _short(value: Any) -> str:
    return f"{value:.6g}" if hasattr(value, "dtype") and value.dtype.kind == "f" else str(value)


def _column(cells: list[Any]) -> Any:
    """int64 where all cells are integers, float64 where all are numbers or empty (NaN), else what they are."""
    import numpy

    if not all(isinstance(cell, str) for cell in cells):
        return numpy.array(cells) if all(isinstance(cell, (int, float)) for cell in cells) else _objects(cells)

    for convert, kind in ((int, numpy.int64), (lambda c: float(c) if c else float("nan"), numpy.float64)):
        try:
            return numpy.array([convert(c) for c in cells], kind)
        except ValueError:
            continue
    return _objects(cells)


def _objects(cells: list[Any]) -> Any:
    import numpy

    column = numpy.empty(len(cells), dtype=object)
    column[:] = cells
    return column


def read_csv(path: str) -> Table:
    """A CSV file with a header."""
    import csv

    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        names = next(reader, [])
        rows = list(reader)
    columns = list(zip(*rows)) or [()] * len(names)
    return Table((name, _column(list(cells))) for name, cells in zip(names, columns))


def write_csv(table: Mapping[str, Any]) -> str:
    """A table (or a DataFrame's columns) as a CSV file of this session."""
    import csv

    lines = [list(table)] + [list(row) for row in zip(*table.values())]
    path = session.new_path("table.csv")
    with open(path + ".part", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    os.replace(path + ".part", path)
    return path

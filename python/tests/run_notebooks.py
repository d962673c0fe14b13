"""Runs notebooks as Jupyter would, without Jupyter; exit status 1 where a cell fails.

    run_notebooks.py FOLDER|NOTEBOOK… [--out FOLDER]

Each one runs in a folder of its own. A cell's last expression is displayed: its HTML, or its text. Notebooks are
committed without outputs, which is checked; --out writes them with theirs.
"""

import argparse
import ast
import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import time
import traceback


def stale(notebook):
    """True where a notebook holds what an earlier run left."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return any(cell["outputs"] or cell["execution_count"] is not None for cell in cells)


def displayed(value):
    data = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    return data


def run_cell(source, name, namespace):
    """What a cell prints and displays, as outputs of a notebook."""
    tree = ast.parse(source, name)
    last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    outputs = []
    with contextlib.redirect_stdout(said):
        exec(compile(tree, name, "exec"), namespace)
        value = eval(compile(last, name, "eval"), namespace) if last else None
    if said.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": said.getvalue().splitlines(keepends=True)})
    if value is not None:
        outputs.append({"output_type": "execute_result", "metadata": {}, "data": displayed(value)})
    return outputs


def run(path):
    """The notebook with its outputs. Raises what a cell raises."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if stale(notebook):
        raise ValueError("it is committed with outputs; clear them")
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate((c for c in notebook["cells"] if c["cell_type"] == "code"), 1):
        cell["outputs"] = run_cell("".join(cell["source"]), f"{path.name}[{number}]", namespace)
        cell["execution_count"] = number
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                output["execution_count"] = number
    return notebook


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    out = arguments.out and arguments.out.resolve()
    found = [file.resolve() for path in arguments.paths
             for file in (sorted(path.glob("*.ipynb")) if path.is_dir() else [path])]
    failures = 0 if found else 1
    for path in found:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                notebook = run(path)
                print(f"{path.name}: {time.monotonic() - start:.1f} s", flush=True)
                if out:
                    out.mkdir(parents=True, exist_ok=True)
                    (out / path.name).write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")
            except Exception:
                failures += 1
                print(f"{path.name} fails\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            os.chdir("/")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()

"""The structure of the package in figures: what docs/design.md shows before and after.

    python tests/house.py [FOLDER ...]     # checkouts to print side by side; this one by default

Statements do not depend on the layout; docstrings are none. A function's length counts its statements' lines without
docstring. A circle is a set of modules that import each other
outside functions and `if TYPE_CHECKING`, inside or across rooms; so does a function's own import where --lazy is given.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

Graph = dict[str, set[str]]


def module_name(path: Path, package: Path) -> str:
    """Return the dotted name of a file below the package."""
    parts = list(path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, *, lazy: bool) -> Iterator[str]:
    """Yield what a module imports when it is imported, and with `lazy` what its functions import."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(node, lazy=lazy)


def graph(package: Path, *, lazy: bool) -> Graph:
    """Return which modules each module imports."""
    trees = {module_name(p, package): ast.parse(p.read_text()) for p in package.rglob("*.py")}
    edges: Graph = {}
    for name, tree in trees.items():
        inside = {i.removeprefix("makeweight.") for i in imports(tree, lazy=lazy) if i.startswith("makeweight.")}
        edges[name] = (inside & set(trees)) - {name}
    return edges


def circles(edges: Graph) -> list[list[str]]:
    """Return the sets of modules that reach each other (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    parts = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            part = stack[at:]
            del stack[at:]
            if len(part) > 1:
                parts.append(sorted(part))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return parts


def used_elsewhere(package: Path) -> Graph:
    """Return, per module, the names that another folder, the `__init__` of its own, or a text ("room:Name") takes."""
    paths = {module_name(path, package): path for path in package.rglob("*.py")}
    names: Graph = {name: set() for name in paths}

    def take(home: str, attribute: str, path: Path) -> None:
        within = home in paths and paths[home].parent == path.parent != package  # beside the rooms, a module is a room
        if home in paths and (not within or path.name == "__init__.py"):
            names[home].add(attribute)

    for path in paths.values():
        modules: dict[str, str] = {}
        nodes = list(ast.walk(ast.parse(path.read_text())))
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("makeweight"):
                home = str(node.module).removeprefix("makeweight").lstrip(".")
                for alias in node.names:
                    inner = f"{home}.{alias.name}".lstrip(".")
                    if inner in paths:
                        modules[alias.asname or alias.name] = inner
                    take(home, alias.name, path)
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                take(modules[node.value.id], node.attr, path)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                home, _, attribute = node.value.removeprefix("makeweight.").partition(":")
                if home in paths and attribute.isidentifier():
                    names[home].add(attribute)
    return names


def listed(tree: ast.Module) -> set[str]:
    """Return the names in `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return set(ast.literal_eval(node.value))
    return set()


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _statements(tree: ast.Module) -> int:
    documented = [n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docstrings = sum(ast.get_docstring(node) is not None for node in documented)
    return sum(isinstance(node, ast.stmt) for node in ast.walk(tree)) - docstrings


def signatures(tree: ast.Module) -> Iterator[str]:
    """Yield annotations of public functions, methods and fields."""

    def of(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
                arguments = [*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs]
                for annotation in [*(a.annotation for a in arguments), child.returns]:
                    if annotation is not None:
                        yield ast.unparse(annotation)
            elif isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
                yield from of(child)
            elif isinstance(child, ast.AnnAssign) and isinstance(node, ast.ClassDef):
                yield ast.unparse(child.annotation)

    return of(tree)


def figures(root: Path) -> dict[str, str]:
    """Return the figures of one checkout."""
    package = root / "src" / "makeweight"
    paths = sorted(package.rglob("*.py"))
    texts = {path: path.read_text() for path in paths}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    rooms: dict[str, int] = {}
    for path, text in texts.items():
        room = path.relative_to(package).parts[0]
        room = room if (package / room).is_dir() else "beside the rooms"
        rooms[room] = rooms.get(room, 0) + text.count("\n")
    functions = [
        node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    annotations = [text for tree in trees.values() for text in signatures(tree)]
    classes = [n.name for t in trees.values() for n in t.body if isinstance(n, ast.ClassDef) and n.name[0] != "_"]
    files = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    size = sum((root / name).stat().st_size for name in files.split("\0") if name and (root / name).exists())
    return {f"lines, {room}": f"{n:,}" for room, n in sorted(rooms.items())} | {
        "lines of src": f"{sum(rooms.values()):,}",
        "statements of src": f"{sum(map(_statements, trees.values())):,}",
        "public names (`__all__`)": str(sum(len(listed(tree)) for tree in trees.values())),
        "circles of imports": str(len(circles(graph(package, lazy=False)))),
        "circles, lazy imports too": str(len(circles(graph(package, lazy=True)))),
        "files over 400 lines": str(sum(text.count("\n") > 400 for text in texts.values())),
        "functions over 60 lines": str(sum(_body_lines(node) > 60 for node in functions)),
        "`dict[str, Any]` in public signatures": str(sum("dict[str, Any]" in text for text in annotations)),
        "`Any` in public signatures": str(sum("Any" in text for text in annotations)),
        "public class names with two meanings": str(len({name for name in classes if classes.count(name) > 1})),
        "`fmt: skip`": str(sum(text.count("fmt: skip") for text in texts.values())),
        "working tree, MB": f"{size / 1e6:.1f}",
    }


def main() -> None:
    """Print a table with a column per checkout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path(__file__).parents[1]])
    columns = [figures(folder.resolve()) for folder in parser.parse_args().folders]
    names = list(dict.fromkeys(name for column in columns for name in column))
    for name in names:
        print(f"| {name} | " + " | ".join(column.get(name, "-") for column in columns) + " |")


if __name__ == "__main__":
    main()

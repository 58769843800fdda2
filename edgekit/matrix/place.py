"""Where in a TOML file a value stands: the standard library's parser does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from edgekit.matrix.mistake import KeyPath


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column, both from 1; the column in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Places:
    """Places of all keys and values of a document.

    Attributes:
        keys: where a key is written first.
        values: where its value begins; for a table that has a header, the header.
    """

    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)

    def value(self, path: KeyPath) -> Place:
        """Where the value at a path begins; of one that is not there, the table or list that would have it."""
        while path not in self.values and path:
            path = path[:-1]
        return self.values.get(path, Place(1, 1))

    def key(self, path: KeyPath) -> Place:
        """Where the key at a path is written; of one that is not there, the place of its value."""
        return self.keys.get(path) or self.value(path)


def find_places(text: str) -> Places:
    """Find the places in a document that `tomllib` has read without an error."""
    source = text.encode()
    root = Parser(Language(tree_sitter_toml.language())).parse(source).root_node
    walk = _Walk(source.split(b"\n"))
    for node in root.named_children:
        walk.enter_top(node)
    return walk.places


@dataclass(frozen=True, slots=True)
class _Walk:
    lines: list[bytes]
    places: Places = field(default_factory=Places)
    lengths: dict[KeyPath, int] = field(default_factory=dict)  # of lists that `[[...]]` makes, so far

    def enter_top(self, node: Node) -> None:
        if node.type == "pair":
            self._enter_pair(node, ())
        elif node.type in ("table", "table_array_element"):
            key, *pairs = node.named_children
            owner = self._enter_keys(key, (), is_element=node.type == "table_array_element")
            self.places.values[owner] = self._place(node)  # a header says more than the first mention in another's
            for pair in pairs:
                if pair.type == "pair":
                    self._enter_pair(pair, owner)

    def _enter_pair(self, node: Node, owner: KeyPath) -> None:
        key, *rest = (child for child in node.named_children if child.type != "comment")
        path = self._enter_keys(key, owner)
        if rest:
            self._enter_value(rest[0], path)

    def _enter_keys(self, key: Node, path: KeyPath, *, is_element: bool = False) -> KeyPath:
        """Note the parts of a dotted key, and return the path of the last."""
        parts = list(_parts(key))
        for number, part in enumerate(parts):
            path = (*path, _name(part))
            self.places.keys.setdefault(path, self._place(part))
            self.places.values.setdefault(path, self._place(part))
            if is_element and number == len(parts) - 1:
                self.lengths[path] = self.lengths.get(path, 0) + 1
            if path in self.lengths:  # `[models.x]` is in the last of `[[models]]`
                path = (*path, self.lengths[path] - 1)
        return path

    def _enter_value(self, node: Node, path: KeyPath) -> None:
        self.places.values[path] = self._place(node)
        inner = [child for child in node.named_children if child.type != "comment"]
        if node.type == "array":
            for number, child in enumerate(inner):
                self._enter_value(child, (*path, number))
        elif node.type == "inline_table":
            for child in inner:
                self._enter_pair(child, path)

    def _place(self, node: Node) -> Place:
        row, column = node.start_point
        return Place(row + 1, len(self.lines[row][:column].decode(errors="replace")) + 1)


def _parts(key: Node) -> Iterator[Node]:
    if key.type == "dotted_key":
        for child in key.named_children:
            yield from _parts(child)
    else:
        yield key


def _name(part: Node) -> str:
    """A key without its quotes and escapes."""
    assert part.text is not None
    text = part.text.decode()
    return next(iter(tomllib.loads(f"{text} = 0"))) if part.type == "quoted_key" else text

"""Places, against documents of which it is known where everything was written."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.matrix.mistake import KeyPath
from edgekit.matrix.place import Place, find_places

Tree = str | list["Tree"] | dict[str, "Tree"]

KEYS = st.text(alphabet="ab1-_ .é\"\\'#=[]𝄞", max_size=4)
SHAPES = st.recursive(
    st.just(""), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=14
)


def numbered(tree: Tree, numbers: Iterator[int]) -> Tree:
    """The same with a text of its own at every leaf."""
    if isinstance(tree, str):
        return f"é{next(numbers)}"
    if isinstance(tree, list):
        return [numbered(each, numbers) for each in tree]
    return {key: numbered(each, numbers) for key, each in tree.items()}


def spellings(key: str) -> list[str]:
    """All ways in which a key is written here."""
    found = [json.dumps(key, ensure_ascii=False), json.dumps(key)] if key.isascii() else [json.dumps(key, ensure_ascii=False)]
    found += [key] if re.fullmatch("[A-Za-z0-9_-]+", key) else []
    return found + ([f"'{key}'"] if "'" not in key else [])


def inline(tree: Tree, random: Random) -> str:
    if isinstance(tree, str):
        return json.dumps(tree, ensure_ascii=False)
    if isinstance(tree, list):
        gap = random.choice(["", " ", "\n  ", " # ], 'é'\n"])
        return f"[{gap}{f',{gap}'.join(inline(each, random) for each in tree)}{gap}]"
    return "{" + ", ".join(f"{spell(key, random)} = {inline(each, random)}" for key, each in tree.items()) + "}"


def spell(key: str, random: Random) -> str:
    return random.choice(spellings(key))


def dotted(tree: Tree, random: Random) -> Iterator[tuple[str, str]]:
    """Dotted keys below a table, and their values."""
    if isinstance(tree, dict) and tree and random.random() < 0.8:
        for key, each in tree.items():
            for below, value in dotted(each, random):
                yield f"{spell(key, random)}{random.choice(['.', ' . ']) if below else ''}{below}", value
    else:
        yield "", inline(tree, random)


def document(table: dict[str, Tree], header: tuple[str, ...], random: Random) -> Iterator[str]:
    """Lines of a table: values first, since what follows a header is that table's."""
    below: list[tuple[str, Tree]] = []
    for key, each in table.items():
        is_list = isinstance(each, list) and each and all(isinstance(item, dict) for item in each)
        if (isinstance(each, dict) or is_list) and random.random() < 0.6:
            below.append((key, each))
        else:
            for rest, value in dotted(each, random):
                yield f"{spell(key, random)}{'.' if rest else ''}{rest} = {value}  # é = 1"
    for key, each in below:
        path = (*header, key)
        shown = random.choice([".", " . "]).join(spell(part, random) for part in path)
        for item in each if isinstance(each, list) else [each]:
            assert isinstance(item, dict)
            yield f"{random.choice(['', '  '])}[[{shown}]]" if isinstance(each, list) else f"[ {shown} ] # x"
            yield from document(item, path, random)


def walk(tree: Tree, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Tree]]:
    yield path, tree
    for key, each in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from walk(each, (*path, key))


@settings(max_examples=200)
@given(shape=st.dictionaries(KEYS, SHAPES, max_size=4), random=st.randoms(use_true_random=False))
def test_every_key_and_value_is_found_however_it_is_written(shape: dict[str, Tree], random: Random) -> None:
    tree = numbered(shape, iter(range(10_000)))
    assert isinstance(tree, dict)
    text = "\n".join(["# é", *document(tree, (), random), ""])
    assert tomllib.loads(text) == tree, "the test writes what it means"
    places, lines = find_places(text), text.split("\n")

    def at(place: Place) -> str:
        return lines[place.line - 1][place.column - 1 :]

    for path, each in walk(tree):
        if isinstance(each, str):
            assert at(places.values[path]).startswith(json.dumps(each, ensure_ascii=False))
        elif path:
            assert path in places.values
        if path and isinstance(path[-1], str):
            assert at(places.keys[path]).startswith(tuple(spellings(path[-1])))


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("models", 1, "nothing"), Place(4, 1)),
        (("models", 7), Place(2, 3)),
        (("goals", "openvino", "nothing"), Place(6, 1)),
        (("nothing", "at", "all"), Place(1, 1)),
    ],
)
def test_what_is_not_there_is_where_it_would_be(path: KeyPath, place: Place) -> None:
    text = "# x\n[[models]]\nmodel = 'a'\n[[models]]\nmodel = 'b'\n[goals.openvino]\n"
    assert find_places(text).value(path) == place == find_places(text).key(path)

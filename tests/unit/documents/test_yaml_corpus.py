"""
Everything that has been used against readers of YAML, or was read otherwise than meant: refused, quickly.

The cases are those of `guarantees.md` class O (bombs, merge keys, depth, duplicates, tags, words that turn
into numbers and booleans, byte order marks, NUL, size). How each message reads is in `bad/`.
"""

import time

import pytest

from tidegate.documents.service_file import load_service
from tidegate.documents.yaml import MAX_BYTES, MAX_NODES, read_yaml
from tidegate.errors import InvalidDocumentError

WITHIN_SECONDS = 20.0
"""On a busy machine; readers that fall for a case take minutes, or all memory."""

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

BOMBS = {
    "a billion laughs": LAUGHS,
    "a quadratic alias": "a: &a " + "x" * 50_000 + "\nb: [" + ",".join(["*a"] * 20_000) + "]",
    "an alias of itself": "a: &a [*a]",
    "an alias of its parent": "&a {b: *a}",
    "an anchor alone": "a: &x 1",
    "an anchor on a key": "&x a: 1",
    "an alias alone": "a: *x",
    "an alias as a key": "a: &x b\n*x : 1",
    "a merge key": "a: &x {b: 1}\nc:\n  <<: *x",
    "a merge key with a mapping": "a:\n  <<: {b: 1}",
    "a merge key in quotes": 'a:\n  "<<": {b: 1}\n  "<<": {c: 1}',
    "merges of merges": "a: &a {x: 1}\nb:\n  <<: [" + ",".join(["*a"] * 5_000) + "]",
    "depth in flow": "a: " + "[" * 10_000 + "]" * 10_000,
    "depth in flow mappings": "{a: " * 10_000,
    "depth in blocks": "".join(f"{' ' * n}a:\n" for n in range(600)),
    "depth in lists": "- " * 50_000 + "x",
    "depth of questions": "? " * 50_000,
    "many values": "a: [" + "1," * (MAX_NODES + 1) + "]",
    "many keys": "".join(f"k{n}: 1\n" for n in range(MAX_NODES)),
    "257 KiB of a scalar": "a: " + "x" * (257 * 1024),
    "257 KiB of comment": "#" + "x" * (257 * 1024) + "\na: 1",
    "257 KiB of spaces": "a: 1\n" + " " * (257 * 1024),
    "257 KiB in two bytes each": "a: " + "\u00e9" * (MAX_BYTES // 2 + 10),
    "a long number": "a: " + "9" * 10_000,
    "a number too large": "a: 1" + "0" * 400 + ".5",
    "open quotes": 'a: "' + "x" * 100_000,
    "many open flows": "[{" * 20_000,
    "many documents": "---\na: 1\n" * 5_000,
}

TAGS = {
    "python object": "a: !!python/object/apply:os.system ['true']",
    "python name": "a: !!python/name:os.system",
    "python module": "a: !!python/module:os",
    "java object": "a: !!javax.script.ScriptEngineManager [x]",
    "ruby object": "a: !ruby/object:Gem::Installer\n  i: x",
    "binary": "a: !!binary aGVsbG8=",
    "set": "a: !!set {x, y}",
    "ordered map": "a: !!omap [x: 1]",
    "text that isn't": "a: !!str 1",
    "number that isn't": "a: !!int '1'",
    "float that isn't": "a: !!float 1",
    "local tag": "a: !secret x",
    "tag alone": "a: !",
    "tag with an address": "a: !<tag:example.com,2000:x> 1",
    "tag on a key": "!!str a: 1",
    "tag directive": "%TAG ! tag:example.com,2000:\n---\na: 1",
    "version directive": "%YAML 1.1\n---\na: no",
    "unknown directive": "%FOO bar\n---\na: 1",
}

WORDS = [
    *("22:22", "22:22:22", "1:0", "190:20:30", "+1:30", "12:30:45.5"),
    *("no", "No", "NO", "yes", "YES", "on", "On", "off", "OFF", "y", "Y", "n", "N"),
    *("True", "TRUE", "False", "FALSE", "Null", "NULL"),
    *("1.10", "0.50", "-1.20", "2.00"),
    *("010", "0777", "007", "-012", "09", "00", "08.5"),
    *("0x1F", "0o17", "0b101", "0xdeadbeef"),
    *("1_000", "1_000.5", "0b1_0", "_1_0."),
    *("1e5", "1E5", "1.e5", "12e03", "1e400", "5.", ".5", "-.5"),
    *(".inf", "-.inf", "+.INF", ".nan", ".NaN"),
    *("2026-03-01", "2001-12-14t21:59:43.10-05:00", "2026-3-1"),
]

SHAPES = {
    "duplicate key": "a: 1\na: 2",
    "duplicate key in flow": "{a: 1, a: 2}",
    "duplicate key in quotes": "a: 1\n'a': 2",
    "duplicate key by escape": 'a: 1\n"\\x61": 2',
    "duplicate key far away": "a: 1\n" + "".join(f"k{n}: 1\n" for n in range(500)) + "a: 1",
    "key that is a list": "[a]: 1",
    "key that is a mapping": "{a: 1}: 1",
    "key that is a number": "1: a",
    "key that is a boolean": "true: a",
    "key that is nothing": "~: a",
    "key that is empty": ": a",
    "two documents": "a: 1\n---\nb: 2",
    "a document and its end and more": "a: 1\n...\nb: 2",
    "nothing": "",
    "only a comment": "# nothing",
    "a NUL": "a: x\0y",
    "a NUL at the end": "a: 1\n\0",
    "a bell": "a: x\ay",
    "an escape": "a: \x1b[31mx",
    "a delete": "a: x\x7fy",
    "a lone surrogate": "a: \ud800",
    "a byte order mark inside": "a: 1\n\ufeffb: 2",
    "a line end that nobody sees": "a: x\u2028b: 1",
    "another one": "a: x\u0085b: 1",
    "a tab for indentation": "a:\n\tb: 1",
    "a flow that doesn't end": "a: [1, 2",
    "a bracket too many": "a: [1]]",
    "a quote that doesn't end": "a: 'x",
    "an unknown escape": 'a: "\\q"',
    "an escape cut off": 'a: "\\u12"',
    "a value on its own": "a: 1\nb",
    "two values": "a: 'x' 'y'",
    "a reserved sign": "a: @x",
    "another reserved sign": "a: `x`",
    "a list in a mapping": "a: 1\n- b",
    "a braces template": "a: {{ x }}",
}

CORPUS = {
    **BOMBS,
    **TAGS,
    **{f"the word {word}": f"a: {word}" for word in WORDS},
    **{f"the word {word} in a list": f"a: [{word}]" for word in WORDS[:20]},
    **SHAPES,
}


@pytest.mark.parametrize("case", CORPUS)
def test_it_is_refused_quickly_with_a_reason(case: str) -> None:
    """With the error for documents, never another one, and long before it costs anything."""
    began = time.perf_counter()

    with pytest.raises(InvalidDocumentError) as refused:
        read_yaml(CORPUS[case], file="x.yaml")

    assert time.perf_counter() - began < WITHIN_SECONDS
    assert refused.value.hint
    assert len(refused.value.message) < 20_000


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    """Each text once."""
    assert len(set(CORPUS.values())) >= 150


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfea\x00:\x00 \x001\x00",
        b"\xfe\xff\x00a\x00:\x00 \x001",
        b"a: \xff\n",
        b"a: \xc3\x28\n",
        b"a: \xed\xa0\x80\n",
        b"a: \xc0\xaf\n",
        b"a: caf\xe9\n",
        b"\x1f\x8b\x08\x00",
    ],
    ids=["UTF-16", "UTF-16 BE", "FF", "half", "surrogate", "overlong", "Latin-1", "gzip"],
)
def test_what_is_no_utf_8_is_refused(tmp_path, content: bytes) -> None:  # type: ignore[no-untyped-def]
    """No other encoding is guessed at."""
    path = tmp_path / "tidegate.yaml"
    path.write_bytes(content)

    with pytest.raises(InvalidDocumentError):
        load_service(path)


@pytest.mark.parametrize("word", WORDS)
def test_the_good_twin_passes(word: str) -> None:
    """In quotes every one of the words is itself, as the message says."""
    assert read_yaml(f'a: "{word}"', file="x.yaml").value == {"a": word}

"""Schemas are compiled once, checked within bounds, and explained in words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.checks import schema as schemas
from cascade.checks.schema import check_pattern, check_schema, compiled, matches, mismatch


def packed(schema: object) -> bytes:
    return json.dumps(schema).encode()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (b'{"type":', "not JSON"),
        (b"[1]", "not a JSON object"),
        (packed({"type": "strin"}), '"strin"'),
        (packed({"properties": {"a": {"minimum": "3"}}}), "properties.a.minimum"),
        (packed({"pattern": "("}), "pattern"),
        (packed({"$ref": "#/$defs/missing"}), "missing"),
        (packed({"$ref": "http://127.0.0.1:9/never-fetched"}), "Retrieval is disabled"),
        (packed({"$ref": "file:///etc/hostname"}), "Retrieval is disabled"),
        (b'{"not":' * 5000 + b"{}" + b"}" * 5000, "recursion"),
    ],
)
def test_a_wrong_schema_is_explained_and_never_raises(schema: bytes, words: str) -> None:
    assert words in (check_schema(schema) or "")


def test_a_valid_schema_has_no_problem() -> None:
    assert check_schema(packed({"type": "object", "required": ["a"]})) is None


def test_look_around_is_valid_though_it_cannot_be_checked() -> None:
    schema = packed({"type": "string", "pattern": "^(?=.*[0-9]).{8,}$"})
    assert check_schema(schema) is None
    assert compiled(schema).unchecked is not None


def test_a_compiled_schema_is_kept_and_the_store_is_bounded() -> None:
    first = packed({"minLength": 1})
    assert compiled(first) is compiled(first)
    for length in range(2 * schemas._KEPT):
        compiled(packed({"minLength": length}))
    assert schemas._kept.cache_info().currsize <= schemas._KEPT


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|aa)+$", "(.*a){20}$"])
def test_a_catastrophic_pattern_does_not_hang(pattern: str) -> None:
    assert matches(pattern, "a" * 20_000 + "!") is not None


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("(", "not a regular expression"), ("(?=a)b", "bounded time"), (r"(a)\1", "bounded time")],
)
def test_a_pattern_that_cannot_be_used_is_explained(pattern: str, words: str) -> None:
    assert words in (check_pattern(pattern) or "")
    assert matches(pattern, "a") is None


def test_a_pattern_is_searched_for() -> None:
    assert check_pattern("#### [0-9]+") is None
    assert matches("#### [0-9]+", "so\n#### 42") is True
    assert matches("#### [0-9]+", "so 42") is False


def test_a_mismatch_names_the_place() -> None:
    schema = packed({"properties": {"rows": {"items": {"properties": {"n": {"type": "integer"}}}}}})
    assert mismatch(compiled(schema), {"rows": [{"n": 1}, {"n": "secret"}]}) == (
        'at rows[1].n: it is not of type "integer"'
    )


def test_a_schema_that_refers_to_itself_is_judged_at_once_at_any_depth() -> None:
    node = {"type": "array", "items": {"$ref": "#/$defs/a"}}
    choice = {"oneOf": [{**node, "minItems": 1}, {**node, "maxItems": 1}]}
    value: object = 1
    for _ in range(40):
        value = [value]
    schema = packed({"$defs": {"a": choice}, "$ref": "#/$defs/a"})
    assert mismatch(compiled(schema), value) == "somewhere inside"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
keywords = st.sampled_from(
    ["type", "properties", "items", "pattern", "$ref", "$id", "$schema", "anyOf", "enum", "format"]
)


@given(
    st.dictionaries(keywords, json_values | st.just({"type": "string"}), max_size=4), json_values
)
def test_any_schema_is_compiled_or_explained(schema: dict[str, object], value: object) -> None:
    found = compiled(packed(schema))
    assert (found.validator is None) == (found.problem is not None or found.unchecked is not None)
    mismatch(found, value)

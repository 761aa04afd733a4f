"""The values of a release are read and merged as the ``helm`` command does it."""

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from hikube_kafka.review import helm_values
from hikube_kafka.review.helm_values import UnreadableValuesError
from tests.support.kubernetes import Helm

PLAIN = """
    y Y n N yes YES yES on On ON off No tRue true FALSE ~ null Null nUll 0 -0 00 07 0777 0o777 0O17 0o8 08 09
    08.5 -07 -0o7 0x1F 0X1f +0x1F 0x 0x_F 0b11 0B11 -0b11 0b2 0b +5 1_000 1_0.5 1__0 1_ _1 0_7 1:30 190:20:30
    0:0 1e3 1.5e3 1E3 12e03 1e-7 1e22 1e400 .5 ._5 .5_0 .e3 +.5 -.5e-3 5. 1. 1.e5 0.0 123456789.5 2001-01-01
    2001-12-14t21:59:43.10-05:00 .inf .nan -.Inf 9223372036854775807 9223372036854775808 18446744073709551616
    -9223372036854775809 123456789012345678901234567890 << = + - . b:c x#c 4Gi 512m 3.9.2 604800000 é
"""
DOCUMENTS = [
    *(f"a: {each}" for each in PLAIN.split()),
    "", " ", "a:", "null", "[1]", "5", '"x"', "# nothing", "a: [", "a: {b}", "a: {b: }", "? a", "a: 1\n b: 2",
    "a: b: c",
    'a: "x', "a: @x", "a: `x", "a: %x", "a: '1'", 'a: "on"', 'a: "\\u0041\\n"', "a: 'it''s'", "a: x # c", "é: 1",
    "a: 😀",
    "a: !!str 5", "a: !foo 5", "a: ! 5", "a: !!null x", "a: !!map {}", "a: !!seq []",
    "on: 1", "1: 2", "1.5: x\nb: 1", "0x10: 4", "~: 1", "? [a]\n: 1", "true: 1", "y: 1", "-1: c", "123456789: a",
    "a: 1\na: 2", "a: {b: 1}\na: {c: 2}", '{"a": {"b": [1, true, null, 1.5, "x"]}}', "a: [1,]",
    "b: &x {p: 1, q: 2}\na: {p: 5, <<: *x}", "b: &x {p: 1, q: 2}\na: {<<: *x, p: 5}",
    "b: &x {p: 1}\nc: &y {p: 2, r: 3}\na: {<<: [*x, *y]}", 'a: {"<<": {p: 1}}', "a: {<<: 5}", "a: {<<: [5]}",
    "a: &x [*x]", "a: &a\n  b: *a\n", "a: *nope", "a: &x 1\nb: *x", "a: &x 1\nb: &x 2\nc: *x",
    "a: 1\n---\na: 2", "---\na: 1\n...\ngarbage: [", "--- \n--- \na: 1", "%YAML 1.1\n---\na: 1", "%YAML 1.2\n---\na: 1",
    "\ta: 1", "a:\t1", "a: \t1", "a:\n\tb: 1", "a: {\tb: 1}", "a:\n  - 1\n\t- 2", "a: 1\r\nb: 2\r\n", "\ufeffa: 1",
    "a: |\n  x\n  y\n", "a: |-\n  x\n", "a: >\n x\n y\n", "a: |+\n x\n\n", "a: \x85b", "a: x\u2028y", "a: \x00",
    "a: \x07",
]  # fmt: skip
UNREAD = {"1.5: x\nb: 1"}
"""What Helm reads and a review refuses to: keys that are numbers with a fraction."""

SETTINGS = [
    ("a.b", "1"), ("a\\.b", "1"), ("a.b", "true"), ("a.b", "TRUE"), ("a.b", "Null"), ("a.b", "007"),
    ("a.b", "0"), ("a.b", "-5"),
    ("a.b", "+5"), ("a.b", "1.5"), ("a.b", "1e3"), ("a.b", "9223372036854775808"), ("a.b", ""),
    ("a.b", "x,a.c=y"), ("a.b", "x\\,y"),
    ("a.b", "x,y"), ("a.b", "{1,x,true}"), ("a.b", "{}"), ("a.b", "{1,x"), ("a.b", "{a},c=2"), ("a[0]", "x"),
    ("a[2]", "x"),
    ("a[0].b", "x"), ("a[1].b[0]", "x"), ("a[0][1]", "x"), ("a[-1]", "x"), ("a[x]", "1"), ("a[0]x", "1"),
    ("a[70000]", "1"),
    ("list[0].port", "9093"), ("list[1].port", "9093"), ("map.one", "x"), ("map.one.two", "x"),
    ("map[0]", "x"), ("list.x", "1"),
    ("list", "{}"), ("map", "x"), ("map", "null"), ("text.x", "1"), ("config.log\\.retention\\.ms", "5"), ("a", "b=c"),
    ("", "x"), ("a.", "x"), (".a", "x"), ("a..b", "x"), (".".join("abcdefghijklmnopqrstuvwxyzabcdef"), "x"),
    ("nil.x", "1"),
    ("nil[0]", "1"), ("a\\", "1"), ("a", "\\"), ("a", " x "), ("a", "é"), ("a", "{{1},2}"), ("a[0]", "{x,y}"),
    ("a[0].b", ""),
]  # fmt: skip
THERE = {"list": [{"name": "client", "port": 9092}], "map": {"one": 1}, "text": "t", "nil": None}

Probe = dict[str, Any]


def probe(folder: Path, template: str) -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: probe, version: 0.1.0}", "utf-8")
    (folder / "templates/probe.yaml").write_text(template, "utf-8")
    return folder


@pytest.fixture(scope="module")
def values_of(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """What Helm makes of each of the documents, by its number."""
    template = (
        '{{- range $path, $_ := .Files.Glob "cases/*" }}\n---\n'
        '{{ dict "path" $path "values" ($.Files.Get $path | fromYaml | toJson) | toJson }}\n{{- end }}'
    )
    folder = probe(tmp_path_factory.mktemp("documents") / "probe", template)
    (folder / "cases").mkdir()
    for number, document in enumerate(DOCUMENTS):
        (folder / f"cases/{number}").write_bytes(document.encode())
    done = Helm(tmp_path_factory.mktemp("helm"))("template", "probe", str(folder))
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {DOCUMENTS[int(each["path"].split("/")[1])]: json.loads(each["values"]) for each in lines}


def canonical(values: Any) -> str:
    """Values with every number a double, as they are to JSON."""
    return json.dumps(json.loads(json.dumps(values), parse_int=float), sort_keys=True)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_is_read_as_helm_reads_it(document: str, values_of: Probe) -> None:
    theirs = values_of[document]
    try:
        ours = canonical(helm_values.read(document))
    except UnreadableValuesError:
        ours = "refused"
    refused = list(theirs) == ["Error"] or document in UNREAD
    assert ours == ("refused" if refused else canonical(theirs))


def templated(helm: Helm, folder: Path, *arguments: str) -> Any:
    done = helm("template", "probe", str(folder), *arguments)
    return json.loads(done.stdout[done.stdout.index("{") :]) if done.returncode == 0 else None


def without_nulls(values: Any) -> str:
    return canonical(helm_values.effective(values, {}))


def put(values: dict[str, Any], name: str, value: str, *, text: bool) -> dict[str, Any] | None:
    try:
        helm_values.put(values, name, value, text=text)
    except UnreadableValuesError:
        return None
    return values


@pytest.mark.parametrize("text", [False, True], ids=["set", "set-string"])
def test_a_setting_does_what_helm_makes_of_it(tmp_path: Path, *, text: bool) -> None:
    helm, folder = Helm(tmp_path), probe(tmp_path / "probe", "{{ toJson .Values }}")
    ours = [put(dict(THERE), *setting, text=text) for setting in SETTINGS]
    # One run for all that are taken, each below a key of its own, where a comma does not lead to another one.
    alone = {n for n, (name, value) in enumerate(SETTINGS) if not name or ("," in value and "=" in value)}
    together = [n for n, values in enumerate(ours) if values is not None and n not in alone]
    (tmp_path / "all.json").write_text(json.dumps({f"c{n}": THERE for n in together}), "utf-8")
    option = "--set-string" if text else "--set"
    arguments = [f"{option}=c{n}.{SETTINGS[n][0]}={SETTINGS[n][1]}" for n in together]
    theirs = templated(helm, folder, "-f", str(tmp_path / "all.json"), *arguments)
    assert {SETTINGS[n]: without_nulls(theirs[f"c{n}"]) for n in together} == {
        SETTINGS[n]: without_nulls(ours[n]) for n in together
    }


def test_what_helm_refuses_to_set_is_refused(tmp_path: Path) -> None:
    helm, folder = Helm(tmp_path), probe(tmp_path / "probe", "{{ toJson .Values }}")
    (tmp_path / "there.json").write_text(json.dumps(THERE), "utf-8")
    refused = [setting for setting in SETTINGS if put(dict(THERE), *setting, text=False) is None]
    assert len(refused) > 10
    given = str(tmp_path / "there.json")
    assert not [each for each in refused if templated(helm, folder, "-f", given, f"--set={'='.join(each)}") is not None]


def test_a_comma_in_a_value_begins_another_name(tmp_path: Path) -> None:
    helm, folder = Helm(tmp_path), probe(tmp_path / "probe", "{{ toJson .Values }}")
    theirs = templated(helm, folder, "--set=a.b=x,a.c=y")
    assert theirs == put({}, "a.b", "x,a.c=y", text=False) == {"a": {"b": "x", "c": "y"}}


def something(chance: random.Random, depth: int = 0) -> Any:
    """Values with few keys, so that documents meet; null, empty and of other types among them."""
    kind = chance.random()
    if depth < 4 and kind < 0.6:
        return {key: something(chance, depth + 1) for key in chance.sample("abcd", chance.randint(0, 4))}
    if kind < 0.7:
        return [something(chance, depth + 2) for _ in range(chance.randint(0, 2))]
    return chance.choice([None, None, 0, 1, 2.5, "", "x", True, False])


def test_documents_and_defaults_are_merged_as_helm_merges_them(tmp_path: Path) -> None:
    """400 sets of defaults and three documents, each below a key of its own, in one run."""
    chance = random.Random(11)  # noqa: S311 - the same sets each time
    sets = [[{"a": something(chance), "b": something(chance)} for _ in range(4)] for _ in range(400)]
    helm, folder = Helm(tmp_path), probe(tmp_path / "probe", "{{ toJson .Values }}")
    paths = [folder / "values.yaml", *(tmp_path / f"{n}.yaml" for n in range(3))]
    for number, path in enumerate(paths):
        path.write_text(yaml.safe_dump({f"c{n}": each[number] for n, each in enumerate(sets)}), "utf-8")
    theirs = templated(helm, folder, *(f"--values={path}" for path in paths[1:]))
    for number, (defaults, *documents) in enumerate(sets):
        given: dict[str, Any] = {}
        for document in documents:
            given = helm_values.merged(given, document)
        ours = helm_values.effective(given, defaults)
        assert without_nulls(theirs[f"c{number}"]) == without_nulls(ours), (defaults, documents)


def test_a_document_that_would_grow_without_end_is_refused() -> None:
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, name in pairwise("abcdefghi"):
        laughs += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    with pytest.raises(UnreadableValuesError, match="100,000"):
        helm_values.read(laughs)
    with pytest.raises(UnreadableValuesError, match="levels"):
        helm_values.read("a: " + "[" * 5000 + "]" * 5000)


def test_what_is_refused_is_not_repeated() -> None:
    with pytest.raises(UnreadableValuesError) as refused:
        helm_values.read("password: hunter2\nbad: [hunter2")
    assert "hunter2" not in str(refused.value)
    assert "line" in str(refused.value)


def test_values_that_are_used_again_lose_nothing() -> None:
    former = {"replicas": 5, "config": {"a": "1", "b": "2"}}
    assert helm_values.reused({"config": {"b": None, "c": "3"}}, former) == {
        "replicas": 5,
        "config": {"a": "1", "b": "2", "c": "3"},
    }

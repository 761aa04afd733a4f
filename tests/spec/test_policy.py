"""A policy is read whole: what cannot be obeyed as it is written is an error at its line, and nothing is guessed."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hikube_kafka.spec.limits import VALUE_UNKNOWN, matches
from hikube_kafka.spec.mistakes import FIELD_UNKNOWN
from hikube_kafka.spec.policy import Policy, PolicyError, schema
from hikube_kafka.spec.rule_index import rules

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ci" / "policy.yaml"
SAID = "owner: a, reason: b, until: 2026-12-31"


def reasons(text: str) -> list[str]:
    with pytest.raises(PolicyError) as refused:
        Policy.parse(text, "policy.yaml")
    assert str(refused.value) == "\n".join(refused.value.reasons)
    return [each.removeprefix("policy.yaml:") for each in refused.value.reasons]


def test_the_example_is_a_policy_and_fits_its_schema() -> None:
    text = EXAMPLE.read_text("utf-8")
    policy = Policy.parse(text, "policy.yaml")
    assert [len(policy.severities), len(policy.waivers)] == [2, 3]
    assert all(value is not None for _, value in policy.limits)
    # A reader of YAML 1.2, as editors have, takes a date for a text.
    content = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - makes texts alone
    content["limits"] |= {
        key: {each: int(value) for each, value in content["limits"][key].items()}
        for key in ("replication_factor", "min_insync_replicas", "partitions")
    }
    validator = Draft202012Validator(schema())
    assert [error.message for error in validator.iter_errors(content)] == []
    assert json.loads((ROOT / "docs" / "policy.schema.json").read_text("utf-8")) == schema()


@pytest.mark.parametrize(
    "content",
    [
        {"limit": {}},
        {"limits": {"partitions": 3}},
        {"limits": {"partitions": None}},
        {"waivers": [{"rule": "policy-image", "owner": "a", "reason": "b", "until": "2026-12-31"}]},
        {"waivers": [{"fingerprint": "0123456789abcdef", "owner": "a", "reason": "b"}]},
        {"severities": [{"rule": "policy-image", "severity": "off"}]},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(content: object) -> None:
    assert not Draft202012Validator(schema()).is_valid(content)
    assert reasons(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1: it says nothing: a policy has severities, limits or waivers."]),
        ("# limits:\n", ["1: it says nothing: a policy has severities, limits or waivers."]),
        ("{}", ["1: it says nothing: a policy has severities, limits or waivers."]),
        ("- limits", ["1: a policy: a list is not a mapping of keys to values."]),
        ("limits:\n", ["1: limits is empty: fill it in, or leave it out."]),
        ("limits:\n  min_insync_replicas:\n", ["2: limits.min_insync_replicas is empty: fill it in, or leave it out."]),
        ("limits: {partitions: {max: ~}}", ["1: limits.partitions.max is empty: fill it in, or leave it out."]),
        ("\nlimts: {}", ["2: there is no limts: did you mean limits?"]),
        ("limits:\n\tpartitions: {max: 3}", ["2: there is a tab: indent with spaces."]),
        ("limits: {}\n---\nwaivers: []", ["2: there is a second document: write one."]),
        ("limits: &a {}\nwaivers: *a", ["2: there is an alias (*a): write out what it stands for."]),
        ("limits: [", ["1: expected the node content, but found '<stream end>', while parsing a flow node."]),
        ("limits: {}\nx: \x07", ["2: there is a character that YAML does not allow."]),
        (
            "limits: !!python/name:os.system x",
            ["1: there is a tag (tag:yaml.org,2002:python/name:os.system): leave it out."],
        ),
        ("? [a]\n: b", ["1: there is a key that is not a text."]),
        ("[" * 3000, ["1: it is nested more than 20 levels deep."]),
        (
            "limits:\n  partitions: {max: 3}\n  partitions: {max: 4}",
            ["3: partitions is there twice, first on line 2: keep one."],
        ),
        ("limits: {partitions: 3}", ["1: limits.partitions: '3' is not a mapping of keys to values."]),
        ("limits: {partitions: {}}", ["1: limits.partitions.max is missing."]),
        ("limits: {partitions: {max: 0}}", ["1: limits.partitions.max: '0' is less than 1."]),
        ("limits: {partitions: {max: many}}", ["1: limits.partitions.max: 'many' is not a whole number."]),
        ("limits: {partitions: {max: true}}", ["1: limits.partitions.max: 'true' is not a whole number."]),
        ("limits: {storage_classes: fast}", ["1: limits.storage_classes: 'fast' is not a list."]),
        ("limits: {storage_classes: []}", ["1: limits.storage_classes: it is empty: fill it in, or leave it out."]),
        (
            "limits: {storage_size: {}}",
            ["1: limits.storage_size: it has neither min nor max: declare one of them."],
        ),
        (
            "limits: {storage_size: {min: 2Gi, max: 1Gi}}",
            ["1: limits.storage_size: max = 1Gi is less than min = 2Gi."],
        ),
        (
            "limits: {topic_names: '(a'}",
            [
                (
                    "1: limits.topic_names: '(a' is not a regular expression: missing ), unterminated subpattern at "
                    "position 0."
                )
            ],
        ),
        ("limits: {images: {digest: yes}}", ["1: limits.images.digest: 'yes' is not 'required'."]),
        ("limits: {images: {}}", ["1: limits.images: it has neither allowed nor digest: declare one of them."]),
        (
            "limits: {partitions: {least: 3}}",
            ["1: limits.partitions.max is missing.", "1: there is no limits.partitions.least: there is max."],
        ),
    ],
)
def test_what_cannot_be_obeyed_is_an_error_at_its_line(text: str, expected: list[str]) -> None:
    assert reasons(text) == expected


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        (
            "{rule: topic-protectd, severity: error}",
            ".rule: there is no rule topic-protectd: did you mean topic-protected?",
        ),
        ("{rule: qqqq, severity: error}", ".rule: there is no rule qqqq: docs/rules.md and docs/review.md list them."),
        (
            "{rule: topic-protected, severity: off}",
            ".severity: nothing is switched off: write a waiver, which says who decided on it, why and until when.",
        ),
        ("{rule: topic-protected}", ".severity is missing."),
        (
            "{rule: policy-value-unknown, severity: warning}",
            (
                ": policy-value-unknown says that something could not be judged, and stays an error: waive the "
                "fingerprint of the one finding."
            ),
        ),
    ],
)
def test_a_severity_names_a_rule_and_switches_nothing_off(severity: str, expected: str) -> None:
    assert reasons(f"severities:\n  - {severity}") == [f"2: severities[0]{expected}"]


@pytest.mark.parametrize(
    ("waiver", "expected"),
    [
        (f"{{{SAID}}}", ": it names neither a fingerprint nor a rule: declare one of them."),
        (f"{{rule: policy-image, {SAID}}}", ": it names a rule alone: declare an address, or of, as well."),
        (
            f"{{fingerprint: '0123456789abcdef', rule: policy-image, {SAID}}}",
            ": it names a fingerprint, and rule, address or of as well: keep the fingerprint alone.",
        ),
        (
            f"{{fingerprint: 0123456789ABCDEF, {SAID}}}",
            (
                ".fingerprint: '0123456789ABCDEF' is not a fingerprint: it has 16 digits of 0-9 and a-f, as the report "
                "shows them."
            ),
        ),
        (
            f"{{rule: policy-waiver-unused, of: '*', {SAID}}}",
            ": it is about waivers, and those are not waived: correct or remove the waiver.",
        ),
        (
            f"{{rule: plan-errored, address: '*', {SAID}}}",
            ": plan-errored says that something could not be judged: waive the fingerprint of the one finding.",
        ),
        ("{rule: policy-image, of: x, owner: a, reason: b}", ".until is missing."),
        ("{rule: policy-image, of: x, owner: ' ', reason: b, until: 2026-12-31}", ".owner: it is empty: declare it."),
    ],
)
def test_a_waiver_says_what_it_is_about_who_answers_why_and_until_when(waiver: str, expected: str) -> None:
    assert reasons(f"waivers:\n  - {waiver}") == [f"2: waivers[0]{expected}"]


@pytest.mark.parametrize("written", ["2026-02-30", "20261231", "31.12.2026", "2026-12-31T00:00:00Z", "never"])
def test_the_end_of_a_waiver_is_a_day(written: str) -> None:
    assert reasons(f"waivers: [{{rule: policy-image, of: x, owner: a, reason: b, until: {written}}}]") == [
        f"1: waivers[0].until: {written!r} is not a date: write it as 2026-12-31."
    ]


def test_every_problem_is_told_at_once_and_once() -> None:
    text = f"""
severities:
  - {{rule: rolling-restart, severity: notice}}
  - {{rule: rolling-restart, severity: error}}
limits:
  partitons: {{max: 3}}
  replication_factor: {{min: two}}
waivers:
  - {{fingerprint: 0123456789012345, {SAID}}}
  - {{fingerprint: "0123456789012345", {SAID}}}
  - {{rule: policy-image, of: x, owner: a}}
"""
    assert reasons(text) == [
        "4: severities[1] names the same as severities[0]: keep one of them.",
        "6: there is no limits.partitons: did you mean partitions?",
        "7: limits.replication_factor.min: 'two' is not a whole number.",
        "10: waivers[1] names the same as waivers[0]: keep one of them.",
        "11: waivers[2].reason is missing.",
        "11: waivers[2].until is missing.",
    ]


def test_a_text_is_what_its_author_wrote() -> None:
    """YAML reads no as a truth value, and a fingerprint of digits as a number of base 8."""
    text = "waivers:\n  - fingerprint: 0123456701234567\n    owner: no\n    reason: |\n      12:30\n      on\n"
    (waiver,) = Policy.parse(f"\ufeff{text}    until: '2026-12-31'", "policy.yaml").waivers
    assert (waiver.fingerprint, waiver.owner, waiver.reason) == ("0123456701234567", "no", "12:30 on")
    assert (waiver.until, waiver.line) == (date(2026, 12, 31), 2)
    assert waiver.words == "no, until 2026-12-31: 12:30 on"


def test_of_several_severities_the_last_that_matches_counts() -> None:
    policy = Policy.parse(
        "severities:\n"
        "  - {rule: rolling-restart, severity: error}\n"
        "  - {rule: rolling-restart, address: 'module.a[\"x\"].*', severity: notice}\n",
        "policy.yaml",
    )
    assert policy.severity("rolling-restart", "helm_release.a", "warning") == "error"
    assert policy.severity("rolling-restart", 'module.a["x"].helm_release.a', "warning") == "notice"
    # A shell's pattern would take ["x"] for one of three characters.
    assert policy.severity("rolling-restart", "module.ax.helm_release.a", "warning") == "error"
    assert policy.severity("topic-protected", "helm_release.a", "warning") == "warning"


def test_a_waiver_holds_until_the_end_of_its_day_and_is_about_what_it_names() -> None:
    policy = Policy.parse(
        f"waivers:\n  - {{rule: policy-image, address: 'helm_release.a*', of: 'release *', {SAID}}}", "policy.yaml"
    )
    last, after = date(2026, 12, 31), date(2027, 1, 1)
    named = ("policy-image", "helm_release.abc", "release events")
    assert policy.waiver(*named, today=last) is policy.waivers[0]
    assert policy.waiver(*named, today=after) is None
    for other in (
        ("policy-image-digest", *named[1:]),
        (named[0], "module.x.helm_release.abc", named[2]),
        (*named[:2], "a release events"),
    ):
        assert policy.waiver(*other, today=last) is None


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=12))
def test_a_star_stands_for_anything(pattern: str, text: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert matches(pattern, text) == bool(re.fullmatch(expression, text, re.DOTALL))


def test_many_stars_do_not_take_for_ever() -> None:
    assert not matches("*a" * 40 + "*b", "a" * 249)


@given(st.text(alphabet=st.sampled_from(list("abc:-{}[]&*!|>'\"# \n\t,?%@`~0123.\u00e9\ufeff\x00"))))
def test_no_text_ends_in_anything_but_a_policy_or_its_faults(text: str) -> None:
    for each in (text, f"limits: {text}", f"waivers:\n  - {text}", f"severities: [{text}]"):
        try:
            Policy.parse(each, "policy.yaml")
        except PolicyError as error:
            assert all(reason.startswith("policy.yaml:") for reason in error.reasons)  # noqa: PT017 - any text may do


def test_a_rule_that_says_that_nobody_can_tell_is_marked_so_and_blocks() -> None:
    of_plans = [each for each in rules().values() if each is not FIELD_UNKNOWN]
    nobody_can_tell = [each for each in of_plans if each.id.endswith(("-unknown", "-unreadable"))]
    assert VALUE_UNKNOWN in nobody_can_tell
    assert [each.id for each in nobody_can_tell if each.severity == "error" and not each.unjudged] == []
    assert [each.id for each in rules().values() if each.unjudged and each.severity != "error"] == []

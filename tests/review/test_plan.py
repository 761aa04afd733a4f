"""A plan as it is read. Real ones are in tests/review/plans."""

import copy
import json
from typing import Any

import pytest

from hikube_kafka.review.hidden import Hidden
from hikube_kafka.review.plan import Action, Change, Plan, UnreadablePlanError, read_plan


def resource(actions: list[str], **more: Any) -> dict[str, Any]:
    same = {"name": "orders"}
    change = {"actions": actions, "before": same, "after": same, "after_unknown": {}}
    return {
        "address": "hikube_kafka_topic.orders",
        "mode": "managed",
        "type": "hikube_kafka_topic",
        "name": "orders",
        "provider_name": "example.com/hikube/hikube",
        "change": change | more.pop("change", {}),
        **more,
    }


def document(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": list(resources), **more}


def read(*resources: dict[str, Any], **more: Any) -> Plan:
    return read_plan(json.dumps(document(*resources, **more)).encode())


def one(*resources: dict[str, Any]) -> Change:
    (change,) = read(*resources).changes
    return change


@pytest.mark.parametrize(
    ("actions", "action"),
    [
        (["no-op"], Action.NOTHING),
        (["read"], Action.READ),
        (["create"], Action.CREATE),
        (["update"], Action.UPDATE),
        (["delete"], Action.DELETE),
        (["delete", "create"], Action.REPLACE),
        (["create", "delete"], Action.REPLACE),
        (["forget"], Action.FORGET),
        (["create", "forget"], Action.FORGET_AND_CREATE),
        (["open"], Action.OTHER),
        (["update", "delete"], Action.OTHER),
        ([], Action.OTHER),
    ],
)
def test_each_action_is_told_apart(actions: list[str], action: Action) -> None:
    assert one(resource(actions)).action is action


def test_everything_that_a_change_says_is_read() -> None:
    change = one(
        resource(
            ["delete", "create"],
            change={
                "before": {"name": "a", "config": {"retention.ms": "1"}},
                "after": {"config": {}},
                "after_unknown": {"name": True, "config": {"retention.ms": True}, "tags": [False, True]},
                "replace_paths": [["name"]],
                "importing": {"id": "a"},
            },
            action_reason="replace_because_cannot_update",
            previous_address="hikube_kafka_topic.old",
            module_address="module.events",
            deposed="abcd",
        )
    )
    assert change.unknown == {("name",), ("config", "retention.ms"), ("tags", 1)}
    assert change.is_unknown("name")
    assert change.is_unknown("config")
    assert change.is_unknown("config", "retention.ms")
    assert not change.is_unknown("config", "cleanup.policy")
    assert not change.is_unknown("tags", 0)
    assert change.replaces == (("name",),)
    assert (change.reason, change.imported) == ("replace_because_cannot_update", "a")
    assert (change.previous_address, change.module) == ("hikube_kafka_topic.old", "module.events")
    assert change.deposed == "abcd"


def test_what_the_plan_marks_is_hidden_and_still_known() -> None:
    change = one(
        resource(
            ["update"],
            change={
                "before": {"name": "a", "config": {"x": "old"}, "values": ["one", "two"], "password": "p"},
                "after": {"name": "a", "config": {"x": "new"}, "values": ["one", "two"], "password": None},
                "before_sensitive": {"config": True, "values": [False, True]},
                "after_sensitive": {"config": {"x": True}, "values": []},
            },
        )
    )
    assert change.before is not None
    assert change.after is not None
    assert change.before["config"] == Hidden({"x": "old"})
    assert change.after["config"] == {"x": Hidden("new")}
    assert change.before["values"] == ["one", Hidden("two")]
    assert change.before["password"] == Hidden("p")
    assert change.after["password"] is None
    assert "old" not in repr(change)
    assert "new" not in repr(change)


def test_a_resource_that_is_sensitive_as_a_whole_is_hidden_attribute_by_attribute() -> None:
    change = one(resource(["create"], change={"after": {"name": "a", "config": {"x": "y"}}, "after_sensitive": True}))
    assert change.after == {"name": Hidden("a"), "config": Hidden({"x": "y"})}


def test_secrets_beside_the_resources_are_known_as_such() -> None:
    plan = read(
        variables={"token": {"value": "t0ken"}, "place": {"value": "zone-1"}, "given": {"value": {"deep": ["s3cret"]}}},
        configuration={"root_module": {"variables": {"given": {"sensitive": True}, "place": {}}}},
        output_changes={
            "login": {"before": "before-login", "after": {"a": "after-login"}, "before_sensitive": True,
                      "after_sensitive": {"a": True}},
            "url": {"after": "kafka:9092", "after_sensitive": False},
        },
    )  # fmt: skip
    assert plan.secrets == {"t0ken", "s3cret", "before-login", "after-login"}


def test_older_versions_do_not_say_that_a_plan_is_complete() -> None:
    assert (read().complete, read().errored) == (True, False)
    assert (read(complete=False).complete, read(errored=True).errored) == (False, True)


def test_what_comes_later_or_beside_is_read() -> None:
    plan = read(
        deferred_changes=[{"reason": "provider_config_unknown", "resource_change": resource(["create"])}],
        action_invocations=[{"address": "action.hikube_restart.kafka"}],
        resource_drift=[resource(["update"])],
        unknown_to_this_version={"a": 1},
    )
    assert plan.deferred == ("hikube_kafka_topic.orders",)
    assert plan.invocations == ("action.hikube_restart.kafka",)
    assert [each.address for each in plan.drift] == ["hikube_kafka_topic.orders"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_what_shells_write_is_read(encoding: str) -> None:
    assert len(read_plan(json.dumps(document(resource(["create"]))).encode(encoding)).changes) == 1


def _without(*path: str) -> bytes:
    content = copy.deepcopy(document(resource(["delete"])))
    inner: Any = content["resource_changes"][0]
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"PK\x03\x04tfplan", "not JSON"),
        (b"Terraform will perform the following actions:", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"format_version": "1.2", "resource_changes": [], "resource_changes": []}', "same key twice"),
        (b'{"format_version": "1.2", "resource_changes": [NaN]}', "not a number"),
        (b"[]", "not a plan"),
        (b"null", "not a plan"),
        (b'{"resource_changes": []}', "not a plan"),
        (b'{"format_version": "2.0", "resource_changes": []}', "format 2.0"),
        (b'{"format_version": null, "resource_changes": []}', "format None"),
        (b'{"format_version": "1.0", "values": {"root_module": {}}}', "a state"),
        (
            b'{"format_version": "1.2", "planned_values": {"root_module": {"resources": [{}]}}}',
            "resource_changes are missing",
        ),
        (b'{"format_version": "1.2", "resource_changes": {"a": 1}}', "not a plan as Terraform writes it"),
        (b'{"format_version": "1.2", "resource_changes": [3]}', "not a plan as Terraform writes it"),
        (_without("change"), "not a plan as Terraform writes it"),
        (_without("change", "actions"), "not a plan as Terraform writes it"),
        (_without("type"), "not a plan as Terraform writes it"),
        (_without("address"), "not a plan as Terraform writes it"),
    ],
)
def test_what_is_no_plan_is_told_by_what_it_is_not(content: bytes, said: str) -> None:
    with pytest.raises(UnreadablePlanError, match=said):
        read_plan(content)


@pytest.mark.parametrize("key", ["address", "mode", "type", "name", "provider_name", "deposed", "module_address"])
def test_names_that_are_no_text_are_no_plan(key: str) -> None:
    with pytest.raises(UnreadablePlanError, match="not a plan as Terraform writes it"):
        read(resource(["update"], **{key: [1]}))


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("value", ["text", 3, [], True])
def test_attributes_that_are_none_are_no_plan(side: str, value: Any) -> None:
    with pytest.raises(UnreadablePlanError, match=f"{side} is not an object"):
        read(resource(["update"], change={side: value}))


def test_a_deletion_has_something_before_it_and_a_creation_something_after_it() -> None:
    for actions, side in ((["delete"], "before"), (["create"], "after"), (["update"], "before"), (["update"], "after")):
        nothing = {"before": {"name": "a"}, "after": {"name": "a"}} | {side: None}
        with pytest.raises(UnreadablePlanError, match=f"{side} is missing"):
            read(resource(actions, change=nothing))

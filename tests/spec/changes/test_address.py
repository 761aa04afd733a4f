"""One thing at one address raises nothing; two addresses that stand for it do."""

import pytest

from hikube_kafka.spec.changes.address import Step, Thing, problems

ORDERS = Thing("hikube_kafka_topic", "topic orders", "its messages would be lost.")
COMES, STAYS, GOES = Step.COMES, Step.STAYS, Step.GOES


@pytest.mark.parametrize(("step", "elsewhere"), [(COMES, []), (STAYS, []), (GOES, []), (GOES, [GOES])])
def test_a_thing_at_one_address_raises_nothing_nor_does_the_end_of_all(step: Step, elsewhere: list[Step]) -> None:
    assert list(problems(ORDERS, step, set(elsewhere))) == []


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        (GOES, COMES, "same-thing-at-another-address"),
        (COMES, COMES, "same-thing-declared-twice"),
        (STAYS, COMES, "same-thing-declared-twice"),
        (STAYS, GOES, "same-thing-deleted-at-one-address"),
        (STAYS, STAYS, "same-thing-in-state-twice"),
    ],
)
def test_two_addresses_of_one_thing_are_told_in_whichever_order_they_are_planned(
    one: Step, other: Step, rule: str
) -> None:
    (first,) = problems(ORDERS, one, {other})
    (second,) = problems(ORDERS, other, {one})
    assert (first.rule, second.rule) == (rule, rule)
    assert first.where == "topic orders"
    assert first.severity == ("warning" if rule == "same-thing-in-state-twice" else "error")


def test_a_thing_whose_address_changes_is_shown_the_block_that_keeps_it() -> None:
    (problem,) = problems(ORDERS, COMES, {GOES})
    assert "  moved {\n    from = hikube_kafka_topic.<old address>\n" in problem.remedy
    assert problem.why == "Both addresses stand for the same thing: its messages would be lost."

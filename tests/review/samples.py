"""Reviews as the faces get them: one of each verdict, a large one, and one whose every text is hostile."""

from dataclasses import replace

from hikube_kafka.review.finding import Difference, Finding, Location, fingerprint
from hikube_kafka.review.outcome import Part, Review, Total
from hikube_kafka.review.plan import Action

SHRUNK = Finding(
    rule="topic-partitions-shrink",
    severity="error",
    address="hikube_kafka_topic.events_orders",
    where="topic orders",
    message="it cannot shrink from 12 to 6 partitions.",
    why="Kafka cannot remove partitions.",
    remedy="Set partitions = 12. For fewer, make another topic and move the messages there.",
    differences=(Difference(setting="partitions", before="12", after="6"),),
    declared=Location(file="stacks/events.py", line=42),
    fingerprint=fingerprint("topic-partitions-shrink", "hikube_kafka_topic.events_orders", "12", "6"),
)
TAKEN = Finding(
    rule="topic-exists",
    severity="error",
    address='module.events["eu"].hikube_kafka_topic.this["payments.jobs"]',
    where="topic payments.jobs",
    message="it exists already, made by somebody else.",
    why="No topic is taken over silently: its partitions, copies and configuration may differ from the declared ones.",
    remedy="To manage it from here, import it:\n\n  terraform import hikube_kafka_topic.this payments.jobs\n\n"
    'or in the configuration:\n\n  import {\n    to = hikube_kafka_topic.this\n    id = "payments.jobs"\n  }\n',
    declared=Location(file="stacks/events.py", line=57),
    fingerprint=fingerprint("topic-exists", "hikube_kafka_topic.events_payments_jobs", "", "payments.jobs"),
)
RESTARTS = Finding(
    rule="rolling-restart",
    severity="warning",
    address="helm_release.events_kafka",
    where="brokers of events-kafka",
    message="3 brokers restart one after another, in about 9 minutes.",
    why="While a broker restarts, its partitions have one replica less; clients reconnect to the new leaders.",
    remedy="Apply when traffic is low, and wait until every partition is in sync before the next change.",
    differences=(
        Difference(setting="resources.memory", before="768Mi", after="1Gi"),
        Difference(setting="heap", before="384m", after="512m"),
        Difference(setting="config[num.io.threads]", before="", after="16"),
    ),
    declared=Location(file="stacks/events.py", line=18),
    fingerprint=fingerprint("rolling-restart", "helm_release.events_kafka", "768Mi", "1Gi"),
)
GROWS = Finding(
    rule="claims-growth-unchecked",
    severity="notice",
    address="hikube_volume_claims.events_kafka",
    where="claims of events-kafka",
    message="3 claims grow from 4Gi to 5Gi.",
    why="A volume cannot be made smaller again.",
    remedy="Nothing: the brokers keep running.",
    differences=(Difference(setting="data.size", before="4Gi", after="5Gi"),),
    fingerprint=fingerprint("claims-growth-unchecked", "hikube_volume_claims.events_kafka", "4Gi", "5Gi"),
)
WHOLE = Finding(
    rule="plan-drift",
    severity="warning",
    address="",
    where="the plan",
    message="one topic was changed outside Terraform, and the apply changes it back.",
    why="Whoever changed it may have had a reason.",
    remedy="Ask them, or declare the change.",
    fingerprint=fingerprint("plan-drift", "", "", ""),
)
WAIVED = replace(
    SHRUNK,
    rule="topic-deleted",
    address="hikube_kafka_topic.events_scratch",
    where="topic scratch",
    message="it is deleted with its messages.",
    why="Nobody can bring them back.",
    remedy="Leave it, if a message in it is still needed.",
    differences=(),
    fingerprint=fingerprint("topic-deleted", "hikube_kafka_topic.events_scratch", "scratch", ""),
    waived="ana@example.com, until 2027-01-31: the load test is over",
)

TOTALS = (
    Total(of="events-kafka", what="brokers", before="3", after="3"),
    Total(of="events-kafka", what="storage", before="12Gi", after="15Gi"),
    Total(of="events-kafka", what="memory", before="2304Mi", after="3Gi"),
    Total(of="events-zookeeper", what="ZooKeeper servers", before="3", after="3"),
    Total(of="events", what="topics", before="2", after="2"),
    Total(of="events", what="partitions", before="", after="unknown"),
)
PARTS = (
    Part(
        address="kubernetes_namespace_v1.events",
        kind="namespace",
        what="namespace events-staging",
        action=Action.NOTHING,
    ),
    Part(
        address="helm_release.events_zookeeper",
        kind="ZooKeeper",
        what="3 ZooKeeper servers of events-zookeeper",
        action=Action.NOTHING,
        belongs_to="kubernetes_namespace_v1.events",
    ),
    Part(
        address="helm_release.events_kafka",
        kind="brokers",
        what="3 brokers of events-kafka",
        action=Action.UPDATE,
        belongs_to="helm_release.events_zookeeper",
    ),
    Part(
        address="hikube_kafka_topic.events_orders",
        kind="topic",
        what="topic orders",
        action=Action.UPDATE,
        belongs_to="helm_release.events_kafka",
    ),
    Part(
        address="hikube_kafka_topic.events_scratch",
        kind="topic",
        what="topic scratch",
        action=Action.DELETE,
        belongs_to="helm_release.events_kafka",
    ),
)

BLOCKED = Review(
    title="events-staging",
    findings=(SHRUNK, TAKEN, WHOLE, RESTARTS, GROWS),
    waived=(WAIVED,),
    totals=TOTALS,
    parts=PARTS,
    actions={Action.UPDATE: 3, Action.DELETE: 1, Action.NOTHING: 4},
    terraform="1.11.4",
)
PASSED = replace(BLOCKED, findings=(WHOLE, RESTARTS, GROWS), waived=())
NOTHING = Review(title="events-staging", findings=(), actions={Action.NOTHING: 8}, terraform="1.11.4")
"""A plan that changes nothing."""
UNREVIEWED = Review(
    title="plan.json", findings=(), unreviewed="It is not a plan. Write it with: terraform show -json PLAN"
)
REVIEWS = {"blocked": BLOCKED, "passed": PASSED, "nothing": NOTHING, "unreviewed": UNREVIEWED}


def large(count: int, *, rules: int = 3, name: str = "topic-{index}") -> Review:
    """A review with so many findings, of so many rules in turn.

    Args:
        count: Findings.
        rules: How many rules they break.
        name: Of each topic; ``{index}`` is filled in.
    """
    return replace(
        BLOCKED,
        findings=tuple(
            replace(
                SHRUNK,
                rule=f"topic-rule-{index % rules}",
                address=f'hikube_kafka_topic.this["{name.format(index=index)}"]',
                where=f"topic {name.format(index=index)}",
                declared=Location(file="stacks/events.py", line=index + 1),
                fingerprint=fingerprint("topic-partitions-shrink", str(index), "12", "6"),
            )
            for index in range(count)
        ),
        parts=tuple(
            Part(
                address=f'hikube_kafka_topic.this["{name.format(index=index)}"]',
                kind="topic",
                what=f"topic {name.format(index=index)}",
                action=Action.UPDATE if index < count // 2 else Action.NOTHING,
                belongs_to="helm_release.events_kafka",
            )
            for index in range(count)
        )
        + PARTS,
    )


NASTY = (
    "a | b",
    "`code` ``two`` ```three",
    "**bold** _it_ ~~gone~~ [link](javascript:alert(1)) ![image](http://example.com/x.png)",
    "</td></tr></table><script>alert(1)</script><img src=x onerror=alert(1)>",
    "</details></summary><!-- hikube-kafka review: other --> -->",
    "line\n\n# heading\n\n- list\n1. one\n> quote\n---\n\r\nlast",
    "@alice @acme/platform @here user@example.com",
    "#123 GH-123 acme/events#7 0123456789abcdef0123456789abcdef01234567 a1b2c3d",
    "https://example.com/a?b=c www.example.com ftp://example.com javascript:alert(1)",
    ":tada: :+1: $x^2$ $$y$$ $`z`$",
    '!123 %1 %milestone ~bug ~"a label" &12 *iteration:1 ^alert#1 [vulnerability:1] $12 [issue:2]',
    "/approve\n/close\n/merge",
    "\\ \\| \\` \\@ \\<",
    "&lt;b&gt; &#64;alice &commat;alice &amp;",
    "=HYPERLINK(1) {{ 1 }} ${{ secrets.TOKEN }} {% raw %}",
    "\x00\x01\x1b[31mred\x1b[0m \x07\u202eesrever \ud7ff",
    "half a character \ud800, as JSON may have it",
    "[red]markup[/red] [link=http://example.com]x[/link]",
    "%%{init: {}}%% end subgraph --> ;; \" ' ]] )) }} click A callback",
    "::error file=x,line=1::forged %0A%0D",
    "]]> <![CDATA[ <?xml ?>",
    "```\n~~~\n    indented\n\ttab",
    "| --- |\n|---|---|",
    " leading and trailing ",
    "",
)
"""Texts that try to leave the place that they are shown in, or to reach somebody."""


def hostile(text: str) -> Review:
    """A review whose every text is this one."""
    finding = Finding(
        rule="topic-partitions-shrink",
        severity="error",
        address=text,
        where=text,
        message=text,
        why=text,
        remedy=text,
        differences=(Difference(setting=text, before=text, after=text),),
        declared=Location(file=text, line=1),
        fingerprint="0123456789abcdef",
    )
    return Review(
        title=text,
        findings=(finding, replace(finding, severity="warning")),
        waived=(replace(finding, waived=text),),
        totals=(Total(of=text, what=text, before=text, after=text),),
        parts=(
            Part(address="a", kind="brokers", what=text, action=Action.UPDATE),
            Part(address="b", kind="topic", what=text, action=Action.DELETE, belongs_to="a"),
        ),
        actions={Action.UPDATE: 2},
        terraform=text,
    )

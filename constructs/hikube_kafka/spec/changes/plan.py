"""What is said of a plan that Terraform itself did not finish."""

from hikube_kafka.spec.problem import Rule

ERRORED = Rule(
    id="plan-errored",
    severity="error",
    message="Terraform did not finish it, and it cannot be applied.",
    why="What was refused is missing among its changes: what it shows is the harmless part.",
    remedy="Correct what Terraform refuses, and plan again. To see it here, write it beside the plan, and review both: "
    "terraform plan -json -out PLAN > MESSAGES, and then hikube-kafka review --diagnostics MESSAGES.",
    unjudged=True,
)
UNFINISHED = Rule(
    id="plan-unfinished",
    severity="error",
    message="it does not say whether Terraform finished it, and lacks resources that are configured.",
    why="Terraform before 1.6 does not mark a plan that was refused. What was refused is missing among its changes.",
    remedy="Write what Terraform says beside the plan, and review both: terraform plan -json -out PLAN > MESSAGES, and "
    "then hikube-kafka review --diagnostics MESSAGES.",
    unjudged=True,
)
REFUSED = Rule(
    id="plan-refused",
    severity="error",
    message="{summary}.",
    why="{detail}",
    remedy="Correct what it names, and plan again: nothing is applied as long as Terraform refuses the plan.",
    message_in_general="Terraform or a provider refuses the plan, in its own words.",
)
WARNED = Rule(
    id="plan-warning",
    severity="warning",
    message="{summary}.",
    why="{detail}",
    remedy="Read what it says before the apply.",
    message_in_general="The provider warns, in its own words.",
)
UNREVIEWED = Rule(
    id="plan-unreviewed",
    severity="error",
    message="could not review: {problem}",
    why="Nobody knows what its apply would do.",
    remedy="Do not apply it. Plan and review again.",
    unjudged=True,
    message_in_general="It could not be reviewed.",
)

"""What of a plan cannot be judged. Nothing that a rule would have to see is passed over."""

from hikube_kafka.spec.problem import Rule

UNKNOWN = Rule(
    id="plan-unknown",
    severity="error",
    message="{attributes} {is_} only known after the apply.",
    why="What the apply would do to messages, clients or servers depends on {it}, and this plan does not tell {it}.",
    remedy="Apply first what {it} {comes} from (terraform apply -target=ADDRESS), or write {it} out; then plan again.",
    message_in_general="a setting that decides what the apply does is only known after the apply.",
    unjudged=True,
)
KIND_UNKNOWN = Rule(
    id="plan-kind-unknown",
    severity="error",
    message="this version does not know resources of type {type}.",
    why="Nobody has looked at what the apply would do with it.",
    remedy="Install the version of this package whose provider made the plan, and review again.",
    unjudged=True,
)
ACTION_UNKNOWN = Rule(
    id="plan-action-unknown",
    severity="error",
    message="the plan does something that this version does not know: {actions}.",
    why="Nobody has looked at what the apply would do with it.",
    remedy="Install a newer hikube-kafka, and review again; or plan with an older Terraform.",
    unjudged=True,
)
UNREADABLE = Rule(
    id="plan-unreadable",
    severity="error",
    message="it is not as the provider writes it: {what}.",
    why="Nobody can say what the apply would do with it.",
    remedy="Plan again. If it stays so, install the version of this package whose provider made the plan, and review "
    "again.",
    unjudged=True,
)
DEFERRED = Rule(
    id="plan-deferred",
    severity="error",
    message="it is left for a later plan.",
    why="This plan does not tell what becomes of it, and so nobody can judge it yet.",
    remedy="Apply what it waits for, then plan and review again.",
    unjudged=True,
)
INCOMPLETE = Rule(
    id="plan-incomplete",
    severity="warning",
    message="another plan has to follow it.",
    why="It does not show all that is to change (-target, -exclude): what is missing has not been judged.",
    remedy="Review the plan that follows, too.",
)
INVOKED = Rule(
    id="plan-invokes-action",
    severity="error",
    message="the apply invokes this action, and the plan does not tell what it does.",
    why="An action may change anything, and nobody can see it in a plan.",
    remedy="Make sure that the action touches neither Kafka nor its storage, and then waive this finding.",
    unjudged=True,
)
DEPOSED = Rule(
    id="plan-deposed",
    severity="error",
    message="an older object that an interrupted replacement has left behind is deleted.",
    why="It may be the same real thing as the one that is there now: a topic, a release or a claim of the same name.",
    remedy="Compare the two with terraform show. If what goes is another real thing, waive this finding.",
)
FORGOTTEN_AND_MADE = Rule(
    id="forgotten-and-made",
    severity="error",
    message="Terraform forgets it, and creates it anew.",
    why="What it forgets stays where it is. If the new one has the same name, the apply fails halfway; if it has "
    "another, it starts without the data of the one before.",
    remedy="To keep what is there, declare it as before.",
)
VALUES = Rule(
    id="release-values-unreadable",
    severity="error",
    message="{what}",
    why="What the apply would do to its servers depends on these values.",
    remedy="Correct them, or write them out; where they come from another resource, apply that first. Then plan again.",
    message_in_general="values of a release of this project's charts cannot be read, or only after the apply.",
    unjudged=True,
)
RELEASE_FORGOTTEN = Rule(
    id="release-forgotten",
    severity="notice",
    message="Terraform forgets the release; its servers keep running.",
    why="From now on no apply changes or repairs them.",
    remedy="Nothing, if that is meant. To manage it again, import it.",
)

"""The app: which stacks there are."""

import os

from hikube_kafka.platform import App
from stacks.analytics import AnalyticsPlatform
from stacks.event_bus import EventBusPlatform
from stacks.kubernetes import KubernetesPlatform, chosen_environment
from stacks.local import LocalPlatform
from stacks.telemetry import TelemetryPlatform
from stacks.work_queue import WorkQueuePlatform

app = App()
# `make down` is to leave nothing behind. A platform that matters keeps its topics: leave `disposable` out.
LocalPlatform(app, "local", disposable=True)
# The use cases: `make usecase NAME=analytics` deploys one with its other systems. Small: one server of each kind.
small = os.environ.get("USE_CASE_SIZE") == "small"
# Default, in place of tuned: the connectors' own settings, to compare.
tuned = os.environ.get("USE_CASE_SETTINGS") != "default"
AnalyticsPlatform(app, "analytics", small=small, tuned=tuned)
TelemetryPlatform(app, "telemetry", small=small)
EventBusPlatform(app, "event-bus", small=small, tuned=tuned)
WorkQueuePlatform(app, "work-queue", small=small)
if environment := chosen_environment(app):
    KubernetesPlatform(app, f"events-{environment}", environment=environment)
app.synth()

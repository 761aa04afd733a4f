"""The app: which stacks there are."""

from hikube_kafka.platform import App
from stacks.kubernetes import KubernetesPlatform, chosen_environment
from stacks.local import LocalPlatform

app = App()
# `make down` is to leave nothing behind. A platform that matters keeps its topics: leave `disposable` out.
LocalPlatform(app, "local", disposable=True)
if environment := chosen_environment(app):
    KubernetesPlatform(app, f"events-{environment}", environment=environment)
app.synth()

"""The app: which stacks there are."""

from hikube_kafka.platform import App
from stacks.platform import PlatformStack

app = App()
PlatformStack(app, "PLATFORM")
app.synth()

"""``python -m hikube_kafka.provider``: what the installed shim runs, and Terraform talks to."""

from hikube_kafka.plugin.serve import serve
from hikube_kafka.provider.hikube import HikubePlugin

if __name__ == "__main__":
    serve(HikubePlugin)

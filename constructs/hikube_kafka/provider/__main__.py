"""``python -m hikube_kafka.provider``: what the installed shim runs, and Terraform talks to."""

from hikube_kafka.provider.hikube import HikubeProvider
from hikube_kafka.provider.protocol.serve import serve

if __name__ == "__main__":
    serve(HikubeProvider)

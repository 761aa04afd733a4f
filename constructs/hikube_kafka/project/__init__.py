"""A project of one's own: what ``hikube-kafka new`` writes.

Its files are in ``files/``: those of every project, and those of one target.
"""

from hikube_kafka.project.create import TARGETS, Created, ProjectError, Target, create

__all__ = ["TARGETS", "Created", "ProjectError", "Target", "create"]

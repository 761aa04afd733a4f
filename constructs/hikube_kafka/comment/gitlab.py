"""Notes under a merge request of GitLab, wherever that runs."""

from hikube_kafka.comment.host import Comment, Host

HINTS = {
    401: "GITLAB_TOKEN is not valid, or has expired.",
    403: "GITLAB_TOKEN may not write notes: it needs the scope `api`, and the role Reporter or above.",
    404: "There is no such merge request, or GITLAB_TOKEN may not see it: it needs the scope `api`, in the project "
    "that the merge request goes into.",
}


class MergeRequest:
    """The notes under a merge request.

    Args:
        host: The API, asked as whoever the token belongs to.
        project: Id of the project that the merge request goes into.
        number: Of the merge request in it.
    """

    def __init__(self, host: Host, project: str, number: int) -> None:
        self._host = host
        self._notes = f"/projects/{project}/merge_requests/{number}/notes"
        self._id: int | None = None

    def comments(self) -> list[Comment]:
        """All of them, the oldest first."""
        if self._id is None:
            self._id = int(self._host.ask("GET", "/user")["id"])
        return [
            Comment(str(each["id"]), each.get("body") or "", (each.get("author") or {}).get("id") == self._id)
            for each in self._host.pages(f"{self._notes}?sort=asc&order_by=created_at")
            if not each.get("system")
        ]

    def create(self, body: str) -> None:
        """Write one more."""
        self._host.ask("POST", self._notes, {"body": body})

    def update(self, comment: Comment, body: str) -> None:
        """Give one another text."""
        self._host.ask("PUT", f"{self._notes}/{comment.id}", {"body": body})

    def delete(self, comment: Comment) -> None:
        """Remove one."""
        self._host.ask("DELETE", f"{self._notes}/{comment.id}")

"""Comments under a pull request of GitHub, GitHub Enterprise too."""

from typing import Any

import httpx

from hikube_kafka.comment.host import Comment, Host, RefusedError

HINTS = {
    401: "GITHUB_TOKEN is not valid, or has expired.",
    403: "The token may not write comments: give the job `permissions: pull-requests: write`. For a pull request from "
    "a fork GitHub gives a token that only reads.",
    404: "There is no such pull request, or the token may not see it: give the job `pull-requests: write`.",
}


class PullRequest:
    """The comments under a pull request.

    Args:
        host: The API, asked as whoever the token belongs to.
        repository: ``owner/name``.
        number: Of the pull request.
    """

    def __init__(self, host: Host, repository: str, number: int) -> None:
        self._host = host
        self._repository = repository
        self._number = number
        self._login: str | None = None

    def comments(self) -> list[Comment]:
        """All of them, the oldest first."""
        login = self._own_login()
        return [
            Comment(str(each["id"]), each.get("body") or "", _is_by(each, login))
            for each in self._host.pages(f"/repos/{self._repository}/issues/{self._number}/comments")
        ]

    def create(self, body: str) -> None:
        """Write one more."""
        self._host.ask("POST", f"/repos/{self._repository}/issues/{self._number}/comments", {"body": body})

    def update(self, comment: Comment, body: str) -> None:
        """Give one another text."""
        self._host.ask("PATCH", f"/repos/{self._repository}/issues/comments/{comment.id}", {"body": body})

    def delete(self, comment: Comment) -> None:
        """Remove one."""
        self._host.ask("DELETE", f"/repos/{self._repository}/issues/comments/{comment.id}")

    def _own_login(self) -> str:
        """Whose token it is. A workflow's own may not ask that; it belongs to an app, and then this is empty."""
        if self._login is None:
            try:
                self._login = str(self._host.ask("GET", "/user")["login"])
            except RefusedError as refusal:
                if refusal.status != httpx.codes.FORBIDDEN:
                    raise
                self._login = ""
        return self._login


def _is_by(comment: Any, login: str) -> bool:
    # No person can write as a bot; which of the repository's bots it is, a workflow's token cannot tell.
    author = comment.get("user") or {}
    return bool(author.get("login") == login if login else author.get("type") == "Bot")

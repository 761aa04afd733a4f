"""The comment under a pull request or merge request: one a plan, updated in place."""

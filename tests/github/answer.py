# SPDX-License-Identifier: Apache-2.0
"""An answer of the REST API, and a refusal as GitHub words it."""

DOCS = "https://docs.github.com/rest"


class Answer(Exception):
    """What is sent back. Also raised: a refusal ends a handler wherever it is found."""

    def __init__(self, status, body=None, headers=None, raw=None):
        super().__init__(status)
        self.status, self.body, self.headers, self.raw = status, body, dict(headers or {}), raw


def refusal(status, message, docs="", headers=None, **more):
    body = {"message": message, **more, "documentation_url": DOCS + docs, "status": str(status)}
    return Answer(status, body, headers)

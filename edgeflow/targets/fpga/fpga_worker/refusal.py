"""What refuses a job, with what to do."""


class Refusal(Exception):
    """A tool does not take the network, or what was made of it is wrong."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

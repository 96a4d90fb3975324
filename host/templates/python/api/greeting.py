"""Greetings, which know nothing of HTTP but the status of what is wrong."""

HELLO = {"en": "Hello", "fr": "Bonjour"}


class Problem(Exception):
    """What a client is told in place of what it wanted."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def greet(wish: object) -> dict:
    """Greets somebody in a language."""
    if not isinstance(wish, dict) or not isinstance(name := wish.get("name"), str) or not name:
        raise Problem(422, "name is empty")
    language = wish.get("language", "en")
    if language not in HELLO:
        raise Problem(422, f"there is no greeting in this language; take one of {', '.join(HELLO)}")
    return {"text": f"{HELLO[language]}, {name}!", "language": language}

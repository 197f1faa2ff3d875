"""
Reading a condition's text: total, so that any text gives a condition or one mistake with its column.

    condition  = all , { "or" , all } ;
    all        = one , { "and" , one } ;
    one        = "not" , one | "(" , condition , ")" | "true" | "false" | about ;
    about      = name , [ operator , ( literal | name ) | [ "not" ] , "in" , list | "is" , "known" ] ;
    list       = "[" , literal , { "," , literal } , "]" ;

What can't ever be true for its types (an order of texts, a list of mixed ones) is a mistake here, so that
it is seen where it is written and not in the middle of an emergency.
"""

from collections.abc import Callable, Sequence
from typing import Final

from tidegate.domain.conditions.model import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_TEXT_BYTES,
    Among,
    And,
    Compare,
    Comparison,
    Condition,
    Constant,
    Fact,
    Known,
    Mistake,
    Not,
    Or,
    Value,
)
from tidegate.domain.conditions.tokens import Token, TokenKind, cut

_OPERATORS: Final = frozenset(one.value for one in Comparison)


def parse(text: str) -> Condition | Mistake:
    """Return the condition that *text* says, or the first mistake in it. Raises nothing."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        return Mistake(
            column=1,
            message=f"the condition is longer than {MAX_TEXT_BYTES} bytes",
            fix="say it shorter, or as several types",
        )
    tokens = cut(text)
    if isinstance(tokens, Mistake):
        return tokens
    try:
        return _Reader(tokens).whole()
    except _Wrong as exc:
        return exc.mistake


def parse_literal(text: str) -> Value | Mistake:
    """Return the value that the literal *text* stands for, or why it is none. Raises nothing."""
    tokens = cut(text)
    if isinstance(tokens, Mistake):
        return tokens
    first = tokens[0]
    if len(tokens) != 2 or first.kind is not TokenKind.LITERAL or first.value is None:
        return Mistake(
            column=1,
            message=f"{text[:40]!r} is no literal",
            fix='write true, false, 7.5, 30m or "text"',
        )
    return first.value


class _Wrong(Exception):  # noqa: N818 - never leaves this file
    """Ends reading at the first mistake."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


class _Reader:
    """One reading of one text: where it is, how many parts it has made, how deep it is."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nodes = 0
        self._depth = 0

    def whole(self) -> Condition:
        condition = self._any()
        left = self._next
        if left.kind is not TokenKind.END:
            raise _wrong(left, f"{left.text} can't follow here", "join conditions by and / or")
        return condition

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._took("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else self._made(Or(tuple(parts)))

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else self._made(And(tuple(parts)))

    def _one(self) -> Condition:
        token = self._next
        if self._took("not"):
            return self._made(Not(self._deeper(token, self._one)))
        if self._took("("):
            inner = self._deeper(token, self._any)
            self._need(")", "close the parenthesis with )")
            return inner
        if token.kind is TokenKind.LITERAL and isinstance(token.value, bool):
            self._at += 1
            return self._made(Constant(token.value))
        if token.kind is TokenKind.NAME:
            self._at += 1
            return self._about(token)
        raise self._expected_condition(token)

    def _deeper(self, token: Token, read: Callable[[], Condition]) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _wrong(
                token, f"nested deeper than {MAX_DEPTH}", "split it, or leave parentheses out"
            )
        inner = read()
        self._depth -= 1
        return inner

    def _about(self, name: Token) -> Condition:
        token = self._next
        if token.text in _OPERATORS and token.kind is TokenKind.SYMBOL:
            self._at += 1
            return self._compared(name, Comparison(token.text), token)
        if self._took("is"):
            word = self._next
            if not self._took("known"):
                raise _wrong(
                    word,
                    "after `is` comes `known`",
                    "nothing may depend on a fact being unknown; compare values with ==",
                )
            return self._made(Known(name.text))
        if token.text == "not" and self._tokens[self._at + 1].text == "in":
            self._at += 2
            return self._made(Not(self._made(Among(name.text, self._list()))))
        if self._took("in"):
            return self._made(Among(name.text, self._list()))
        return self._made(Fact(name.text))

    def _compared(self, name: Token, comparison: Comparison, operator: Token) -> Condition:
        other = self._next
        self._at += 1
        if other.kind is TokenKind.NAME:
            return self._made(Compare(name.text, comparison, Fact(other.text)))
        if other.kind is not TokenKind.LITERAL or other.value is None:
            raise _wrong(
                other, f"after {operator.text} comes a value", 'as 7, 30m, "text" or a name'
            )
        if comparison.needs_order and isinstance(other.value, bool | str):
            raise _wrong(
                operator,
                "only numbers and durations have an order",
                "compare with == or !=, or list the values: in [..]",
            )
        return self._made(Compare(name.text, comparison, other.value))

    def _list(self) -> tuple[Value, ...]:
        self._need("[", 'list the values: in ["sev1", "sev2"]')
        values: list[Value] = []
        while True:
            token = self._next
            if token.kind is not TokenKind.LITERAL or token.value is None:
                raise _wrong(token, "a list holds literals", 'as ["sev1", "sev2"] or [1, 2]')
            if values and type(token.value) is not type(values[0]):
                raise _wrong(token, "a list holds values of one type", "make two lists of it")
            self._at += 1
            self._count(token)
            values.append(token.value)
            if not self._took(","):
                break
        self._need("]", "close the list with ]")
        return tuple(values)

    def _took(self, text: str) -> bool:
        token = self._next
        taken = token.text == text and token.kind in (TokenKind.WORD, TokenKind.SYMBOL)
        self._at += taken
        return taken

    def _need(self, symbol: str, fix: str) -> None:
        token = self._next
        if not self._took(symbol):
            raise _wrong(token, f"{symbol} is missing", fix)

    def _made(self, condition: Condition) -> Condition:
        self._count(self._tokens[max(0, self._at - 1)])
        return condition

    def _count(self, token: Token) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _wrong(token, f"more than {MAX_NODES} parts", "say it shorter")

    def _expected_condition(self, token: Token) -> "_Wrong":
        if token.kind is TokenKind.LITERAL:
            return _wrong(
                token,
                f"{token.text} stands where a fact's name must",
                "write the name first: cve.score >= 7",
            )
        what = "the condition ends" if token.kind is TokenKind.END else f"{token.text} stands"
        return _wrong(token, f"{what} where a condition must be", "as cve.score >= 7")


def _wrong(token: Token, message: str, fix: str) -> _Wrong:
    return _Wrong(Mistake(column=token.column, message=message, fix=fix))

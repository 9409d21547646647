"""YAML as plain values, with the line of every key.

Scalars follow YAML 1.2: `on` and `24:00:00` are text, not a bool and a base-60 number. The values are not validated
here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from .secrets import ADVICE, holds_secret, names_secret

__all__ = ["Document", "Key", "Mistake", "read_document"]

#: Position of a value: keys, and indices in lists.
Key: TypeAlias = tuple[str | int, ...]

_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = _TAG + "merge"
#: `$${` is a literal `${`.
_VARIABLE: Final = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<open>\$\{)")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake in the file.

    Attributes
    ----------
    key : tuple
    text : str
        What is wrong and what to do.
    line : int
        0 for the line of the key.
    """

    key: Key
    text: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """Content of a file.

    Attributes
    ----------
    values : dict
    lines : mapping
        Key to line, from 1.
    mistakes : list of Mistake
        Syntax mistakes.
    secrets : set
        Keys whose values are secrets and were left out.
    readable : bool
        Whether `values` can be validated.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    secrets: set[Key] = field(default_factory=set)
    readable: bool = True

    def line(self, key: Key) -> int:
        """Return the line of a key, or of its nearest existing parent."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


#: Far more than pools need; aliases of aliases can multiply without bounds.
_MAX_VALUES: Final = 20_000
_MAX_DEPTH: Final = 50
_MAX_DIGITS: Final = 100


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as YAML 1.2 does."""

    yaml_implicit_resolvers: dict[Any, Any] = {  # noqa: RUF012 - declared as an instance's by PyYAML
        None: [
            (_TAG + "null", re.compile(r"(?:~|null|Null|NULL|)\Z")),
            (_TAG + "bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")),
            # 007 is text: an account, not seven
            (_TAG + "int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")),
            (_TAG + "float", re.compile(r"[-+]?(?:[0-9]*\.[0-9]+|[0-9]+\.|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z")),
            (_TAG + "float", re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")),
            (_MERGE, re.compile(r"<<\Z")),
        ]
    }


def read_document(text: str, environment: Mapping[str, str]) -> Document:
    """Read YAML. Errors are among the mistakes of the returned document.

    Parameters
    ----------
    text : str
        YAML text.
    environment : mapping of str to str
        Values of `${NAME}` in the text.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except RecursionError:
        return Document(mistakes=[Mistake((), f"is nested in more than {_MAX_DEPTH} levels", 1)], readable=False)
    except yaml.YAMLError as e:
        return Document(mistakes=_syntax_mistakes(text, e), readable=False)
    if root is None:
        return Document(mistakes=[Mistake((), "is empty; begin with a line `pools:`", 1)], readable=False)
    if not isinstance(root, yaml.MappingNode):
        said = "has no keys; begin with a line `pools:` and put each pool under it"
        return Document(mistakes=[Mistake((), said, _line(root))], readable=False)
    document = Document()
    try:
        document.values.update(_Reader(document, environment).mapping(root, ()))
    except RecursionError:
        return Document(mistakes=[Mistake((), f"is nested in more than {_MAX_DEPTH} levels", 1)], readable=False)
    except _TooMuchError as e:
        return Document(mistakes=[Mistake((), str(e), _line(e.node))], readable=False)
    return document


class _TooMuchError(Exception):
    """Too many values through aliases, or too many levels."""

    def __init__(self, said: str, node: yaml.Node) -> None:
        super().__init__(said)
        self.node = node


class _Reader:
    """Converts nodes to values and records their lines."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment
        self._open: list[yaml.Node] = []
        self._n_values = 0

    def mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for inner, value in self._entries(node, key).values():
            name = str(inner.value)
            self._document.lines[(*key, name)] = _line(inner)
            values[name] = self._value(value, (*key, name))
        return values

    def _entries(self, node: yaml.MappingNode, key: Key) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the mapping's own entries, and those from `<<` that are not overridden."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for inner, value in node.value:
            self._count(inner)
            if inner.tag == _MERGE:
                for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if not isinstance(source, yaml.MappingNode) or any(source is one for one in [*self._open, node]):
                        self._fail(key, "'<<' needs a mapping named with '&' earlier in the file", inner)
                    else:
                        merged = self._entries(source, key) | merged
            elif not isinstance(inner, yaml.ScalarNode):
                self._fail(key, "a key must be one word", inner)
            elif inner.value in own:
                first = _line(own[inner.value][0])
                self._fail((*key, inner.value), f"is given twice, first in line {first}; remove one", inner)
            else:
                own[inner.value] = (inner, value)
        return own | {name: entry for name, entry in merged.items() if name not in own}

    def _count(self, node: yaml.Node) -> None:
        self._n_values += 1
        if self._n_values > _MAX_VALUES:
            raise _TooMuchError(
                f"has more than {_MAX_VALUES} values, counted after expanding '*' and '<<'; use fewer", node
            )
        if len(self._open) > _MAX_DEPTH:
            raise _TooMuchError(f"is nested in more than {_MAX_DEPTH} levels", node)

    def _value(self, node: yaml.Node, key: Key) -> Any:
        self._count(node)
        if any(node is one for one in self._open):
            return self._fail(key, "'*' refers to a value that contains it", node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, key)
            return list(self._items(node, key))
        finally:
            self._open.pop()

    def _items(self, node: yaml.Node, key: Key) -> Iterator[Any]:
        for position, item in enumerate(node.value):
            self._document.lines[(*key, position)] = _line(item)
            yield self._value(item, (*key, position))

    def _scalar(self, node: yaml.ScalarNode, key: Key) -> Any:
        text, tag = str(node.value), node.tag.removeprefix(_TAG)
        if text.strip() and (names_secret(str(key[-1])) or holds_secret(text)):
            return self._secret(key, node)
        if tag == "str":
            # in shell lines of a job, the job expands ${NAME}
            return text if key[2:3] == ("environment",) else self._expanded(text, key, node)
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag in ("int", "float"):
            if len(text) > _MAX_DIGITS:
                return self._fail(key, f"a number of {len(text)} digits", node)
            return int(text) if tag == "int" else float(text.replace(".inf", "inf").replace(".nan", "nan").lower())
        return self._fail(key, f"the tag {node.tag} is not supported; remove it", node)

    def _expanded(self, text: str, key: Key, node: yaml.Node) -> str:
        def value(found: re.Match[str]) -> str:
            name = found["name"]
            if found["open"]:
                self._fail(key, "'${' begins a variable, as in ${NAME}; for a literal '${' write $${", node)
            elif name and names_secret(name):
                self._fail(key, f"${{{name}}} is a secret: {ADVICE}", node)
            elif name:
                default: str | None = found["default"]
                known = self._environment.get(name, default)
                if known is None:
                    self._fail(key, f"${{{name}}} is not set; export {name}, or write ${{{name}:-default}}", node)
                return known or ""
            return "${"

        expanded = _VARIABLE.sub(value, text)
        if expanded != text and holds_secret(expanded):
            self._secret(key, node)
            return ""
        return expanded

    def _secret(self, key: Key, node: yaml.Node) -> str:
        self._document.secrets.add(key)
        self._fail(key, ADVICE, node)
        return ""

    def _fail(self, key: Key, text: str, node: yaml.Node) -> Any:
        """Record a mistake; return None in place of the value."""
        self._document.mistakes.append(Mistake(key, text, _line(node)))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax_mistakes(text: str, error: yaml.YAMLError) -> list[Mistake]:
    tabs = [number for number, line in enumerate(text.splitlines(), start=1) if re.match(r"[ ]*\t+\s*\S", line)]
    if tabs:
        return [Mistake((), "a tab in the indentation; use spaces", number) for number in tabs]
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        position = getattr(error, "position", 0)
        return [Mistake((), "a character that YAML forbids; remove it", text.count("\n", 0, position) + 1)]
    problem, context = str(error.problem), str(error.context)
    hint = "check the indentation and the line above"
    if "alias" in problem or "alias" in context:
        hint = "quote values that begin with '*', as in '*-*-*'"
    elif "mapping values are not allowed" in problem:
        hint = "check the indentation, and quote values that contain ': '"
    elif "single document" in str(error.context):
        hint = "a file must have one document; remove everything after '---'"
    return [Mistake((), f"not valid YAML: {problem}; {hint}", error.problem_mark.line + 1)]

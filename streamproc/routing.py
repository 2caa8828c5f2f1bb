"""Routing: which plugins tag a post, and when its pictures are looked at.

A route is a condition and what follows from it. The first route whose condition holds
decides; a post that no route takes is skipped by rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal
from zlib import crc32

import regex
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from streamproc.errors import RuleTooSlow
from streamproc.posts import Post

DEFAULT_PLUGIN: Final = "mner-tweets-sm"
SEARCH_S: Final = 0.1
"""How long a route's expression may search one text: posts come from strangers."""


@dataclass(frozen=True, slots=True)
class Look:
    """When a post's pictures are looked at.

    With `uncertain`, the text is tagged first; only a post whose uncertainty is above
    `threshold` (0 to 1) has its pictures looked at and is tagged again. Without a threshold it is
    the one that the model names itself.
    """

    mode: Literal["always", "never", "uncertain"]
    threshold: float | None = None

    def with_threshold_of(self, threshold: float) -> Look:
        """The same; where it leaves the threshold to the model, with the model's."""
        if self.mode == "uncertain" and self.threshold is None:
            return Look("uncertain", threshold)
        return self

    def asks(self, uncertainty: float) -> bool:
        """Whether a post that the text left so uncertain has its pictures looked at."""
        return self.mode == "uncertain" and self.threshold is not None and uncertainty > self.threshold

    def __str__(self) -> str:
        return self.mode if self.threshold is None else f"uncertain({self.threshold:g})"


_UNCERTAIN: Final = re.compile(r"uncertain\(\s*([0-9]*\.?[0-9]+)\s*\)")


def parse_look(value: Any) -> Look:
    """Read `always`, `never`, `uncertain(THRESHOLD)`, or `uncertain` for the model's own threshold.

    Raises:
        ValueError: it is none of them, or the threshold is not between 0 and 1.
    """
    if isinstance(value, Look):
        return value
    if value in ("always", "never", "uncertain"):
        return Look(value)
    match = _UNCERTAIN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not 0.0 <= float(match[1]) <= 1.0:
        raise ValueError(
            f"got {value!r}, expected always, never or uncertain(T) with T from 0 to 1, or uncertain for "
            "the model's own T"
        )
    return Look("uncertain", float(match[1]))


Unavailable = Literal["degrade", "wait", "dead-letter"]
"""What becomes of a post whose pictures are to be looked at when nobody can look."""

LookField = Annotated[Look, BeforeValidator(parse_look), PlainSerializer(str, return_type=str)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Settings):
    """A condition; everything that is given must hold, nothing given holds always.

    `lang` compares primary subtags: `en` takes a post in `en-GB`. `text` is a regular expression
    searched for in the text.
    """

    platform: tuple[str, ...] = ()
    lang: tuple[str, ...] = ()
    has_picture: bool | None = None
    text: str | None = None

    @field_validator("lang")
    @classmethod
    def _primary_subtags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(lang.split("-")[0].lower() for lang in value)

    @field_validator("text")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                regex.compile(value)
            except regex.error as error:
                raise ValueError(f"not a regular expression: {error}") from None
        return value


class Shadow(_Settings):
    """A plugin that tags beside the primary, into `entities.shadow`, for a share of the posts."""

    plugin: str
    sample: float = Field(default=1.0, ge=0.0, le=1.0)


class Route(_Settings):
    """What becomes of the posts that `when` takes.

    `primary` is a plugin of `[plugins]`, an installed model or an installed plugin; `"none"`
    skips the posts. `sample` is the share of these posts that is tagged, chosen by post id.
    """

    when: When = When()
    primary: str = DEFAULT_PLUGIN
    shadow: tuple[Shadow, ...] = ()
    sample: float = Field(default=1.0, ge=0.0, le=1.0)
    look: LookField = Look("uncertain")
    unavailable: Unavailable = Field(
        default="degrade",
        description="when nobody can look: tag without pictures, `wait` until somebody can, or dead-letter",
    )

    @model_validator(mode="after")
    def _shadows_are_others(self) -> Route:
        for shadow in self.shadow:
            if shadow.plugin in {self.primary, "none"}:
                raise ValueError(f"shadow {shadow.plugin!r}: expected a plugin other than the primary")
        return self


@dataclass(frozen=True, slots=True)
class Plan:
    """Who tags a post: the first plugin is the primary, the others are shadows."""

    plugins: tuple[str, ...]
    look: Look
    unavailable: Unavailable = "degrade"


@dataclass(frozen=True, slots=True)
class Skip:
    """No plugin tags this post, by rule."""

    reason: str


class Router:
    """Routes, compiled."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(_CompiledRoute(route) for route in routes)

    def route(self, post: Post) -> Plan | Skip:
        """What the first route that takes the post says."""
        for route in self._routes:
            if route.takes(post):
                return route.decide(post)
        return Skip("no route")

    def primaries(self) -> tuple[str, ...]:
        """Every plugin that may have tagged a post for `entities`, each once."""
        return tuple(dict.fromkeys(r.plan.plugins[0] for r in self._routes if r.plan is not None))

    def shadows(self) -> tuple[str, ...]:
        """Every plugin that may have tagged a post for `entities.shadow`, each once."""
        return tuple(dict.fromkeys(shadow.plugin for r in self._routes for shadow in r.shadows))


class _CompiledRoute:
    __slots__ = ("_always", "_sample", "_text", "_when", "plan", "shadows")

    def __init__(self, route: Route) -> None:
        self._when = route.when
        self._text = regex.compile(route.when.text) if route.when.text is not None else None
        self._always = route.when == When()
        self._sample = route.sample
        self.plan = (
            Plan((route.primary,), route.look, route.unavailable) if route.primary != "none" else None
        )
        self.shadows = route.shadow if self.plan is not None else ()

    def takes(self, post: Post) -> bool:
        if self._always:
            return True
        when = self._when
        if when.platform and post.platform not in when.platform:
            return False
        if when.lang and not any(lang.split("-")[0].lower() in when.lang for lang in post.lang):
            return False
        if when.has_picture is not None and bool(post.picture_urls()) is not when.has_picture:
            return False
        return self._text is None or self._finds(self._text, post.text)

    def _finds(self, pattern: regex.Pattern[str], text: str) -> bool:
        try:
            return pattern.search(text, timeout=SEARCH_S) is not None
        except TimeoutError:
            raise RuleTooSlow(
                f"the route's text expression {pattern.pattern!r} took longer than {SEARCH_S:g} s on this "
                "text: write it so that it does not backtrack, then replay"
            ) from None

    def decide(self, post: Post) -> Plan | Skip:
        if self.plan is None:
            return Skip("route says none")
        if self._sample < 1.0 and _share(post.key, "route") >= self._sample:
            return Skip("outside the sample")
        if not self.shadows:
            return self.plan
        sampled = tuple(s.plugin for s in self.shadows if _share(post.key, s.plugin) < s.sample)
        return replace(self.plan, plugins=self.plan.plugins + sampled)


def _share(key: str, salt: str) -> float:
    """A number from 0 to 1 that is the same for a post wherever and whenever it is asked for."""
    return crc32(f"{salt}\x00{key}".encode()) / 2**32

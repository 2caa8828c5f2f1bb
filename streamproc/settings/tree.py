"""The whole tree."""

from __future__ import annotations

from pydantic import Field

from streamproc.routing import Route
from streamproc.settings.broker import DeadLetters, Kafka, Topics
from streamproc.settings.plugins import PluginSettings
from streamproc.settings.running import Batching, Health, Limits
from streamproc.settings.section import Section
from streamproc.settings.vision import Vision


class Settings(Section):
    """Everything that can be set."""

    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    deadletters: DeadLetters = DeadLetters()
    limits: Limits = Limits()
    batching: Batching = Batching()
    vision: Vision = Vision()
    health: Health = Health()
    plugins: dict[str, PluginSettings] = Field(default_factory=dict)
    routes: tuple[Route, ...] = (Route(),)

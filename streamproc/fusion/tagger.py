"""One plugin at work: its model behind a runner, fed in micro-batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from streamproc.daemon import run_in_daemon_thread
from streamproc.entities import PluginInfo
from streamproc.fusion.api import FusionInput, Need
from streamproc.fusion.discovery import PluginFacts, load_plugin
from streamproc.fusion.isolation.process_runner import ProcessRunner
from streamproc.fusion.microbatch import MicroBatcher
from streamproc.fusion.runner import Result, Runner, ThreadRunner
from streamproc.settings import Batching, PluginSettings


class Tagger:
    """What the pipeline asks for tags.

    Args:
        facts: what there is to know of the plugin.
        runner: runs its model.
        batching: limits of its micro-batches.

    Attributes:
        info: names the plugin and its model in the output.
        modalities: what the model wants to see, required or optional.
        required: those of them without which it cannot work.
        widths: of the vectors that it was trained on, where a modality has several.
        look_threshold: of `look = uncertain` without a number.
        notice: for people who run it.
    """

    def __init__(self, facts: PluginFacts, runner: Runner, batching: Batching) -> None:
        self.info = PluginInfo(facts.name, facts.version, facts.model, facts.model_version)
        self.modalities = facts.modalities
        self.required = tuple(m for m, need in facts.modalities.items() if need is Need.REQUIRED)
        self.widths = facts.widths
        self.look_threshold = facts.look_threshold
        self.notice = facts.notice
        self._runner = runner
        self._batcher = MicroBatcher(runner.tag, batching)

    @classmethod
    async def open(cls, name: str, settings: PluginSettings | None, batching: Batching) -> Tagger:
        """Load what a route calls `name`, in a thread or a process of its own.

        Args:
            name: as in the route.
            settings: the entry of `[plugins]`, where there is one.
            batching: limits of its micro-batches.

        Raises:
            PluginError: says which plugin, and what to do.
        """
        if settings is None or settings.isolation == "process":
            runner = ProcessRunner(name, settings)
            return cls(await runner.start(), runner, batching)
        loaded = await run_in_daemon_thread(load_plugin, name, settings)
        return cls(loaded.facts, ThreadRunner(name, loaded.model), batching)

    def tag(
        self, posts: Sequence[FusionInput], *, wait: bool = True, explain: bool = False
    ) -> AsyncIterator[list[tuple[int, Result]]]:
        """Results with the index of their post, a group for each micro-batch that finishes.

        Args:
            posts: to be tagged.
            wait: whether they wait for company.
            explain: ask for explanations.
        """
        return self._batcher.tag(posts, wait=wait, explain=explain)

    async def close(self) -> None:
        """Finish the running micro-batch and give the model back."""
        await self._batcher.close()
        await self._runner.close()

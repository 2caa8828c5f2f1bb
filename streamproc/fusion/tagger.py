"""One plugin at work: its model behind a runner, fed in micro-batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from streamproc.entities import PluginInfo
from streamproc.fusion.api import FusionInput, FusionModel, Need
from streamproc.fusion.discovery import LoadedPlugin
from streamproc.fusion.microbatch import MicroBatcher
from streamproc.fusion.runner import Result, Runner, ThreadRunner
from streamproc.settings import Batching
from streamproc.vision.visuals import Modality


class Tagger:
    """What the pipeline asks for tags.

    Attributes:
        info: names the plugin and its model in the output.
        modalities: what the model wants to see, required or optional.
        widths: of the vectors that it was trained on, where a modality has several.
        look_threshold: of `look = uncertain` without a number.
    """

    def __init__(
        self,
        info: PluginInfo,
        modalities: Mapping[Modality, Need],
        runner: Runner,
        batching: Batching,
        *,
        widths: Mapping[Modality, int] | None = None,
        look_threshold: float = FusionModel.look_threshold,
    ) -> None:
        self.info = info
        self.modalities = dict(modalities)
        self.widths = dict(widths or {})
        self.look_threshold = look_threshold
        self._runner = runner
        self._batcher = MicroBatcher(runner.tag, batching)

    @classmethod
    def of(cls, loaded: LoadedPlugin, batching: Batching) -> Tagger:
        """A loaded plugin, in a thread of its own."""
        info = PluginInfo(
            loaded.name, loaded.plugin.version, loaded.model.model, loaded.model.model_version
        )
        model = loaded.model
        return cls(
            info,
            model.modalities,
            ThreadRunner(loaded.name, model),
            batching,
            widths=model.widths,
            look_threshold=model.look_threshold,
        )

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

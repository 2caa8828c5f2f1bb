"""Task-adaptive pre-training: an encoder learns to fill in masked sub-tokens of the training posts.

Gururangan et al. 2020, "Don't Stop Pretraining"; Devlin et al. 2019 for the objective: of 15 % of the
sub-tokens, 8 of 10 are replaced by the mask, one by a random sub-token, one by itself, and the
encoder's output h there must give back what stood there: softmax(E g(h) + b), with the embeddings E
of the encoder, and g a linear layer, GELU and layer norm, which are thrown away afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm
from transformers import PreTrainedModel

from streamproc.errors import PluginError
from streamproc_mner.collate import PostEncoder, special_id
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.recipes.recipe import Training
from streamproc_mner.training.optimizing import triangle
from streamproc_mner.windows import Limits

MASKED: Final = 0.15
_IGNORED: Final = -100
_BATCH: Final = 32
_LIMITS: Final = Limits(window=128, overlap=16, context=0)
_OUTER: Final = 2
_CLIP: Final = 1.0


class MaskedLanguageHead(nn.Module):
    """Scores of all sub-tokens at masked places.

    Args:
        encoder: whose embeddings are used.
    """

    def __init__(self, encoder: PreTrainedModel) -> None:
        super().__init__()
        width = int(encoder.config.hidden_size)
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.embeddings = encoder.get_input_embeddings()
        count: int = self.embeddings.num_embeddings  # type: ignore[assignment]
        self.bias = nn.Parameter(torch.zeros(count))

    def forward(self, hidden: Tensor) -> Tensor:
        """(n, W) to (n, V)."""
        weight: Tensor = self.embeddings.weight  # type: ignore[assignment]
        scores: Tensor = nn.functional.linear(self.transform(hidden), weight, self.bias)
        return scores


def pretrain(
    encoder: PreTrainedModel,
    tokenizer: Path,
    posts: Sequence[LabelledPost],
    training: Training,
    *,
    seed: int,
    device: torch.device,
    precision: torch.dtype,
    kept: Path,
    told: Callable[[str], None] = lambda _: None,
) -> list[float]:
    """Train an encoder in place, or load what an earlier run of the same folder made of it.

    Args:
        encoder: with its pretrained weights.
        tokenizer: its `tokenizer.json`.
        posts: whose text is read.
        training: says for how many epochs, and at which rate.
        seed: of order and masks.
        device: where the encoder is.
        precision: a shorter type than float32 is used where autocast says it may be.
        kept: file for the result.
        told: gets a line after each epoch.

    Returns:
        The mean loss of each epoch; none where it was loaded.

    Raises:
        PluginError: the tokenizer has no mask.
    """
    if kept.is_file():
        encoder.load_state_dict(load_file(kept, device=str(device)))
        return []
    texts = MaskedTexts(tokenizer, posts, seed)
    torch.manual_seed(seed)
    head = MaskedLanguageHead(encoder).to(device)
    parameters = list({id(p): p for p in (*encoder.parameters(), *head.parameters())}.values())
    optimizer = AdamW(parameters, lr=training.mlm_rate, weight_decay=training.weight_decay)
    schedule = LambdaLR(optimizer, triangle(training.mlm_epochs * texts.steps, training.warm_up))
    losses = []
    for epoch in range(1, training.mlm_epochs + 1):
        torch.manual_seed(seed * 1_000 + epoch)
        encoder.train()
        total = 0.0
        bar = tqdm(
            texts.epoch(epoch), total=texts.steps, unit="batch", disable=None,
            desc=f"masked-LM epoch {epoch}/{training.mlm_epochs}",
        )  # fmt: skip
        for done, (ids, mask, goal) in enumerate(bar, start=1):
            places = goal != _IGNORED
            with torch.autocast(device.type, dtype=precision, enabled=precision is not torch.float32):
                read = encoder(input_ids=ids.to(device), attention_mask=mask.to(device))
                scores = head(read.last_hidden_state[places.to(device)])
            loss = nn.functional.cross_entropy(scores.float(), goal[places].to(device))
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(parameters, _CLIP)
            optimizer.step()
            schedule.step()
            total += loss.item()
            bar.set_postfix(loss=f"{total / done:.3f}")
        losses.append(total / texts.steps)
        told(f"masked-LM epoch {epoch}/{training.mlm_epochs}: loss {losses[-1]:.3f}")
    draft = kept.with_name(f".{kept.name}.draft")
    save_file({key: tensor.contiguous() for key, tensor in encoder.state_dict().items()}, draft)
    draft.replace(kept)
    return losses


class MaskedTexts:
    """Posts as batches of sub-tokens with some of them masked, other ones in each epoch.

    Args:
        tokenizer: of the encoder.
        posts: whose words are read, as taggers read them.
        seed: of order and masks.

    Attributes:
        ids: of each window, between the tokens that open and close it.
        mask: the sub-token that stands for a masked one.

    Raises:
        PluginError: the tokenizer has no mask.
    """

    def __init__(self, tokenizer: Path, posts: Sequence[LabelledPost], seed: int) -> None:
        read = Tokenizer.from_file(str(tokenizer))
        try:
            self.mask = special_id(read, "[MASK]", "<mask>")
        except PluginError:
            raise PluginError(
                f"{tokenizer}: has neither [MASK] nor <mask>: leave --pretrain-mlm out"
            ) from None
        self._count = read.get_vocab_size()
        self._seed = seed
        encoded = PostEncoder(read, _LIMITS).encode([post.words for post in posts], [()] * len(posts))
        windows = [window.ids.tolist() for post in encoded for window in post.windows]
        self.ids: list[list[int]] = [ids for ids in windows if len(ids) > _OUTER]

    @property
    def steps(self) -> int:
        """In an epoch."""
        return -(-len(self.ids) // _BATCH)

    def epoch(self, number: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Batches of (B, S): ids with masks, attention mask, and what stood at masked places."""
        chance = random.Random(f"{self._seed}/mlm/{number}")
        near = sorted(self.ids, key=lambda ids: len(ids) + chance.uniform(-3.0, 3.0))
        batches = [near[start : start + _BATCH] for start in range(0, len(near), _BATCH)]
        chance.shuffle(batches)
        return [self._batch(batch, chance) for batch in batches]

    def _batch(
        self, posts: Sequence[Sequence[int]], chance: random.Random
    ) -> tuple[Tensor, Tensor, Tensor]:
        longest = max(map(len, posts))
        ids = torch.full((len(posts), longest), self.mask)  # what stands behind a post is not read
        goal = torch.full((len(posts), longest), _IGNORED)
        mask = torch.zeros((len(posts), longest), dtype=torch.int64)
        for row, post in enumerate(posts):
            ids[row, : len(post)] = torch.tensor(post)
            mask[row, : len(post)] = 1
            wanted = max(1, round(MASKED * (len(post) - _OUTER)))
            for place in chance.sample(range(1, len(post) - 1), wanted):
                goal[row, place] = post[place]
                draw = chance.random()
                if draw < 0.8:
                    ids[row, place] = self.mask
                elif draw < 0.9:
                    ids[row, place] = chance.randrange(self._count)
        return ids, mask, goal

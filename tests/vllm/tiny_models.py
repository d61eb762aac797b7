"""Makes tiny Llama and Mistral models of random weights: real architecture, gibberish answers.

Runs in the environment of `tests/vllm/requirements.lock`, never in the gateway's:
`.venv-vllm/bin/python tests/vllm/tiny_models.py FOLDER llama mistral`. Each takes a second and
1.2 MB. The same seed gives the same weights.
"""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

SEED = 20261124
VOCABULARY = 1000
CONTEXT_TOKENS = 2048
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT_TOKENS,
}
KINDS = {
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": None}),
}
START, END = "<|im_start|>", "<|im_end|>"
CHATML = (
    "{% if tools %}<|im_start|>system\nTools: {{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% elif m['content'] %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXTS = [
    "The candidate has ten years of experience with Python, SQL and distributed systems.",
    "We are hiring a senior engineer in Oslo; salary and benefits follow after the interview.",
    '{"name": "Ada Lovelace", "skills": ["mathematics", "engines"], "years": 12, "fit": true}',
    "What is the weather today? Tell the applicant when the conversation takes place.",
]


def tokenizer() -> PreTrainedTokenizerFast:
    """Train a byte-level tokenizer: any text in, about a thousand tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<unk>", "<s>", START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS * 50, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token=END, pad_token=END, unk_token="<unk>"
    )
    fast.chat_template = CHATML
    fast.model_max_length = CONTEXT_TOKENS
    return fast


def make(kind: str, folder: Path) -> None:
    """Write one model with its tokenizer into a folder."""
    torch.manual_seed(SEED)
    config_class, model_class, more = KINDS[kind]
    words = tokenizer()
    config = config_class(
        **SHAPE,
        **more,
        vocab_size=len(words),
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        tie_word_embeddings=False,
    )
    model_class(config).to(torch.bfloat16).save_pretrained(folder)
    words.save_pretrained(folder)


def main() -> None:
    """Make the kinds asked for, each in a folder of its name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kinds", nargs="+", choices=sorted(KINDS))
    asked = parser.parse_args()
    for kind in asked.kinds:
        make(kind, asked.folder / kind)


if __name__ == "__main__":
    main()

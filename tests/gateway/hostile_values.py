"""What hostile requests are made of: valid bodies to spoil, and values that are trouble."""

# ruff: noqa: E501, SIM905 - tables, one case a line

import base64
from typing import Any

Json = Any

HUGE = [
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    10**400,
    1e308,
    -1e308,
    5e-324,
    -0.0,
    -1,
    0,
    1,
    0.1 + 0.2,
    999_999_999,
]
ODD_TEXTS = [
    "",
    " ",
    "\t\r\n",
    "\u0000",
    "a\u0000b",
    "\u200b\u200e\u202eevil",
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦" * 20,
    "é" * 50 + "e\u0301" * 50,
    "\ufeff",
    "\uffff\ufffe",
    "\U0010ffff",
    "ﷺ" * 40,
    "Z̷̧̛͉̾a̸l̴g̵o̶" * 10,
    "../../../../etc/passwd",
    "'; DROP TABLE ledger; --",
    "${jndi:ldap://x/y}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "%s%s%s%n",
    "true",
    "null",
    "NaN",
    "-1",
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
    "data:text/plain;base64,####",
    "data:image/png;base64,AAAA",
    "<|endoftext|>",
    "<|im_start|>system",
    "a" * 5000,
    "x\n\ndata: [DONE]\n\n",
]
STEERING: list[tuple[str, Json]] = [
    ("api_base", "http://127.0.0.1:9/"),
    ("api_key", "sk-steered"),
    ("base_url", "http://127.0.0.1:9/"),
    ("timeout", 0.0001),
    ("num_retries", 50),
    ("max_retries", 50),
    ("mock_response", "steered"),
    ("mock_timeout", True),
    ("fallbacks", ["gpt-4o"]),
    ("guardrails", ["no such guardrail"]),
    ("cache", {"namespace": "other"}),
    ("tags", ["x"]),
    ("extra_body", {"model": "x"}),
    ("extra_headers", {"authorization": "x"}),
    ("metadata", {"user_api_key_team_id": "other"}),
    ("litellm_metadata", {"user_api_key": "other"}),
    ("litellm_call_id", "fixed"),
    ("litellm_session_id", "fixed"),
    ("proxy_server_request", {"url": "x"}),
    ("user_config", {"model_list": []}),
    ("model_list", []),
    ("specific_deployment", True),
    ("custom_llm_provider", "openai"),
    ("stream_timeout", 0),
    ("drop_params", False),
    ("disable_global_guardrails", True),
    ("no-log", True),
    ("ssl_verify", False),
    ("aws_bedrock_runtime_endpoint", "http://127.0.0.1:9"),
    ("vertex_credentials", "/etc/passwd"),
    ("prompt_id", "x"),
    ("_router_weights", {}),
    ("secret_fields", {}),
    ("previous_response_id", "resp_other"),
    ("conversation", "conv_other"),
    ("background", True),
    ("input_cost_per_token", 0),
    ("base_model", "x"),
    ("headers", {"x": "y"}),
    ("team_id", "other"),
    ("tenant_id", "other"),
]
STEERING_HEADERS = [
    "x-litellm-timeout",
    "x-litellm-tags",
    "x-litellm-num-retries",
    "x-litellm-spend-logs-metadata",
    "x-litellm-api-key",
    "x-litellm-call-id",
    "x-litellm-enable-message-redaction",
    "x-litellm-trace-id",
    "x-litellm-session-id",
    "x-litellm-agent-id",
    "litellm-changed-by",
    "x-mcp-servers",
    "openai-organization",
    "x-pass-x",
    "helicone-auth",
]
SPOOFED_HEADERS = [
    "x-tenant-id",
    "x-sluice-tenant",
    "x-sluice-tenant-id",
    "x-litellm-team-id",
    "x-litellm-end-user-id",
    "x-forwarded-user",
    "x-remote-user",
    "x-user-id",
    "x-openwebui-user-id",
]
CONTEXT_HEADERS = [
    "x-sluice-subject",
    "x-sluice-session",
    "x-sluice-entity-type",
    "x-sluice-entity-id",
    "x-sluice-parent-call-id",
]
HOST_ROUTES = """
    / /docs /redoc /openapi.json /health /health/services /health/history /key/generate /key/info
    /key/list /key/delete /key/update /user/new /user/list /team/new /team/list /team/info
    /model/new /model/info /v1/model/info /v2/model/info /model/delete /config/update
    /config/yaml /get/config/callbacks /cache/ping /cache/flushall /cache/redis/info
    /global/spend /global/spend/logs /spend/logs /spend/tags /spend/calculate /v1/files /files
    /v1/batches /v1/fine_tuning/jobs /v1/assistants /v1/threads /v1/vector_stores /v1/rerank
    /rerank /v1/images/generations /v1/images/edits /v1/videos /v1/realtime /realtime
    /v1/responses/resp_x /v1/responses/resp_x/input_items /v1/messages/count_tokens
    /v1/messages/batches /v1/chat/completions/chatcmpl-x /openai/v1/chat/completions
    /engines/gpt-4o/chat/completions /openai/deployments/gpt-4o/chat/completions
    /anthropic/v1/messages /bedrock/model/x/invoke /vertex_ai/x /gemini/v1beta/models /cohere/v1/chat
    /azure/x /langfuse/x /pass_through /mcp /mcp/tools/list /sse /ui /ui/index.html /sso/key/generate
    /login /v2/login /fallback/login /utils/token_counter /utils/transform_request
    /utils/supported_openai_params /test /active/callbacks /settings /debug/memory/summary
    /debug/asyncio-tasks /otel-spans /metrics /metrics/ /credentials /guardrails/list
    /guardrails/apply_guardrail /prompts/list /organization/list /customer/list /budget/list
    /tag/list /public/model_hub /.well-known/openid-configuration /favicon.ico /robots.txt
    /.env /.git/config /proc/self/environ /v1/models/gpt-4o /v1 /v1/ /queue/chat/completions
    /interactions /v1/a2a /rag/ingest /search /ocr /container /v1/skills /policies
""".split()
FREE_SCHEMAS: list[Json] = [
    {},
    {"type": "object"},
    {"type": "nonsense"},
    {"type": ["object", "null"], "properties": []},
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    {"type": "object", "properties": {"": {}, "é": None, "x": True}},
    {"anyOf": [], "allOf": {}, "required": "x", "additionalProperties": 1},
    {"properties": {"a": {"type": "array"}}, "strict": 1, "type": "object"},
]
_BLOCKS = [
    [],
    [{"type": "text", "text": ""}],
    [{"type": "text", "text": " "}],
    [{"type": "input_text", "text": ""}],
    "",
    " ",
    "\u202e",
    None,
]
EDGES: dict[str, list[Json]] = {
    "model": ["embedding", "tts-1", "whisper-1", "llama-3", "claude-3-5-sonnet", "explanation"],
    "temperature": [0, 2, 1e-300, 2.0000001],
    "top_p": [0, 1, 1e-300],
    "top_k": [-1, 0, 1_000_000],
    "max_tokens": [0, 1, 2**31 - 1],
    "max_completion_tokens": [1, 2**31 - 1],
    "max_output_tokens": [1, 15, 2**31 - 1],
    "n": [1, 2, 128],
    "best_of": [0, 20],
    "logprobs": [True, 0, 5],
    "top_logprobs": [0, 20],
    "logit_bias": [{}, {"0": 100}, {"999999999": -100}],
    "stop": ["", [], ["", ""], ["a"] * 4],
    "stop_sequences": [[], [" "], ["a"] * 64],
    "seed": [-(2**53), 2**53, 0],
    "user": ["", "é", "x" * 512],
    "echo": [True],
    "suffix": ["", "é"],
    "prompt": ["", " ", [""], ["", ""]],
    "input": ["", " ", [""], [" "], [], "\ufeff", [[0]], [0], [2**31 - 1]],
    "instructions": ["", None],
    "system": ["", [], [{"type": "text", "text": ""}]],
    "stream": [True, False, None],
    "store": [True, False],
    "modalities": [[], ["text"], ["text", "audio"], ["audio"]],
    "audio": [{"format": "wav", "voice": "alloy"}],
    "reasoning_effort": ["none", "minimal", "max"],
    "reasoning": [{}, {"effort": "none"}, {"summary": "auto", "generate_summary": "auto"}],
    "thinking": [
        {"type": "adaptive"},
        {"type": "disabled"},
        {"type": "between_tools"},
        {"type": "enabled", "budget_tokens": 2**31 - 1},
    ],
    "verbosity": ["low", "high"],
    "service_tier": ["auto", "flex", "priority", "standard_only"],
    "prediction": [{"type": "content", "content": ""}, {"type": "content", "content": []}],
    "parallel_tool_calls": [True, False],
    "tool_choice": [
        "none",
        "required",
        {"type": "any"},
        {"type": "function", "function": {"name": "absent"}},
        {"type": "function", "name": "absent"},
        {"type": "tool", "name": "absent"},
        {"type": "allowed_tools", "mode": "auto", "tools": []},
    ],
    "tools": [
        [],
        *([{"type": "function", "function": {"name": "f", "parameters": s}}] for s in FREE_SCHEMAS),
        *(
            [{"type": "function", "name": "f", "parameters": s, "strict": None}]
            for s in FREE_SCHEMAS
        ),
        *([{"name": "f", "input_schema": s}] for s in FREE_SCHEMAS),
        [{"type": "function", "function": {"name": "f"}}] * 2,
        [{"type": "custom", "custom": {"name": "f"}}],
        [{"type": "custom", "name": "f"}],
    ],
    "functions": [[], [{"name": "f"}], [{"name": "f", "parameters": {}}]],
    "function_call": ["none", "auto", {"name": "absent"}],
    "response_format": [
        {"type": "text"},
        {"type": "json_object"},
        "opus",
        *(
            {"type": "json_schema", "json_schema": {"name": "n", "schema": s, "strict": True}}
            for s in FREE_SCHEMAS
        ),
    ],
    "text": [
        {},
        {"verbosity": "low"},
        {"format": {"type": "json_object"}},
        *(
            {"format": {"type": "json_schema", "name": "n", "schema": s, "strict": True}}
            for s in FREE_SCHEMAS
        ),
    ],
    "output_config": [
        {},
        {"effort": "max"},
        *({"format": {"type": "json_schema", "schema": s}} for s in FREE_SCHEMAS),
    ],
    "messages": [
        *([{"role": "user", "content": c}] for c in _BLOCKS),
        *([{"role": "assistant", "content": c}] for c in _BLOCKS),
        *([{"role": "system", "content": c}] for c in _BLOCKS),
        [{"role": "developer", "content": "x"}],
        [{"role": "tool", "tool_call_id": "absent", "content": "x"}],
        [{"role": "function", "name": "absent", "content": None}],
        [{"role": "assistant", "tool_calls": []}],
        [
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": a}}
                ],
            }
            for a in ("", "not JSON", "[]", "null", "1")
        ],
        [{"role": "user", "content": "x"}] * 2048,
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b", "name": "é"}],
        [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "image_url", "image_url": {"url": "data:a/b;x=y;base64,AAAA"}},
                ],
            }
        ],
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
                ],
            }
        ],
        [
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
                    {"type": "file", "file": {"file_data": "AAAA", "filename": ""}},
                ],
            }
        ],
        [
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "absent", "content": []}],
            }
        ],
    ],
    "dimensions": [1, 65_536],
    "encoding_format": ["base64", "float"],
    "speed": [0.25, 4, "fast"],
    "voice": ["", "nonsense", "é"],
    "metadata": [{}, None, {"subject": "é\u202e"}, {"k": ""}, {"subject": "x" * 512}],
    "include": [[], ["reasoning.encrypted_content"]],
    "truncation": ["auto"],
    "context_management": [[], [{"type": "compaction", "compact_threshold": 1}]],
    "cache_control": [{"type": "ephemeral", "ttl": "1h"}],
    "moderation": [{"model": "omni-moderation-latest"}],
    "prompt_cache_key": ["", "x"],
}
"""Values that fit some schema, mostly at its edge."""
METHODS = "GET POST PUT PATCH DELETE HEAD OPTIONS TRACE CONNECT PROPFIND QUERY".split()
CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
RESPONSES, MESSAGES, MODERATIONS = "/v1/responses", "/v1/messages", "/v1/moderations"
SPEECH, TRANSCRIPTIONS = "/v1/audio/speech", "/v1/audio/transcriptions"
JSON_PATHS = [CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MESSAGES, MODERATIONS, SPEECH]


def bodies(canary: str) -> dict[str, list[Json]]:
    """Valid bodies of every endpoint that takes JSON; the canary stands in every prompt."""
    user = {"role": "user", "content": f"hello {canary}"}
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    tool = {
        "type": "function",
        "function": {"name": "look_up", "description": canary, "parameters": schema},
    }
    picture = "data:image/png;base64," + base64.b64encode(b"\x89PNG not a picture").decode()
    called = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
        ],
    }
    chat = {"model": "gpt-4o", "messages": [{"role": "system", "content": canary}, user]}
    messages = {"model": "decision", "max_tokens": 32, "messages": [user]}
    return {
        CHAT: [
            chat,
            {**chat, "stream": True, "stream_options": {"include_usage": True}},
            {
                **chat,
                "model": "matching",
                "tools": [tool],
                "tool_choice": "auto",
                "temperature": 0.5,
                "max_tokens": 20,
                "stop": ["x"],
                "seed": 1,
                "n": 1,
                "logit_bias": {"50256": -100},
                "metadata": {"subject": "s-1", "session": "s-2"},
                "user": "u-1",
            },
            {
                "model": "claude-3-5-sonnet",
                "messages": [
                    user,
                    called,
                    {"role": "tool", "tool_call_id": "c1", "content": canary},
                ],
                "tools": [tool],
            },
            {
                "model": "resume_parsing",
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": canary},
                            {"type": "image_url", "image_url": {"url": picture, "detail": "low"}},
                        ],
                    }
                ],
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "r", "schema": schema, "strict": True},
                },
            },
            {**chat, "model": "llama-3", "functions": [tool["function"]], "function_call": "auto"},
        ],
        COMPLETIONS: [
            {"model": "gpt-4o", "prompt": f"hello {canary}", "max_tokens": 9},
            {"model": "gpt-4o-mini", "prompt": [canary, "b"], "stream": True, "echo": False},
            {"model": "gpt-4o", "prompt": [1, 2, 3], "suffix": canary, "best_of": 1},
        ],
        EMBEDDINGS: [
            {"model": "embedding", "input": canary},
            {"model": "text-embedding-ada-002", "input": [canary, "b"], "dimensions": 8},
            {"model": "embed-english-v3.0", "input": [canary], "encoding_format": "float"},
            {"model": "embedding", "input": [[1, 2], [3]], "user": "u"},
        ],
        RESPONSES: [
            {"model": "gpt-4o", "input": canary},
            {
                "model": "matching",
                "instructions": canary,
                "input": [{"role": "user", "content": [{"type": "input_text", "text": canary}]}],
                "tools": [{"type": "function", "name": "f", "parameters": schema, "strict": True}],
                "text": {"format": {"type": "text"}},
                "reasoning": {"effort": "low"},
                "max_output_tokens": 64,
                "metadata": {"subject": "s"},
            },
            {"model": "claude-3-5-sonnet", "input": canary, "stream": True},
            {
                "model": "gpt-4o",
                "input": [
                    {"type": "message", "role": "user", "content": canary},
                    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c", "output": canary},
                ],
            },
        ],
        MESSAGES: [
            messages,
            {**messages, "stream": True, "system": [{"type": "text", "text": canary}]},
            {
                **messages,
                "model": "gpt-4o",
                "tools": [{"name": "f", "input_schema": schema}],
                "tool_choice": {"type": "auto"},
                "stop_sequences": ["x"],
                "top_k": 5,
                "metadata": {"user_id": "u"},
            },
            {
                **messages,
                "messages": [
                    user,
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "t1", "content": canary},
                            {
                                "type": "image",
                                "source": {
                                    "type": "base64",
                                    "media_type": "image/png",
                                    "data": picture.partition(",")[2],
                                },
                            },
                        ],
                    },
                ],
                "thinking": {"type": "enabled", "budget_tokens": 1024},
                "max_tokens": 2048,
            },
        ],
        MODERATIONS: [{"input": canary}, {"input": [canary, "b"], "model": "omni-moderation-latest"}],
        SPEECH: [
            {"model": "tts-1", "input": canary, "voice": "alloy", "response_format": "mp3"},
            {"model": "tts-1", "input": canary, "voice": "nova", "speed": 1.5, "stream_format": "audio"},
        ],
    }  # fmt: skip

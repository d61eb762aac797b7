"""Content blocks of Anthropic messages; what the provider's own tools produce is not among them.

Source: Anthropic API reference, messages (anthropic 2.12.0, read 2026-11-23).
"""

from typing import Annotated, Literal

from msgspec import Meta

from plugins.proxy.schema import fields as f
from plugins.proxy.schema.checked import Base64, DataUrl, FreeObject
from plugins.proxy.schema.fields import CacheControl, Strict

MAX_BLOCKS = 2048


class CharLocation(Strict, tag_field="type", tag="char_location"):
    """A citation by characters."""

    cited_text: str
    document_index: f.Index
    start_char_index: f.Index
    end_char_index: f.Index
    document_title: str | None = None
    file_id: None = None


class PageLocation(Strict, tag_field="type", tag="page_location"):
    """A citation by pages."""

    cited_text: str
    document_index: f.Index
    start_page_number: f.Index
    end_page_number: f.Index
    document_title: str | None = None
    file_id: None = None


class BlockLocation(Strict, tag_field="type", tag="content_block_location"):
    """A citation by content blocks."""

    cited_text: str
    document_index: f.Index
    start_block_index: f.Index
    end_block_index: f.Index
    document_title: str | None = None
    file_id: None = None


class SearchLocation(Strict, tag_field="type", tag="search_result_location"):
    """A citation of a search result that the caller gave."""

    cited_text: str
    search_result_index: f.Index
    start_block_index: f.Index
    end_block_index: f.Index
    source: str
    title: str | None = None


Citation = CharLocation | PageLocation | BlockLocation | SearchLocation


class TextBlock(Strict, tag_field="type", tag="text"):
    """Words."""

    text: str
    cache_control: CacheControl | None = None
    citations: Annotated[list[Citation], Meta(max_length=1024)] | None = None


class Base64Image(Strict, tag_field="type", tag="base64"):
    """An image's bytes."""

    data: Base64
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]


class UrlSource(Strict, tag_field="type", tag="url"):
    """Bytes inside a `data:` URL."""

    url: DataUrl


class ImageTransformations(Strict):
    """What to do with an image that is too large."""

    oversized_image: Literal["downsize", "error"] | None = None


class ImageBlock(Strict, tag_field="type", tag="image"):
    """A picture."""

    source: Base64Image | UrlSource
    cache_control: CacheControl | None = None
    transformations: ImageTransformations | None = None


class Base64Pdf(Strict, tag_field="type", tag="base64"):
    """A PDF's bytes."""

    data: Base64
    media_type: Literal["application/pdf"]


class PlainText(Strict, tag_field="type", tag="text"):
    """A document of words."""

    data: str
    media_type: Literal["text/plain"]


class BlocksSource(Strict, tag_field="type", tag="content"):
    """A document of blocks."""

    content: str | Annotated[list[TextBlock | ImageBlock], Meta(max_length=MAX_BLOCKS)]


class CitationsConfig(Strict):
    """Whether the answer cites."""

    enabled: bool | None = None


class DocumentBlock(Strict, tag_field="type", tag="document"):
    """A document."""

    source: Base64Pdf | PlainText | BlocksSource | UrlSource
    cache_control: CacheControl | None = None
    citations: CitationsConfig | None = None
    context: str | None = None
    title: str | None = None


class SearchResultBlock(Strict, tag_field="type", tag="search_result"):
    """A search result that the caller found."""

    content: Annotated[list[TextBlock], Meta(max_length=MAX_BLOCKS)]
    source: str
    title: str
    cache_control: CacheControl | None = None
    citations: CitationsConfig | None = None


class ThinkingBlock(Strict, tag_field="type", tag="thinking"):
    """The model's thoughts, as they came back."""

    thinking: str
    signature: str
    cache_control: CacheControl | None = None


class RedactedThinkingBlock(Strict, tag_field="type", tag="redacted_thinking"):
    """Thoughts that only the provider can read."""

    data: str
    cache_control: CacheControl | None = None


class DirectCaller(Strict):
    """The model itself, not code that it wrote."""

    type: Literal["direct"]


class ToolUseBlock(Strict, tag_field="type", tag="tool_use"):
    """A tool that the model called."""

    id: f.Identifier
    name: f.Name
    input: FreeObject
    cache_control: CacheControl | None = None
    caller: DirectCaller | None = None
    toolset_name: f.Name | None = None


class ToolReferenceBlock(Strict, tag_field="type", tag="tool_reference"):
    """A tool's name."""

    tool_name: f.Name
    cache_control: CacheControl | None = None


ResultBlock = TextBlock | ImageBlock | SearchResultBlock | DocumentBlock | ToolReferenceBlock


class ToolResultBlock(Strict, tag_field="type", tag="tool_result"):
    """What a tool gave back."""

    tool_use_id: f.Identifier
    content: str | Annotated[list[ResultBlock], Meta(max_length=MAX_BLOCKS)] | None = None
    cache_control: CacheControl | None = None
    is_error: bool | None = None
    toolset_name: f.Name | None = None


ContentBlock = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | SearchResultBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ToolResultBlock
)

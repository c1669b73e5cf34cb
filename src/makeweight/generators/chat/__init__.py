"""Rows written by a prompted chat model, behind any endpoint that speaks the chat-completions protocol."""

from makeweight.generators.chat.generator import ChatGenerator
from makeweight.generators.chat.session import RemoteNotice

__all__ = ["ChatGenerator", "RemoteNotice"]

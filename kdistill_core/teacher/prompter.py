"""What a writer sends for a request: the prompt filled with its context and, where the prompt asks for them, notes."""

from __future__ import annotations

from kdistill_core.teacher.drafts import Request
from kdistill_core.teacher.knowledge import KnowledgeBase, load_knowledge
from kdistill_core.teacher.prompts import Message, RationalePrompt, messages_for, notes_for


class Prompter:
    """Fills a prompt for each request; notes are drawn by the request's own draw, so that they are always the same.

    knowledge: by default the bundled one, read only where the prompt takes notes.
    """

    def __init__(self, prompt: RationalePrompt, knowledge: KnowledgeBase | None = None) -> None:
        self.prompt = prompt
        self._knowledge = knowledge or (load_knowledge() if prompt.noted else None)

    @property
    def settings(self) -> str:
        """What the notes add to a writer's settings: which knowledge they are from."""
        return f", notes of {self._knowledge.sha256[:12]}" if self.prompt.noted and self._knowledge else ""

    def messages(self, request: Request) -> tuple[Message, ...]:
        """Return the turns that ask for the rationale of ``request``."""
        if not self.prompt.noted or self._knowledge is None:
            return messages_for(self.prompt, request.context)
        notes = notes_for(request.context, self._knowledge, request.draw)
        return messages_for(self.prompt, request.context, notes)

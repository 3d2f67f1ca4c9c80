"""Asking a language model for notes: any server that speaks OpenAI's chat completions.

The OpenAI client's own retries are not used for them: it waits two minutes at most where a server asks for longer,
each of its requests waits for itself alone, and it cannot leave out an option that a server refuses.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from dermnote.llm.completion import Reply, read_completion
from dermnote.llm.dialect import LIMITS, Dialect
from dermnote.llm.endpoint import NO_KEY, Endpoint
from dermnote.llm.llm_errors import (
    KeyRefusedError,
    MalformedError,
    NoKeyError,
    NotAnApiError,
    RequestRefusedError,
    SlowError,
    UnreachableError,
    WriterError,
)
from dermnote.llm.messages import Messages, question, repair
from dermnote.llm.pacing import Pacing, retry_after
from dermnote.llm.request import NoteRequest
from dermnote.llm.retries import MayRepeat, always, retried
from dermnote.llm.status_errors import CHECK_ADDRESS, Said, one_line, status_fault, without_keys
from dermnote.notes.schema import Note

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["DEFAULT_MODEL", "NoteWriter", "Reply"]

DEFAULT_MODEL = "gpt-4o-mini"
# What befalls a request on its way out, by the name it has in httpx and httpx2 alike
ON_THE_WAY_OUT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "WriteError", "WriteTimeout")


class NoteWriter:
    """Asks one language model.

    Args:
        model: Its name; None takes DERMNOTE_LLM, else `DEFAULT_MODEL`.
        base_url: The server's address; None takes OPENAI_BASE_URL, else OpenAI.
        api_key: None takes OPENAI_API_KEY. A missing key is an error only when something is asked.
        timeout: Seconds that one request may take.
        max_retries: How often a request is sent again after a busy server, a fault or a lost connection.
        patience: Seconds that one note may spend waiting for a busy server in all.

    Raises:
        ConfigError: The address is none.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        max_retries: int = 4,
        patience: float = 600.0,
    ) -> None:
        self.model = model or os.environ.get("DERMNOTE_LLM") or DEFAULT_MODEL
        self.timeout, self.max_retries, self.patience = timeout, max_retries, patience
        self._endpoint = Endpoint.find(base_url, api_key)
        # OpenAI's newer models know only the second name, most other servers only the first
        self._dialect = Dialect(limit=LIMITS[1] if self._endpoint.is_openai else LIMITS[0])
        self._lock = threading.Lock()
        self._pacing = Pacing()
        self._opened: tuple[asyncio.AbstractEventLoop, AsyncOpenAI] | None = None

    def __repr__(self) -> str:
        return f"NoteWriter({self.model!r}, host={self.host!r})"

    @property
    def host(self) -> str:
        """Host of the server, and its port where one is given."""
        return self._endpoint.host

    @property
    def is_local(self) -> bool:
        """Whether what is sent stays on this machine (loopback only)."""
        return self._endpoint.is_local

    @property
    def is_set_up(self) -> bool:
        """Whether a key, or a server of one's own, is known."""
        return self._endpoint.is_set_up

    @property
    def client(self) -> AsyncOpenAI:
        """The OpenAI client of the running event loop, with its own retries, for other routes; use it in `faults`.

        Raises:
            NoKeyError: OpenAI is asked, and no key is known.
            KeyRefusedError: The key holds characters that cannot be sent.
        """
        return self._own_client().with_options(max_retries=self.max_retries)

    def _own_client(self) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._opened is None or self._opened[0] is not loop:  # connections belong to the loop that opened them
            self._opened = (loop, self._new_client())
        return self._opened[1]

    def _new_client(self) -> AsyncOpenAI:
        if not self.is_set_up:
            raise NoKeyError("No key for the language model is set.", "Set OPENAI_API_KEY, or OPENAI_BASE_URL.")
        if not self._endpoint.key_fits_a_header:
            raise KeyRefusedError("The key holds characters that no key has.", "Check OPENAI_API_KEY.")
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient  # half a second, and only who asks needs it

        # Not redirected: a picture goes to the host that was named and to no other. Not through a proxy if local.
        http = DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not self.is_local)
        return AsyncOpenAI(
            api_key=self._endpoint.api_key or NO_KEY,
            base_url=self._endpoint.base_url,
            timeout=self.timeout,
            max_retries=0,
            http_client=http,
        )

    async def aclose(self) -> None:
        """Closes the client's connections."""
        if self._opened is not None:
            await self._opened[1].close()
            self._opened = None

    def body(self, request: NoteRequest, jpeg: bytes | None) -> dict[str, Any]:
        """A request's chat completion body as it is sent now, options that the server refused left out."""
        return self._body(request, question(request, jpeg), self._dialect)

    def _body(self, request: NoteRequest, messages: Messages, dialect: Dialect) -> dict[str, Any]:
        prompt = request.asking.prompt
        options = dialect.options(request.asking.schema, prompt.temperature, prompt.max_tokens)
        return {"model": self.model, "messages": messages, **options}

    def write(self, request: NoteRequest, jpeg: bytes | None) -> Note:
        """Asks and waits for a note (see `reply`)."""
        return request.note(self.reply(request, jpeg).text)

    def reply(self, request: NoteRequest, jpeg: bytes | None, may_repeat: MayRepeat = always) -> Reply:
        """Asks and waits; in any thread, also beside others and where an event loop runs already (a notebook).

        Raises:
            WriterError: No answer came of it (arguments as in `ask`).
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._ask_alone(request, jpeg, may_repeat))
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(asyncio.run, self._ask_alone(request, jpeg, may_repeat)).result()

    async def _ask_alone(self, request: NoteRequest, jpeg: bytes | None, may_repeat: MayRepeat) -> Reply:
        async with self._new_client() as client:
            return await self._ask(client, request, jpeg, may_repeat)

    async def ask(self, request: NoteRequest, jpeg: bytes | None, may_repeat: MayRepeat = always) -> Reply:
        """Asks for one answer; a malformed one is sent back once to be repaired.

        Args:
            request: What is asked.
            jpeg: The picture, as `outgoing_jpeg` makes it; None for a strategy without.
            may_repeat: Asked before a request that failed is sent again; see `WriterError.answer_lost`.

        Raises:
            WriterError: No answer came of it; its `usage` says what was used up all the same.
        """
        return await self._ask(self._own_client(), request, jpeg, may_repeat)

    async def _ask(
        self, client: AsyncOpenAI, request: NoteRequest, jpeg: bytes | None, may_repeat: MayRepeat = always
    ) -> Reply:
        messages = question(request, jpeg)
        try:
            return self.read_completion(await self._complete(client, request, messages, may_repeat), request)
        except MalformedError as fault:
            first = fault
        try:
            again = await self._complete(client, request, messages + repair(first), may_repeat)
            reply = self.read_completion(again, request)
        except WriterError as fault:
            fault.usage += first.usage
            raise
        return Reply(reply.text, first.usage + reply.usage, reply.served_by)

    def read_completion(self, completion: Mapping[str, Any], request: NoteRequest) -> Reply:
        """Reads one completion's body, also of a batch's result (see `completion.read_completion` for the errors)."""
        return read_completion(completion, request, self._endpoint)

    async def _complete(
        self, client: AsyncOpenAI, request: NoteRequest, messages: Messages, may_repeat: MayRepeat
    ) -> Any:
        """A completion's body; an option that the server refuses is left out, then and ever after."""
        dialect = self._dialect
        while True:
            body = self._body(request, messages, dialect)
            try:
                completion = await retried(
                    partial(self._send, client, body), self._pacing, self.max_retries, self.patience, may_repeat
                )
            except RequestRefusedError as fault:
                plainer = dialect.without(fault.said)
                if plainer is None:
                    raise
                dialect = plainer
            else:
                with self._lock:
                    self._dialect = self._dialect.plainest(dialect)
                return completion

    async def _send(self, client: AsyncOpenAI, body: Mapping[str, Any]) -> Any:
        with self.faults():
            # the client's own limit is one of silence: a server that sends a byte now and then never reaches it
            async with asyncio.timeout(self.timeout):
                # not chat.completions.create: it walks through the body for nothing, two fifths of the client's time
                answer = await client.post("/chat/completions", body=body, cast_to=bytes)
        try:
            return json.loads(answer)
        except ValueError:
            raise NotAnApiError(f"{self.host} answered with something that is no JSON.", CHECK_ADDRESS) from None

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turns the OpenAI client's errors into faults of ours; their causes are cut off, as they may quote a key."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            wait = retry_after(error.response.headers)
            said = Said.of(error.status_code, error.body, self._endpoint, wait)
            raise status_fault(said, self._endpoint, self.model) from None
        except (openai.APITimeoutError, TimeoutError) as error:
            raise SlowError(
                f"{self.host} did not answer within {self.timeout:g} s.",
                "Raise --timeout, or lower --concurrency.",
                retryable=True,
                answer_lost=_went_out(error),
            ) from None
        except openai.APIConnectionError as error:
            why = one_line(without_keys(str(error.__cause__ or error), self._endpoint))
            raise UnreachableError(
                f"{self.host} could not be reached, or dropped the connection ({why}).",
                "Is the server running, and --base-url or OPENAI_BASE_URL right?",
                retryable=True,
                answer_lost=_went_out(error),
            ) from None
        except openai.OpenAIError as error:
            raise NotAnApiError(f"{self.host}: {type(error).__name__}.", CHECK_ADDRESS) from None


def _went_out(error: BaseException) -> bool:
    """Whether a request that failed had reached the server, as far as can be told."""
    return type(error.__cause__).__name__ not in ON_THE_WAY_OUT

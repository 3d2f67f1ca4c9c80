"""Client of any server that speaks OpenAI's chat completions API.

The OpenAI client's own retries are not used for chat completions: they wait two minutes at most where a server asks
for longer, each request waits for itself alone, and options that a server rejects cannot be left out.
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

from dermnote.llm.chat_request import ChatRequest, Messages, repair_messages, request_messages
from dermnote.llm.endpoint import LIMITS, NO_KEY, Dialect, Endpoint
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
from dermnote.llm.pacing import MayRepeat, Pacing, retry_after, send_with_retries
from dermnote.llm.responses import (
    CHECK_ADDRESS,
    ErrorResponse,
    Reply,
    one_line,
    read_completion,
    status_error,
    without_keys,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

DEFAULT_MODEL = "gpt-4o-mini"
# Errors before a request has reached the server, by class name, which httpx and httpx2 share.
NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "WriteError", "WriteTimeout")


class ChatClient:
    """Client of one language model.

    Args:
        model: Model name; None takes DERMNOTE_LLM, else `DEFAULT_MODEL`.
        base_url: Server address; None takes OPENAI_BASE_URL, else OpenAI.
        api_key: None takes OPENAI_API_KEY. A missing key is an error only when a request is sent.
        timeout: Time limit of one request in seconds.
        max_retries: Most repetitions after a busy server, a server error or a lost connection.
        patience: Longest time in seconds that one request waits for a busy server in total.

    Raises:
        ConfigError: The address is invalid.
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
        # OpenAI's newer models support only the second name, most other servers only the first
        self._dialect = Dialect(limit=LIMITS[1] if self._endpoint.is_openai else LIMITS[0])
        self._lock = threading.Lock()
        self._pacing = Pacing()
        self._opened: tuple[asyncio.AbstractEventLoop, AsyncOpenAI] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, host={self.host!r})"

    @property
    def host(self) -> str:
        """Host of the server, and its port where given."""
        return self._endpoint.host

    @property
    def is_local(self) -> bool:
        """True if the server runs on this machine (loopback only)."""
        return self._endpoint.is_local

    @property
    def is_set_up(self) -> bool:
        """True if a key, or another server than OpenAI's, is configured."""
        return self._endpoint.is_set_up

    @property
    def client(self) -> AsyncOpenAI:
        """OpenAI client of the running event loop, with its own retries, for other routes; use with `openai_errors`.

        Raises:
            NoKeyError: The server is OpenAI's, and no key is set.
            KeyRefusedError: The key contains characters that cannot be sent.
        """
        return self._loop_client().with_options(max_retries=self.max_retries)

    def _loop_client(self) -> AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._opened is None or self._opened[0] is not loop:  # connections belong to the loop that opened them
            self._opened = (loop, self._new_client())
        return self._opened[1]

    def _new_client(self) -> AsyncOpenAI:
        if not self.is_set_up:
            raise NoKeyError("No key for the language model is set.", "Set OPENAI_API_KEY, or OPENAI_BASE_URL.")
        if not self._endpoint.has_valid_key:
            raise KeyRefusedError("The key holds characters that no key has.", "Check OPENAI_API_KEY.")
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient  # takes half a second, and only requests need it

        # No redirects: an image is sent to the configured host only. No proxy for a local server.
        http = DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not self.is_local)
        return AsyncOpenAI(
            api_key=self._endpoint.api_key or NO_KEY,
            base_url=self._endpoint.base_url,
            timeout=self.timeout,
            max_retries=0,
            http_client=http,
        )

    async def aclose(self) -> None:
        """Close the client's connections."""
        if self._opened is not None:
            await self._opened[1].close()
            self._opened = None

    def body(self, request: ChatRequest, jpeg: bytes | None) -> dict[str, Any]:
        """Return a request's chat completion body, without the options that the server rejected."""
        return self._body(request, request_messages(request, jpeg), self._dialect)

    def _body(self, request: ChatRequest, messages: Messages, dialect: Dialect) -> dict[str, Any]:
        options = dialect.options(request.schema, request.temperature, request.max_tokens)
        return {"model": self.model, "messages": messages, **options}

    def reply(self, request: ChatRequest, jpeg: bytes | None, may_repeat: MayRepeat = lambda _: True) -> Reply:
        """Send a request and wait; in any thread, also beside a running event loop (arguments: see `ask`)."""

        async def ask_once() -> Reply:
            async with self._new_client() as client:
                return await self.ask(request, jpeg, may_repeat, client)

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(ask_once())
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, ask_once()).result()

    async def ask(
        self,
        request: ChatRequest,
        jpeg: bytes | None,
        may_repeat: MayRepeat = lambda _: True,
        client: AsyncOpenAI | None = None,
    ) -> Reply:
        """Send a request; a malformed answer is sent back once to be repaired.

        Args:
            request: The request.
            jpeg: Image made by `jpeg_payload`; None for a request without.
            may_repeat: Called before a failed request is sent again; see `WriterError.answer_lost`.
            client: OpenAI client; None takes that of the running event loop.

        Raises:
            WriterError: There is no usable answer; its `usage` gives the tokens used nevertheless.
        """
        client, messages = client or self._loop_client(), request_messages(request, jpeg)
        try:
            return self.read_completion(await self._complete(client, request, messages, may_repeat), request)
        except MalformedError as error:
            first = error
        try:
            repaired = await self._complete(client, request, messages + repair_messages(first), may_repeat)
            reply = self.read_completion(repaired, request)
        except WriterError as error:
            error.usage += first.usage
            raise
        return Reply(reply.text, first.usage + reply.usage, reply.served_by)

    def read_completion(self, completion: Any, request: ChatRequest) -> Reply:
        """Read one completion's body, also of a batch result (errors: see `responses.read_completion`)."""
        return read_completion(completion, request, self._endpoint, self.model)

    async def _complete(
        self, client: AsyncOpenAI, request: ChatRequest, messages: Messages, may_repeat: MayRepeat
    ) -> Any:
        """Return a completion's body; an option that the server rejects is left out from then on."""
        dialect = self._dialect
        while True:
            send = partial(self._send, client, self._body(request, messages, dialect))
            try:
                completion = await send_with_retries(send, self._pacing, self.max_retries, self.patience, may_repeat)
            except RequestRefusedError as error:
                reduced = dialect.without(error.details)
                if reduced is None:
                    raise
                dialect = reduced
            else:
                with self._lock:
                    self._dialect = self._dialect.intersection(dialect)
                return completion

    async def _send(self, client: AsyncOpenAI, body: Mapping[str, Any]) -> Any:
        with self.openai_errors():
            # the client's own limit is per read: a server that sends a byte now and then never reaches it
            async with asyncio.timeout(self.timeout):
                # not chat.completions.create, which traverses the body: two fifths of the client's time
                answer = await client.post("/chat/completions", body=body, cast_to=bytes)
        try:
            return json.loads(answer)
        except ValueError:
            raise NotAnApiError(f"{self.host} answered with something that is no JSON.", CHECK_ADDRESS) from None

    @contextmanager
    def openai_errors(self) -> Iterator[None]:
        """Convert the OpenAI client's errors to WriterError, without their causes, which may contain the key."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            wait = retry_after(error.response.headers)
            response = ErrorResponse.read(error.status_code, error.body, self._endpoint, wait)
            raise status_error(response, self._endpoint, self.model) from None
        except (openai.APITimeoutError, TimeoutError) as error:
            raise SlowError(
                f"{self.host} did not answer within {self.timeout:g} s.",
                "Raise --timeout, or lower --concurrency.",
                retryable=True,
                answer_lost=_was_sent(error),
            ) from None
        except openai.APIConnectionError as error:
            cause = one_line(without_keys(str(error.__cause__ or error), self._endpoint))
            raise UnreachableError(
                f"{self.host} could not be reached, or dropped the connection ({cause}).",
                "Is the server running, and --base-url or OPENAI_BASE_URL right?",
                retryable=True,
                answer_lost=_was_sent(error),
            ) from None
        except openai.OpenAIError as error:
            raise NotAnApiError(f"{self.host}: {type(error).__name__}.", CHECK_ADDRESS) from None


def _was_sent(error: BaseException) -> bool:
    """Return whether a failed request had reached the server, as far as known."""
    return type(error.__cause__).__name__ not in NOT_SENT

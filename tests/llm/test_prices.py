"""Prices, token counts of images, estimates, and the spending limit."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dermnote.errors import ImageError
from dermnote.images.opening import encode_jpeg
from dermnote.llm.chat_request import jpeg_payload, payload_size
from dermnote.llm.llm_errors import Usage
from dermnote.llm.prices import FREE, Budget, ImageTokens, Price, estimate_sized, find_price, read_prices
from dermnote.metadata import LesionMetadata
from dermnote.notes.note_request import RequestBuilder
from dermnote.notes.strategies import STRATEGIES
from dermnote.vocabularies.vocabulary import dermoscopy


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o-mini", (512, 512), "low", 2833),
        ("gpt-4o-mini", (512, 512), "high", 2833 + 4 * 5667),  # 768 x 768: two by two tiles
        ("gpt-4o", (512, 512), "low", 85),
        ("gpt-4o", (512, 256), "high", 85 + 6 * 170),  # 1536 x 768: three by two
        ("gpt-4o", (1024, 1024), "high", 765),  # the example of the provider's own guide
        ("gpt-4.1-mini", (512, 512), "low", 415),  # 256 patches
        ("gpt-4.1-mini", (500, 33), "high", 52),  # 16 by 2 patches
        ("gpt-4.1-mini", (9000, 9000), "high", 2489),  # no more than 1536 patches
    ],
)
def test_images_are_counted_like_the_provider_does(model, size, detail, tokens):
    assert read_prices()[model].picture.count(size, detail) == tokens


def test_the_users_prices_override_the_built_in_ones(tmp_path):
    path = tmp_path / "prices.yaml"
    path.write_text(
        "models: {gpt-4o: {input: 1, output: 2, batch: 1, picture: {patch: 1}}, mine: {input: 0, output: 3}}"
    )
    prices = read_prices(path)
    assert prices["gpt-4o"] == Price(1.0, 2.0, 1.0, ImageTokens(patch=1.0))
    assert prices["mine"].output == 3 and prices["gpt-4o-mini"] == read_prices()["gpt-4o-mini"]


def test_dated_names_have_their_models_price_and_only_local_models_are_free():
    prices = read_prices()
    assert find_price(prices, "gpt-4o-2024-08-06", local=False) == prices["gpt-4o"]
    assert find_price(prices, "medgemma", local=True) == FREE
    assert find_price(prices, "medgemma", local=False) is None
    assert find_price(prices, "gpt-4o-mini", local=True) == prices["gpt-4o-mini"]


def test_the_payload_size_is_known_without_decoding():
    for size in ((256, 256), (256, 341), (2000, 100), (512, 513)):
        stored = encode_jpeg(Image.new("RGB", size))
        with Image.open(io.BytesIO(jpeg_payload(stored))) as sent:
            assert payload_size(stored) == sent.size
    with pytest.raises(ImageError, match="damaged"):
        payload_size(b"no picture")


@pytest.mark.parametrize("name", ["m+p1", "m+p2", "p3"])
def test_the_upper_bound_exceeds_the_expected_tokens(name):
    builder = RequestBuilder(STRATEGIES[name], "gpt-4o", dermoscopy())
    request = builder.build(LesionMetadata(label="melanoma"), "x")
    picture = ImageTokens()
    found = estimate_sized(request, (256, 256), picture)
    single = estimate_sized(request, (256, 256), picture, repairs=False).worst
    assert found.usual.prompt_tokens < single.prompt_tokens < found.worst.prompt_tokens
    assert found.worst.completion_tokens == 2 * single.completion_tokens == 2 * builder.prompt.max_tokens
    # a token has at least one character
    assert single.prompt_tokens < len(request.text) + len(str(builder.schema)) + 800 + picture.low


amounts = st.integers(0, 10_000)


@given(st.lists(st.tuples(amounts, amounts, st.floats(0, 1)), max_size=40), st.floats(0.001, 0.2), st.integers(1, 5))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_a_limit_is_never_exceeded_by_concurrent_requests(requests, limit, at_once):
    budget = Budget(limit, Price(1.0, 2.0))
    under_way: list[tuple[Usage, Usage]] = []
    for prompt, answer, share in requests:
        worst = Usage(prompt, answer, 1)
        if len(under_way) == at_once:
            budget.settle(*under_way.pop(0))
        if budget.admit(worst):
            under_way.append((worst, Usage(int(prompt * share), int(answer * share), 1)))
    while under_way:
        budget.settle(*under_way.pop())
    assert budget.spent <= limit + 1e-9 and budget.idle


def test_a_reservation_is_released():
    budget = Budget(0.0135, Price(1.0, 1.0))
    worst = Usage(6_000, 0, 1)
    assert [budget.admit(worst) for _ in range(3)] == [True, True, False]
    budget.settle(worst, Usage(1_000, 0, 1))  # the second request is still under way
    assert budget.admit(worst) and budget.spent == pytest.approx(0.001)


def test_without_a_limit_everything_is_admitted_even_at_unknown_prices():
    assert Budget(None, None).admit(Usage(10**9, 10**9, 1))

"""What is said, asked and kept to before and while something is sent."""

from __future__ import annotations

import json

import pytest

from dermnote.errors import ConfigError, NotesError
from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import COUNT, check_exact
from tests.servers.llm_answers import completion
from train.note_generation import cost_estimate

AFAR = "http://notes.example.invalid/v1"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user answers; the questions take their places."""
    given: list[str] = []

    def ask(question: str) -> str:
        answer = given.pop(0)
        given.append(question)
        return answer

    monkeypatch.setattr(cost_estimate, "is_terminal", lambda: True)
    monkeypatch.setattr("builtins.input", ask)
    return given


def test_before_anything_leaves_the_machine_it_is_said_and_asked(generate, out, answers, capsys):
    answers.append("n")
    with pytest.raises(NotesError, match=r"Nothing was sent\."):
        generate("--strategy", "m", "m+p1", "p3", "--model", "gpt-4o", url=AFAR)
    assert answers == ["Send? [y/N] "] and not out.exists()
    said = capsys.readouterr().out
    assert "To be sent to notes.example.invalid, for gpt-4o:" in said
    assert "12 requests with the image and of the record: malignancy, label, subtype, description" in said
    assert "p3      12 requests with the image and nothing of the record" in said
    assert "at most 512 px, detail low; no EXIF, no file name, no id" in said
    assert "cost    about $" in said


def test_demographics_are_named_where_they_are_sent(generate, answers, capsys):
    answers.append("")
    with pytest.raises(NotesError):
        generate("--strategy", "m+p2", "p3", "--demographics", url=AFAR)
    said = capsys.readouterr().out
    assert said.count("age, sex, site, skin_type") == 1


def test_yes_is_taken_and_the_request_goes_out(generate, answers, out):
    answers.append("y")
    assert generate("--strategy", "p3", "--limit", "1", url=AFAR) == 3  # nobody is there
    assert answers == ["Send? [y/N] "]
    assert generate("--strategy", "p3", "--limit", "1", "--yes", url=AFAR) == 3


def test_without_a_terminal_somebody_must_have_said_yes(generate, monkeypatch):
    monkeypatch.setattr(cost_estimate, "is_terminal", lambda: False)
    with pytest.raises(NotesError, match=r"Nobody can be asked.*--yes"):
        generate("--strategy", "p3", url=AFAR)


def test_this_machine_needs_no_consent(generate, monkeypatch):
    monkeypatch.setattr(cost_estimate, "is_terminal", lambda: False)
    assert generate("--strategy", "p3") == 0


def test_nothing_missing_asks_nobody(generate, answers):
    assert generate("--strategy", "p3") == 0
    assert generate("--strategy", "p3", url=AFAR) == 0


def test_a_dry_run_shows_one_request_and_leaves_no_trace(generate, server, out, capsys):
    assert generate("--strategy", "m", "m+p1", "--dry-run", url=AFAR) == 0
    assert not out.parent.exists() and not server.requests
    said = capsys.readouterr().out
    assert "requests              12" in said and "cost                  about $" in said
    example = json.loads(said[said.index("{") : said.rindex("}") + 1])
    picture = example["messages"][1]["content"][1]["image_url"]["url"]
    assert picture.startswith("data:image/jpeg;base64,") and "characters)" in picture and len(picture) < 80
    assert "spotted kind" in example["messages"][1]["content"][0]["text"]


def test_a_dry_run_counts_what_is_there(generate, server, out, capsys):
    generate("--strategy", "p3")
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:7]) + b'{"torn')
    before, asked = out.read_bytes(), len(server.requests)
    capsys.readouterr()
    assert generate("--strategy", "p3", "m+p2", "--dry-run") == 0
    said = capsys.readouterr().out
    for line in ("notes up to date      7", "replies in the cache  5", "requests              12"):
        assert line in said
    assert out.read_bytes() == before and len(server.requests) == asked


def test_a_dry_run_of_templates_needs_no_server(generate, capsys):
    assert generate("--strategy", "m", "--dry-run") == 0
    assert "nothing would be sent" in capsys.readouterr().out


@pytest.mark.parametrize("concurrency", ["1", "6"])
def test_the_limit_is_kept_and_the_next_run_goes_on(generate, server, out, capsys, concurrency):
    spend = ("--strategy", "p3", "--model", "gpt-4o", "--concurrency", concurrency)
    assert generate(*spend, "--max-usd", "0.02") == 3
    first = len(read_notes(out))
    assert 0 < first == len(server.chats) < COUNT
    told = capsys.readouterr()
    cost = float(next(line for line in told.out.splitlines() if line.startswith("  cost")).split("$")[1].split()[0])
    assert cost <= 0.02
    assert f"not requested yet  {COUNT - first}" in told.out and "the limit of $0.02 is reached" in told.err
    assert generate(*spend) == 0
    assert len(server.chats) == COUNT
    check_exact(out)


def test_a_limit_below_one_request_sends_none(generate, server):
    assert generate("--strategy", "p3", "--model", "gpt-4o", "--max-usd", "0.001") == 3
    assert not server.chats


def test_failed_requests_cost_too(generate, server, out, capsys):
    server.always("refusal")
    assert generate("--strategy", "p3", "--model", "gpt-4o", "--max-usd", "0.02", "--concurrency", "1") == 3
    assert 0 < len(server.chats) < COUNT
    assert "refusals" in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["dropped", "torn", "504"])
@pytest.mark.parametrize("concurrency", ["1", "6"])
def test_requests_whose_answers_are_lost_count_too_as_they_may_be_billed(
    generate, server, monkeypatch, capsys, fault, concurrency
):
    monkeypatch.setattr("dermnote.llm.pacing.FIRST_BACKOFF", 0.01)
    server.always(fault)
    spend = ("--strategy", "p3", "--model", "gpt-4o", "--concurrency", concurrency, "--max-retries", "3")
    assert generate(*spend, "--max-usd", "0.03") == 3
    told = capsys.readouterr()
    cost = float(next(line for line in told.out.splitlines() if line.startswith("  cost")).split("$")[1].split()[0])
    assert 0.015 < cost <= 0.03
    assert 1 < len(server.chats) < COUNT and f"of unknown cost    {len(server.chats)} requests" in told.out
    assert "the limit of $0.03 is reached" in told.err


def test_answers_that_came_late_count_beside_the_lost_ones(generate, server, out, monkeypatch, capsys):
    monkeypatch.setattr("dermnote.llm.pacing.FIRST_BACKOFF", 0.01)
    server.script(["torn", None])
    assert generate("--strategy", "p3", "--model", "gpt-4o", "--max-retries", "1", "--concurrency", "1") == 0
    assert len(check_exact(out)) == COUNT and "of unknown cost  1 requests" in capsys.readouterr().out


def test_a_server_that_counts_no_tokens_is_not_free(generate, server, out, monkeypatch):
    monkeypatch.setattr("tests.servers.llm_server.completion", lambda body: {**completion(body), "usage": None})
    assert generate("--strategy", "p3", "--model", "gpt-4o", "--max-usd", "0.05") == 3
    assert 0 < len(read_notes(out)) == len(server.chats) < COUNT


def test_a_limit_without_a_price_is_refused_before_anything_is_written(generate, out, tmp_path):
    unknown = ("--strategy", "p3", "--model", "house-model", "--max-usd", "1", "--yes")
    with pytest.raises(NotesError, match=r"the price of house-model is unknown.*--prices"):
        generate(*unknown, url=AFAR)
    assert not out.parent.exists()
    prices = tmp_path / "prices.yaml"
    prices.write_text("models: {house-model: {input: 1, output: 2}}")
    assert generate(*unknown, "--prices", str(prices), "--limit", "1", url=AFAR) == 3  # nobody is there


def test_a_wrong_price_is_named(generate, tmp_path):
    prices = tmp_path / "prices.yaml"
    for text, message in (
        ("models: {a: {input: dear, output: 2}}", "input.*number"),
        ("models: {a: {input: 1}}", "needs 'input' and 'output'"),
        ("models: {a: {input: 1, output: -1}}", "from 0 on"),
        ("[]", "no 'models'"),
        ("{", "cannot be read"),
    ):
        prices.write_text(text)
        with pytest.raises((NotesError, ConfigError), match=message):
            generate("--strategy", "p3", "--prices", str(prices))


@pytest.mark.parametrize("wrong", ["--concurrency=0", "--limit=0", "--max-retries=-1", "--timeout=0", "--max-usd=nan"])
def test_numbers_out_of_range_are_one_clear_error(generate, wrong):
    with pytest.raises(NotesError, match=wrong.split("=")[0]):
        generate("--strategy", "p3", wrong)

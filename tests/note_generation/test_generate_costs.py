"""Consent, dry run, and the spending limit."""

import json

import pytest

from dermnote.errors import ConfigError, NotesError
from dermnote.notes.schema import read_notes
from tests.note_generation.conftest import COUNT, notes_by_case_id
from tests.servers.llm_answers import completion
from train.note_generation import cost_estimate

REMOTE = "http://notes.example.invalid/v1"
PAID = ("--strategy", "p3", "--model", "gpt-4o")


@pytest.fixture
def answers(monkeypatch):
    """Answers of the user; each is replaced by its question."""
    given = []

    def ask(question):
        answer = given.pop(0)
        given.append(question)
        return answer

    monkeypatch.setattr(cost_estimate, "is_terminal", lambda: True)
    monkeypatch.setattr("builtins.input", ask)
    return given


def cost_in(output):
    return float(next(line for line in output.splitlines() if line.startswith("  cost")).split("$")[1].split()[0])


def test_consent_is_required_before_anything_leaves_the_machine(generate, out, answers, capsys):
    answers.append("n")
    with pytest.raises(NotesError, match=r"Nothing was sent\."):
        generate("--strategy", "m", "m+p1", "p3", "--model", "gpt-4o", url=REMOTE)
    assert answers == ["Send? [y/N] "] and not out.exists()
    output = capsys.readouterr().out
    assert "To be sent to notes.example.invalid, for gpt-4o:" in output
    assert "12 requests with the image and of the record: malignancy, label, subtype, description" in output
    assert "p3      12 requests with the image and nothing of the record" in output
    assert "at most 512 px, detail low; no EXIF, no file name, no id" in output
    assert "cost    about $" in output
    answers[:] = [""]
    with pytest.raises(NotesError):
        generate("--strategy", "m+p2", "p3", "--demographics", url=REMOTE)
    assert capsys.readouterr().out.count("age, sex, site, skin_type") == 1


def test_with_consent_requests_are_sent(generate, answers):
    answers.append("y")
    assert generate("--strategy", "p3", "--limit", "1", url=REMOTE) == 3  # there is no such server
    assert answers == ["Send? [y/N] "]
    assert generate("--strategy", "p3", "--limit", "1", "--yes", url=REMOTE) == 3
    assert generate("--strategy", "p3") == 0
    assert generate("--strategy", "p3", url=REMOTE) == 0  # nothing is missing
    assert answers == ["Send? [y/N] "]


def test_consent_needs_a_terminal_or_yes_unless_the_server_is_local(generate, monkeypatch):
    monkeypatch.setattr(cost_estimate, "is_terminal", lambda: False)
    with pytest.raises(NotesError, match=r"needs consent.*--yes"):
        generate("--strategy", "p3", url=REMOTE)
    assert generate("--strategy", "p3") == 0


def test_a_dry_run_shows_one_request_and_writes_nothing(generate, server, out, capsys):
    assert generate("--strategy", "m", "m+p1", "--dry-run", url=REMOTE) == 0
    assert not out.parent.exists() and not server.requests
    output = capsys.readouterr().out
    assert "requests              12" in output and "cost                  about $" in output
    example = json.loads(output[output.index("{") : output.rindex("}") + 1])
    image = example["messages"][1]["content"][1]["image_url"]["url"]
    assert image.startswith("data:image/jpeg;base64,") and "characters)" in image and len(image) < 80
    assert "spotted kind" in example["messages"][1]["content"][0]["text"]
    assert generate("--strategy", "m", "--dry-run") == 0
    assert "nothing would be sent" in capsys.readouterr().out


def test_a_dry_run_counts_notes_and_replies(generate, server, out, capsys):
    generate("--strategy", "p3")
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:7]) + b'{"torn')
    before, sent = out.read_bytes(), len(server.requests)
    capsys.readouterr()
    assert generate("--strategy", "p3", "m+p1", "--dry-run") == 0
    output = capsys.readouterr().out
    for line in ("notes up to date      7", "replies in the cache  5", "requests              12"):
        assert line in output
    assert out.read_bytes() == before and len(server.requests) == sent


@pytest.mark.parametrize("concurrency", ["1", "6"])
def test_the_limit_is_kept_and_the_next_run_continues(generate, server, out, capsys, concurrency):
    assert generate(*PAID, "--concurrency", concurrency, "--max-usd", "0.02") == 3
    first = len(read_notes(out))
    assert 0 < first == len(server.chats) < COUNT
    captured = capsys.readouterr()
    assert cost_in(captured.out) <= 0.02
    assert f"not requested yet  {COUNT - first}" in captured.out and "the limit of $0.02 is reached" in captured.err
    assert generate(*PAID, "--concurrency", concurrency) == 0
    assert len(notes_by_case_id(out)) == len(server.chats)


def test_a_limit_below_one_request_sends_none(generate, server):
    assert generate(*PAID, "--max-usd", "0.001") == 3
    assert not server.chats


@pytest.mark.parametrize("failure", ["dropped", "torn", "504"])
@pytest.mark.parametrize("concurrency", ["1", "6"])
def test_lost_answers_count_with_their_upper_bound(generate, server, monkeypatch, capsys, failure, concurrency):
    monkeypatch.setattr("dermnote.llm.pacing.FIRST_BACKOFF", 0.01)
    server.always(failure)
    assert generate(*PAID, "--concurrency", concurrency, "--max-retries", "3", "--max-usd", "0.03") == 3
    captured = capsys.readouterr()
    assert 0.015 < cost_in(captured.out) <= 0.03
    assert 1 < len(server.chats) < COUNT
    assert f"of unknown cost    {len(server.chats)} requests" in captured.out
    assert "the limit of $0.03 is reached" in captured.err


def test_a_lost_answer_counts_beside_the_repeated_request(generate, server, out, monkeypatch, capsys):
    monkeypatch.setattr("dermnote.llm.pacing.FIRST_BACKOFF", 0.01)
    server.script(["torn", None])
    assert generate(*PAID, "--max-retries", "1", "--concurrency", "1") == 0
    assert len(notes_by_case_id(out)) == COUNT and "of unknown cost  1 requests" in capsys.readouterr().out


def test_a_server_that_counts_no_tokens_is_not_free(generate, server, out, monkeypatch):
    monkeypatch.setattr("tests.servers.llm_server.completion", lambda body: {**completion(body), "usage": None})
    assert generate(*PAID, "--max-usd", "0.05") == 3
    assert 0 < len(read_notes(out)) == len(server.chats) < COUNT


def test_a_limit_without_a_price_is_refused_before_anything_is_written(generate, out, tmp_path):
    unknown = ("--strategy", "p3", "--model", "house-model", "--max-usd", "1", "--yes")
    with pytest.raises(NotesError, match=r"the price of house-model is unknown.*--prices"):
        generate(*unknown, url=REMOTE)
    assert not out.parent.exists()
    prices = tmp_path / "prices.yaml"
    prices.write_text("models: {house-model: {input: 1, output: 2}}")
    assert generate(*unknown, "--prices", str(prices), "--limit", "1", url=REMOTE) == 3  # there is no such server


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {a: {input: dear, output: 2}}", "input.*number"),
        ("models: {a: {input: 1}}", "needs 'input' and 'output'"),
        ("models: {a: {input: 1, output: -1}}", "from 0 on"),
        ("[]", "no 'models'"),
        ("{", "cannot be read"),
    ],
)
def test_an_invalid_price_is_named(generate, tmp_path, text, message):
    prices = tmp_path / "prices.yaml"
    prices.write_text(text)
    with pytest.raises((NotesError, ConfigError), match=message):
        generate("--strategy", "p3", "--prices", str(prices))


def test_failed_requests_are_paid_too(generate, server, capsys):
    server.always("refusal")
    assert generate(*PAID, "--max-usd", "0.02", "--concurrency", "1") == 3
    assert 0 < len(server.chats) < COUNT
    assert "refusals" in capsys.readouterr().out

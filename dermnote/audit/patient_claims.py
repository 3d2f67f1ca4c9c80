"""Claims of body site, age and sex; a site word counts in a bodily phrase alone ("on the left", "scalp lesion")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from dermnote.audit.claims import AGE, SEX, SITE, Claim
from dermnote.audit.scope import Contexts
from dermnote.audit.tokens import Phrases, Tokens, form_set, tokenize
from dermnote.vocabularies.lexicon import load_lexicon

FEMALE, MALE = "female", "male"
_SEX = {
    **dict.fromkeys(("female", "woman", "lady", "girl", "she", "her", "women"), FEMALE),
    **dict.fromkeys(("male", "man", "gentleman", "boy", "he", "his", "him", "men"), MALE),
}
_MAX_AGE = 120  # years
_MAX_DISTANCE = 6  # tokens between "on" and the site
# "53-year-old", "53 years old", "53 y/o", "53yo", "aged 53", "age: 53 years", "in her 50s"; not "a 10-year-old scar".
_AGE = re.compile(
    r"\b(?P<years>\d{1,3})[\s-]{0,2}(?:(?:years?|yrs?)[\s-]{1,2}old|(?:years?|yrs?)\s{1,2}of\s{1,2}age|y\s?/?\s?o)\b(?:\s?(?P<sex>(?-i:[MF]))\b)?"
    r"(?![\s-]{1,2}(?:scar|lesion|mole|n(?:a)?ev|history|tattoo|wound|plaque|patch|nodule|papule))"
    r"|\bage[d]?\b\s?[:=]?\s?(?:of\s)?(?P<aged>\d{1,3})\b"
    r"|\bin\s(?:his|her|their|the)\s(?:early\s|mid[\s-]|late\s)?(?P<decade>[1-9]0)['’]?s\b"
    r"|\b(?P<short>\d{1,3})\s?(?P<letter>(?-i:[MF]))\b",
    re.IGNORECASE,
)


def patient_claims(text: str, tokens: Tokens, contexts: Contexts) -> list[Claim]:
    """Return the claims of site, age and sex."""
    return [*_site_claims(tokens, contexts), *_age_claims(text), *_sex_claims(tokens, contexts)]


def sites_in(cell: str) -> frozenset[str]:
    """Return the body sites that a table's cell names; empty where it names none that is known."""
    tokens, adjectives = tokenize(cell.lower()), load_lexicon("body_sites")["adjectives"]
    found = {site for _, _, site in _site_table().find(tokens)}
    return frozenset(found | {adjectives[token.form] for token in tokens if token.form in adjectives})


def same_site(one: str, other: str) -> bool:
    """Return whether two sites are equal, or one contains the other."""
    sites = load_lexicon("body_sites")["sites"]
    return one == other or one in sites[other].get("within", ()) or other in sites[one].get("within", ())


def sex_of(cell: str) -> str:
    """Return the sex that a table's cell gives, or ""."""
    cell = cell.strip().lower()
    return {"f": FEMALE, "m": MALE}.get(cell) or _SEX.get(cell, "")


def same_age(value: str, years: float) -> bool:
    """Return whether a claimed age ("53", "50s") fits the recorded one."""
    if value.endswith("s"):
        return int(value[:-1]) <= years < int(value[:-1]) + 10
    return abs(int(value) - years) < 1


def _age_claims(text: str) -> list[Claim]:
    """Return the claims of age, and of sex where a letter beside the age gives it ("53 y/o F")."""
    claims = []
    for match in _AGE.finditer(text):
        years = match["years"] or match["aged"] or match["short"]
        for group in ("sex", "letter"):
            if match[group]:
                claims.append(Claim(SEX, FEMALE if match[group] == "F" else MALE, match.span(group)))
        if match["decade"]:
            claims.append(Claim(AGE, f"{match['decade']}s", match.span()))
        elif int(years) <= _MAX_AGE:
            claims.append(Claim(AGE, str(int(years)), match.span()))
    return claims


def _sex_claims(tokens: Tokens, contexts: Contexts) -> list[Claim]:
    return [
        Claim(SEX, _SEX[token.form], (token.start, token.end), contexts[position].polarity)
        for position, token in enumerate(tokens)
        if token.form in _SEX and not (position + 1 < len(tokens) and tokens[position + 1].form == "pattern")
    ]


def _site_claims(tokens: Tokens, contexts: Contexts) -> list[Claim]:
    claims = []
    for first, last, site in _site_table().find(tokens):
        if _is_bodily(tokens, first, last) and not contexts[first].elsewhere:
            span = tokens[first].start, tokens[last - 1].end
            claims.append(Claim(SITE, site, span, contexts[first].polarity))
    adjectives, nouns = load_lexicon("body_sites")["adjectives"], _words("lesion_nouns")
    for position, token in enumerate(tokens[:-1]):
        if token.form in adjectives and tokens[position + 1].form in nouns:
            span = token.start, tokens[position + 1].end
            claims.append(Claim(SITE, adjectives[token.form], span, contexts[position].polarity))
    return claims


def _is_bodily(tokens: Tokens, first: int, last: int) -> bool:
    """Return whether "on the left" or a heading precedes a site word, or a noun follows it ("scalp lesion")."""
    following = [token.form for token in tokens[last : last + 3]]
    if _has_other_meaning(tokens[first].form, following):
        return False
    has_article = first > 0 and tokens[first - 1].form == "the"
    before_noun = following[:1] != [] and following[0] in _words("lesion_nouns")
    return _is_located(tokens, first) or (before_noun and not has_article)


def _has_other_meaning(form: str, following: Sequence[str]) -> bool:
    """Return whether the next words show that no body part is meant: "the face of it", "the sole feature"."""
    if following[:1] == ["of"]:
        return not ({"patient", "man", "woman"} & set(following) or _is_person(following))
    return (
        form in _words("ambiguous")
        and bool(following)
        and following[0].isalpha()
        and following[0] not in _words("followers")
    )


def _is_located(tokens: Tokens, first: int) -> bool:
    modifiers = _words("modifiers")
    for position in range(first - 1, max(-1, first - _MAX_DISTANCE - 1), -1):
        form = tokens[position].form
        if form in _words("prepositions"):
            return True
        if form == ":" and position and tokens[position - 1].form in _words("headings"):
            return True
        if form == "in":  # "in the face of", "in back of"
            return tokens[position + 1].form in modifiers and tokens[first].form not in _words("ambiguous")
        if form not in modifiers:
            return False
    return False


def _is_person(following: Sequence[str]) -> bool:
    """Return whether a person follows "of": "of a man", "of a 56-year-old", "of 56"."""
    someone = following[1:2] and (following[1][0].isdigit() or following[1] in ("a", "an", "male", "female"))
    return bool(someone) and not _words("no_person") & set(following)


@cache
def _words(key: str) -> frozenset[str]:
    return form_set(*load_lexicon("body_sites")[key])


@cache
def _site_table() -> Phrases[str]:
    sites = load_lexicon("body_sites")["sites"]
    return Phrases([(name, site) for site, entry in sites.items() for name in (site, *entry.get("words", ()))])

"""Reads whose lesion it is: age and sex."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dermnote.audit.claims import AGE, SEX, Claim
from dermnote.audit.polarity_context import Context
from dermnote.audit.tokens import Word

FEMALE, MALE = "female", "male"
_SEX = {
    **dict.fromkeys(("female", "woman", "lady", "girl", "she", "her", "women"), FEMALE),
    **dict.fromkeys(("male", "man", "gentleman", "boy", "he", "his", "him", "men"), MALE),
}
_OLDEST = 120
# "53-year-old", "53 years old", "53 y/o", "53yo", "aged 53", "age: 53 years", "in her 50s"; not "a 10-year-old scar".
_AGE = re.compile(
    r"\b(?P<years>\d{1,3})[\s-]{0,2}(?:(?:years?|yrs?)[\s-]{1,2}old|(?:years?|yrs?)\s{1,2}of\s{1,2}age|y\s?/?\s?o)\b(?:\s?(?P<sex>(?-i:[MF]))\b)?"
    r"(?![\s-]{1,2}(?:scar|lesion|mole|n(?:a)?ev|history|tattoo|wound|plaque|patch|nodule|papule))"
    r"|\bage[d]?\b\s?[:=]?\s?(?:of\s)?(?P<aged>\d{1,3})\b"
    r"|\bin\s(?:his|her|their|the)\s(?:early\s|mid[\s-]|late\s)?(?P<decade>[1-9]0)['’]?s\b"
    r"|\b(?P<short>\d{1,3})\s?(?P<letter>(?-i:[MF]))\b",
    re.IGNORECASE,
)


def person_claims(text: str, words: Sequence[Word], contexts: Sequence[Context]) -> list[Claim]:
    """The claims of age and sex."""
    claims = []
    for match in _AGE.finditer(text):
        years = match["years"] or match["aged"] or match["short"]
        for letter in ("sex", "letter"):
            if match[letter]:
                claims.append(Claim(SEX, FEMALE if match[letter] == "F" else MALE, match.span(letter)))
        if match["decade"]:
            claims.append(Claim(AGE, f"{match['decade']}s", match.span()))
        elif int(years) <= _OLDEST:
            claims.append(Claim(AGE, str(int(years)), match.span()))
    for position, word in enumerate(words):
        if word.form in _SEX and not (position + 1 < len(words) and words[position + 1].form == "pattern"):
            claims.append(Claim(SEX, _SEX[word.form], (word.start, word.end), contexts[position].polarity))
    return claims


def sex_of(cell: str) -> str:
    """What a table's cell says of the sex, or nothing."""
    cell = cell.strip().lower()
    return {"f": FEMALE, "m": MALE}.get(cell) or _SEX.get(cell, "")


def same_age(value: str, years: float) -> bool:
    """Whether a claimed age ("53", "50s") fits the recorded one."""
    if value.endswith("s"):
        return int(value[:-1]) <= years < int(value[:-1]) + 10
    return abs(int(value) - years) < 1

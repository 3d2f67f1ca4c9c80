"""Phrases that draw a conclusion, from what findings point to up to what the note settles on."""

from __future__ import annotations

from dermnote.audit.tokens import forms
from dermnote.vocabularies.lexicon.scope import Reach

# Where a diagnosis may be on record: a clause that quotes one is firm.
SOURCES = frozenset(
    forms("record recorded metadata label labelled archive database file registry documented supplied proven")
)
CONCLUSIONS: dict[Reach, tuple[str, ...]] = {
    Reach.PREFERRED: (
        (
            "(is|are|was|seems|looks|being) (favoured|preferred|chosen|selected) (over|to|above|before|"
            "instead of|rather than)"
        ),
        "(is|are|was|seems|looks|being) more (likely|probable|plausible|convincing|fitting) (than)",
    ),
    Reach.POINT: (
        "(favour|favoured|favouring|suggest|suggesting|suggested|suggestive of|support|supporting|supportive of)",
        "(indicate|indicating|indicative of|point|pointing) (|to|towards|toward|at)",
        "(consistent|compatible|concordant|congruent|agree|accord|in line|in agreement|align|aligns|aligned) with",
        "(in keeping with|fit|fitting|fit with|match|matching|in favour of|in support of|mean|make|making)",
        "(typical|characteristic|diagnostic|classic|classical|pathognomonic|hallmark) (of|for)",
        "(most|more|very) (closely|strongly|nearly) (resemble|resembles|resembling|like)",
        "(classic|classical|textbook|evocative of|speak for|speaks for|speaking for|argue for|argues for)",
        "(suspicious|suspicion|concerning|worrisome|concern|suspect|suspected) (|of|for)",
        "(raises the suspicion of|suspicion is of|speak in favour of|represent|representing|recognisable as)",
        "(correspond|corresponds|corresponding|lead|leads|leading) to",
        "(say|says|spells)",
        "(is|are|was|were) (that|those) of",
        "(imply|suit|suits|probably|probable|likely|presumably|presumed|presumptive|apparently)",
        "(appear|appears|seem|seems) to be",
        "(|tend|tends|lean|leans|leaning|tip|tips the balance) (towards|toward)",
        "(tend|tends|lean|leans|leaning|tip|tips the balance) to",
    ),
    Reach.SO: ("(therefore|thus|hence|consequently|accordingly|overall|taken together|in total)",),
    Reach.SIGNS: (
        "(evidence|sign|feature|look|appearance|picture|pattern|criteria|hallmark) (of|for)",
        "(typical|characteristic|diagnostic) (feature|sign) of",
    ),
    Reach.CONCLUDE: (
        (
            "(diagnosis|diagnoses|diagnosed|diagnosed as|diagnosed with|dx|diagnosis is|diagnosis of|"
            "working diagnosis|final diagnosis|diagnostic impression)"
        ),
        (
            "(impression|conclusion|assessment|summary|interpretation|opinion|verdict|answer|class|category|"
            "label|classification|chosen class|predicted class)"
        ),
        (
            "(classify|classifies|classified|classed|class|categorised|categorise|labelled|label|assigned|assign|"
            "graded|filed|coded|recorded) (|it|this|lesion|this lesion|picture|this picture) (|as|to|under|"
            "to class|as class|into)"
        ),
        (
            "(I|we|I'd|we'd|I'll) (|would|will) (choose|select|pick|settle on|go with|go for|opt for|conclude|"
            "conclude with|read this as|read it as|call this|call it|call|interpret this as|regard this as|"
            "take this as|take this for|opt|decide for|decide on|vote for|believe|think|believe this is|think this is|"
            "diagnose|assign)"
        ),
        (
            "(is|are|was|be|been) (assigned|diagnosed|classified|classed|labelled|categorised|called|recorded|"
            "coded|read|regarded|interpreted|assessed|judged) (as|to|with|under|into|to class|to be)"
        ),
        (
            "(read|interpreted|regarded|assessed|judged|viewed|seen|taken|considered|rated|understood) (|here|"
            "therefore) (as|to be|for)"
        ),
        "(this|it|lesion|that|which|here) (is|was) (a|an|the)",
        "(I|we) (|would|will) (regard|judge|rate|deem|hold) (this|it|lesion|this lesion) (|a|an|as|to be|for)",
        "(I|we) (consider|regard|judge|rate|think|deem|hold) (this|it|lesion|this lesion) (|a|an|as|to be|for)",
        (
            "(concluded|conclude|concludes|concluding|settled on|settle for|in conclusion|in summary|in sum|"
            "overall impression|all in all|altogether|on balance)"
        ),
        "(I|we) (|would|do) (favour|suspect|prefer|lean towards|lean to)",
        (
            "(best|most) (fits|fit|consistent with|compatible with|in keeping with|suggestive of|explained by|"
            "explained as|classified as|matches|suited to|corresponds to|regarded as)"
        ),
        (
            "(leading|favoured|preferred|primary|principal|top|final|main|most likely|likeliest|most probable|"
            "first|provisional|presumptive) (|clinical|working|dermoscopic) (diagnosis|choice|candidate|class|"
            "option|consideration)"
        ),
        "(end|ends|ended|finish|finished|land|landed) (|up) (with|at|on|as|in)",
        "(choice|vote|decision|verdict) (falls|fell|goes|went) (on|to|for)",
        "(i.e.|that is|namely|ie)",
    ),
    Reach.CONCLUDED: (
        (
            "(is|are|was|being|as|seems|appears|remains) (diagnosis|conclusion|impression|choice|verdict|answer|"
            "label|best fit|chosen class)"
        ),
        (
            "(is|was|are|being) (favoured|diagnosed|preferred|chosen|assumed|concluded|supported|"
            "selected|proposed|presumed|the best fit|my choice|my pick)"
        ),
        "it is (.|,)",
        "(which|that) (i|I|we) (choose|select|favour|assign|pick|prefer|conclude)",
        (
            "(is|being|as|seems|appears|remains) (likeliest|leading|favoured|preferred|primary|top|main|first|"
            "best) (|working|clinical) (diagnosis|choice|candidate|option|class|explanation|fit)"
        ),
        "(fits|explains) (best|this|it|the picture|the findings|the pattern)",
    ),
    Reach.LIKELIEST: (
        (
            "(most likely|most probably|most probable|most prob|likeliest|more likely|more probable|very likely|"
            "almost certainly|in all likelihood|best guess|top choice|first choice)"
        ),
    ),
}

"""Phrases that draw a conclusion, from what findings point to up to what the note settles on."""

from __future__ import annotations

from dermnote.notes.lexicon.reach import Reach

CONCLUSIONS: dict[Reach, tuple[str, ...]] = {
    Reach.PREFERRED: (
        (
            "(is|are|was|seems|looks|being) (favoured|preferred|chosen|selected) (over|to|above|before|"
            "instead of|rather than)"
        ),
        "(is|are|was|seems|looks|being) more (likely|probable|plausible|convincing|fitting) (than)",
    ),
    Reach.POINT: (
        (
            "(favour|favours|favoured|favouring|suggest|suggests|suggesting|suggested|suggestive of|support|"
            "supports|supporting)"
        ),
        ("(supportive of|indicate|indicates|indicating|indicative of|point|points|pointing) (|to|towards|toward|at)"),
        "(consistent|compatible|concordant|congruent|agree|agrees|accords|accord|in line|in agreement) with",
        (
            "(in keeping with|fits|fit|fitting|fits with|fit with|matches|match|matching|typical of|typical for|"
            "characteristic of)"
        ),
        (
            "(characteristic for|diagnostic of|diagnostic for|classic for|classic of|classical for|classical of|"
            "pathognomonic of)"
        ),
        (
            "(pathognomonic for|classic|classical|textbook|evocative of|speaks for|speak for|speaking for|"
            "argue for|argues for)"
        ),
        (
            "(suspicious of|suspicious for|suspicion of|suspicion for|suspect|suspected|concerning for|"
            "worrisome for|raises the suspicion of|suspicion is of)"
        ),
        ("(corresponds to|correspond to|corresponding to|mean|means|make|makes|making|lead to|leads to|imply|implies)"),
        (
            "(in favour of|in support of|represents|representing|probably|probable|likely|presumably|presumed|"
            "presumptive|apparently|appears to be|seems to be|recognisable as|evidence of|evidence for|signs of|"
            "features of|look of|appearance of|picture of|pattern of)"
        ),
        "(speak in favour of|tends towards|leans to|leans towards|lean towards|leaning towards|leaning to)",
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
            "(I|we) (|would|will) (choose|select|pick|settle on|go with|opt for|conclude|conclude with|"
            "read this as|read it as|call this|call it|call|interpret this as|regard this as|take this as|"
            "take this for|opt|decide for|decide on|vote for|believe|think|believe this is|think this is|"
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
        "(I|we) (consider|regard|judge|rate|think|deem|hold) (this|it|lesion|this lesion) (|a|an|as|to be|for)",
        (
            "(concluded|conclude|concludes|concluding|settled on|settle for|in conclusion|in summary|in sum|"
            "overall impression|all in all|altogether|overall|on balance|taken together|in total|therefore|thus|"
            "hence|consequently|accordingly)"
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
        "(i.e.|that is|namely|ie)",
    ),
    Reach.CONCLUDED: (
        (
            "(is|are|was|being|as|seems|appears|remains) (diagnosis|conclusion|impression|choice|verdict|answer|"
            "label|best fit|chosen class)"
        ),
        (
            "(is|was|are|being) (favoured|diagnosed|preferred|chosen|suspected|assumed|concluded|supported|"
            "selected|proposed|presumed|the best fit|my choice|my pick)"
        ),
        "(which|that) (i|I|we) (choose|select|favour|assign|pick|prefer|conclude)",
        (
            "(is|being|as|seems|appears|remains) (likeliest|leading|favoured|preferred|primary|top|main|first|"
            "best) (|working|clinical) (diagnosis|choice|candidate|option|class|explanation|fit)"
        ),
        "(fits|explains) (best|this|it|the picture|the findings|the pattern)",
    ),
    Reach.LIKELIEST: (
        (
            "(most likely|most probably|most probable|likeliest|more likely|more probable|very likely|"
            "almost certainly|in all likelihood|best guess|top choice|first choice)"
        ),
    ),
}

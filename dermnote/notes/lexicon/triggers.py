"""Phrases that deny, hedge or conclude, by the way they reach.

Patterns list alternatives in brackets, which may be empty: "(is|are) (|not) seen". `FILLERS` may stand inside any of
them, so "cannot be entirely excluded" needs no entry of its own.
"""

from __future__ import annotations

from enum import Enum

from dermnote.notes.reading.phrases import Phrases, spell_out
from dermnote.notes.reading.words import forms


class Reach(Enum):
    """What a phrase does to what stands beside it."""

    DENY = "denies what follows"
    LACK = "denies what follows, up to what is concluded from it"  # "absence of network favours ..."
    HEDGE = "hedges what follows"
    DIFFER = "hedges a whole list that follows"
    DENIED = "denies what stands before"
    HEDGED = "hedges what stands before"
    ABSENT_AS = "denies what stands before and what follows"  # "network is lacking, as are globules"
    POINT = "what follows is what findings point to"
    CONCLUDE = "what follows is the conclusion"
    CONCLUDED = "what stands before is the conclusion"
    UNLIKELY = "denies its neighbour, before or after"
    POSSIBLE = "hedges its neighbour, before or after"
    LIKELIEST = "concludes with its neighbour, before or after"
    ELSEWHERE = "what follows is not the lesion's"
    STOP = "ends what was open"
    NOTHING = "looks like a negation and is none"


FILLERS = (
    *("entirely", "fully", "completely", "totally", "wholly", "confidently", "definitely", "definitively", "reliably"),
    *(
        "dermoscopically",
        "clinically",
        "histologically",
        "therefore",
        "also",
        "safely",
        "always",
        "clearly",
        "certainly",
    ),
    *(
        "still",
        "formally",
        "readily",
        "easily",
        "absolutely",
        "really",
        "strictly",
        "quite",
        "much",
        "rather",
        "highly",
    ),
    *("a", "an", "the", "my", "our", "one", "main", "chief", "leading", "important", "relevant", "principal", "key"),
    *("further", "close", "closest", "nearest", "major", "valid", "clinical", "working", "final", "given", "stated"),
    *("all", "both", "sometimes", "often", "some", "careful", "thus", "hence", "then", "simply", "indeed", "likely"),
    *("however", "most", "strongly", "best", "well", "perfectly", "somewhat", "only", "ever", "convincingly", "first"),
)
_SEEN = (
    "(seen|present|visible|identified|evident|apparent|detected|found|observed|recognised|noted|appreciated|discernible"
    "|made out|convincing|demonstrated|recognizable|identifiable|noticed|appreciable|detectable|obvious|distinguishable"
    "|there|shown|documented|recorded|described|reported|noticeable|pronounced|developed)"
)
_BE = "(|is|are|was|were|being)"
_OUT = "(excluded|ruled out|dismissed|discarded|discounted|eliminated|out ruled|refuted)"
_CANNOT = "(cannot|can not|can't|could not|couldn't|may not|should not|must not|might not|can hardly)"
_RIVAL = (
    "(differential|differential diagnosis|alternative|alternatives|consideration|possibility|mimic|mimicker|option"
    "|differentials|rival|competitor|contender|runner up|concern)"
)

PATTERNS: dict[Reach, tuple[str, ...]] = {
    Reach.NOTHING: (
        "no (change|changes|increase|doubt|question|difference|history|treatment|intervention|problem|clear cut)",
        "not (only|just|merely|simply|solely)",
        "without (doubt|question|hesitation)",
        "no (longer|other than)",
        "none other than",
        "not to mention",
        "skin (lesion|tumour|cancer|type|tone|coloured|toned|markings|lines|growth|tag|fold)",
        "not confirmed",
        "not otherwise",
    ),
    Reach.DENY: (
        *("no", "not", "without", "neither", "nor", "never", "none of", "denies", "nothing", "non", "don't", "doesn't"),
        *("isn't", "aren't", "wasn't", "weren't", "free of", "negative for", "devoid of", "w/o"),
        "(|features|findings) against (|a|an|the) (|diagnosis of)",
        "(rather than|instead of|as opposed to|unlike|in preference to|in contrast to|more likely than|favoured over)",
        "(preferred over|preferred to|more than|over and above) ",
        "(fails|failed) to (show|reveal|demonstrate|display)",
        "(excluding|excluded are|absent are|missing are|lacking are)",
        "(argues|speaks|argue|speak|militates|counts|weighs) against",
        "(|is|are|was|were|be|been) (differentiated|distinguished) from",
    ),
    Reach.LACK: (
        "(absence of|absent|lack of|lacks|lacking|lack|loss of|missing|paucity of|the absence of|the lack of)",
    ),
    Reach.HEDGE: (
        *("may", "might", "could", "perhaps", "maybe", "possibility of", "questionable", "equivocal", "versus", "vs"),
        *(
            "mimic",
            "mimics",
            "mimicking",
            "resemble",
            "resembling",
            "resembles",
            "reminiscent of",
            "similar to",
            "unless",
        ),
        *(
            "if",
            "in case of",
            "question of",
            "compared with",
            "compared to",
            "arising from",
            "arising in",
            "developing in",
        ),
        *(
            "developing within",
            "developing from",
            "arising within",
            "evolving from",
            "on top of",
            "indistinguishable from",
        ),
        *(
            "turn into",
            "progress to",
            "progression to",
            "transformation",
            "evolve into",
            "precursor of",
            "precursor to",
        ),
        *("risk of", "potential for", "hint of", "suggestion of", "doubtful", "r/o", "uncertain", "unclear", "whether"),
        *(
            "not necessarily",
            "not certain",
            "look like",
            "looks like a",
            "likened to",
            "imitating",
            "imitates",
            "simulating",
        ),
        "(difficult|hard|impossible|not possible|need|needed|necessary|important|try|tried) to (distinguish|differentiate|separate|tell) (from|apart from)",
        "(distinguish|differentiate|separate|tell) (from|it from|this from)",
        "looks (like|as if)",
        "(can|could|may|might) (|also) (occur|be seen|be found|appear|happen) (in|with)",
        "(concern|concerns|worry|fear) (about|over|regarding|of)",
    ),
    Reach.DIFFER: (
        "(|the|main|chief|principal|leading|wider|clinical|broad) (differential diagnosis|differential diagnoses|differential|differentials)",
        "(ddx|dd|diff dx|d/d) (|includes|include)",
        "(alternative|alternatives|alternative diagnosis|alternative diagnoses|alternatively|other possibilities)",
        "(other|another) (|possible|differential) (possibility|option|options|diagnosis|diagnoses|consideration|considerations)",
        "(|to|must|should|helps|necessary to|needed to) (exclude|rule out|consider|considering|excluding|ruling out|keep in mind)",
        "(cannot|can not|can't|could not|does not|do not|doesn't|unable to|difficult to|hard to|not) (exclude|rule out|dismiss|discount|eliminate)",
        "(exclusion of|ruling out of|consideration of|mimics include|mimickers include|lookalikes)",
        "(must|should|would|could|can|may|also) (be) (differentiated|distinguished) from",
        "(considered|other considerations|considerations) (were|was|are|is|include|included)",
        "(I|we|one) (would|might|could|also|would also|did|have) (|also) (consider|considered|think of|thought of)",
        "(I|we|was) (considered|weighed|thought about|wondered about|entertained)",
        "(second|secondly|less so|lesser|less typical|lower) (choice|on the list|in the list|probability|for)",
        "(be|remain|stay) (alert|aware|wary|mindful) (to|of|for)",
        "(in order to|so as to) (exclude|rule out)",
    ),
    Reach.DENIED: (
        f"{_BE} (not|never|nowhere|n't) (|to) (|be) {_SEEN}",
        f"(cannot|can not|can't|could not|couldn't) (be) {_SEEN}",
        "(isn't|aren't|wasn't|weren't|not being) " + _SEEN,
        f"{_BE} (absent|missing|lacking|wanting|nil|negative|inapparent|invisible|undetectable|unidentifiable)",
        "(|is|are|was|were|seems|appears|appear|seem) (not) (|a|an) (likely|favoured|supported|suspected|probable|diagnosed|the case|considered|typical|preferred|chosen|selected|in keeping|in question)",
        f"(is|are|was|were|has been|have been|can be|could be|may be|been) {_OUT}",
        "(seems|appears|is|are|was|were|looks) (improbable|implausible|excluded|rejected|unlike)",
        "(was|is|were|been|i|I|has been) (rejected|dismissed|discarded|discounted)",
        "(do|does|did) not (fit|apply|match|explain)",
        "(is|are) (at odds with|contradicted by|argued against)",
        "(|is|are|was|were) (none|not applicable)",
    ),
    Reach.ABSENT_AS: (
        f"{_BE} (absent|missing|lacking|not seen|not visible|not present|not evident) , (as|and so|and neither|nor) (is|are|was|were)",
    ),
    Reach.HEDGED: (
        f"{_CANNOT} (|yet) (be) {_OUT}",
        f"(is|are|was|were|has|have|been) (not|never) (|been) {_OUT}",
        f"(isn't|aren't|wasn't) {_OUT}",
        "(should|must|needs to|need to|has to|have to|ought to|ought|warrants|would need to|will need to|may need to|still) (be) (excluded|ruled out|considered|kept in mind|borne in mind|weighed|included|eliminated|discussed|thought of|remembered|suspected|looked for)",
        "(would|might|could|may|can|was|were|been) (be) (considered|suspected|entertained|discussed|thought of|weighed|included|raised|included)",
        "(was|were|is|are) (considered|entertained|discussed|weighed|thought of|thought about|mentioned|debated)",
        "to (be) (excluded|ruled out|considered|kept in mind|discussed)",
        "(in|enters|enter|entering|on|within|part of|belongs to|among|amongst|under) (differential|differential diagnosis|differentials|ddx|consideration)",
        f"(is|are|was|were|being|be|remains|remain|as|stays|as being|represents|constitutes|seems) {_RIVAL}",
        f"(would be|could be|might be|may be|would remain|will be) {_RIVAL}",
        "(may|might|could|can|would) (look|occur|mimic|resemble|appear|present|show|share|have|produce|give|cause|imitate|simulate)",
        "(merit|merits|need|needs|deserve|deserves|require|requires|warrant|warrants|enters|under|worth|into) (consideration|exclusion|considering|excluding|ruling out|thought|attention|to be excluded)",
        "(difficult|hard|not easy|impossible|not possible) to (exclude|rule out|dismiss|discount)",
        f"{_BE} (questionable|equivocal|doubtful|uncertain|unclear|conceivable|imaginable|thinkable|on the list)",
        "(remain|remains|stay|stays|is|are) (possible|a possibility|conceivable|open|on the table)",
        "(is|are|was|were|remains|remain) (difficult|hard|impossible) to (assess|judge|see|evaluate|confirm|recognise|make out|tell)",
        "(comes|come|came|springs) (to mind|second|next|into question|into consideration|into play)",
        "(as|being) (alternative|differential|differential diagnosis|alternatives|second choice|mimic)",
        "(less probable|possible|second|alternative) (|as) (alternative|option|choice|diagnosis)",
        "(excluded|ruled out) (by|on|with) (|a) (biopsy|histology|histopathology|pathology|excision)",
    ),
    Reach.POINT: (
        "(favour|favours|favoured|favouring|suggest|suggests|suggesting|suggested|suggestive of|support|supports|supporting)",
        "(supportive of|indicate|indicates|indicating|indicative of|point|points|pointing) (|to|towards|toward|at)",
        "(consistent|compatible|concordant|congruent|agree|agrees|accords|accord|in line|in agreement) with",
        "(in keeping with|fits|fit|fitting|fits with|fit with|matches|match|matching|typical of|typical for|characteristic of)",
        "(characteristic for|diagnostic of|diagnostic for|classic for|classic of|classical for|classical of|pathognomonic of)",
        "(pathognomonic for|classic|classical|textbook|evocative of|speaks for|speak for|speaking for|argue for|argues for)",
        "(suspicious of|suspicious for|suspicion of|suspicion for|suspect|suspected|concerning for|worrisome for|raises the suspicion of|suspicion is of)",
        "(corresponds to|correspond to|corresponding to|mean|means|make|makes|making|lead to|leads to|imply|implies)",
        "(in favour of|in support of|represents|representing|probably|probable|likely|presumably|presumed|presumptive|apparently|appears to be|seems to be|recognisable as|evidence of|evidence for|signs of|features of|look of|appearance of|picture of|pattern of)",
        "(speak in favour of|tends towards|leans to|leans towards|lean towards|leaning towards|leaning to)",
    ),
    Reach.CONCLUDE: (
        "(diagnosis|diagnoses|diagnosed|diagnosed as|diagnosed with|dx|diagnosis is|diagnosis of|working diagnosis|final diagnosis|diagnostic impression)",
        "(impression|conclusion|assessment|summary|interpretation|opinion|verdict|answer|class|category|label|classification|chosen class|predicted class)",
        "(classify|classifies|classified|classed|class|categorised|categorise|labelled|label|assigned|assign|graded|filed|coded|recorded) (|it|this|lesion|this lesion|picture|this picture) (|as|to|under|to class|as class|into)",
        "(I|we) (|would|will) (choose|select|pick|settle on|go with|opt for|conclude|conclude with|read this as|read it as|call this|call it|call|interpret this as|regard this as|take this as|take this for|opt|decide for|decide on|vote for|believe|think|believe this is|think this is|diagnose|assign)",
        "(read|interpreted|regarded|assessed|judged|viewed|seen|taken|considered|rated|understood) (|here|therefore) (as|to be|for)",
        "(this|it|lesion|that|which|here) (is|was) (a|an|the)",
        "(concluded|conclude|concludes|concluding|settled on|settle for|in conclusion|in summary|in sum|overall impression|all in all|altogether|overall|on balance|taken together|in total|therefore|thus|hence|consequently|accordingly)",
        "(I|we) (|would|do) (favour|suspect|prefer|lean towards|lean to)",
        "(best|most) (fits|fit|consistent with|compatible with|in keeping with|suggestive of|explained by|explained as|classified as|matches|suited to|corresponds to|regarded as)",
        "(leading|favoured|preferred|primary|principal|top|final|main|most likely|likeliest|most probable|first|provisional|presumptive) (|clinical|working|dermoscopic) (diagnosis|choice|candidate|class|option|consideration)",
        "(i.e.|that is|namely|ie)",
    ),
    Reach.CONCLUDED: (
        "(is|are|was|being|as|seems|appears|remains) (diagnosis|conclusion|impression|choice|verdict|answer|label|best fit|chosen class)",
        "(is|was|are|being) (favoured|diagnosed|preferred|chosen|suspected|assumed|concluded|assigned|supported|selected|proposed|presumed|the best fit|my choice|my pick)",
        "(which|that) (i|I|we) (choose|select|favour|assign|pick|prefer|conclude)",
        "(is|being|as|seems|appears|remains) (likeliest|leading|favoured|preferred|primary|top|main|first|best) (|working|clinical) (diagnosis|choice|candidate|option|class|explanation|fit)",
        "(fits|explains) (best|this|it|the picture|the findings|the pattern)",
    ),
    Reach.UNLIKELY: (
        "(less likely|unlikely|less probable|improbable|least likely|less favoured|less convincing|less probably|far less likely|very unlikely|unlikely to be|not likely|hardly|excluded|ruled out)",
    ),
    Reach.POSSIBLE: ("(possible|possibly|conceivable|conceivably|questionably|potentially|potential|less certain)",),
    Reach.LIKELIEST: (
        "(most likely|most probably|most probable|likeliest|more likely|more probable|very likely|almost certainly|in all likelihood|best guess|top choice|first choice)",
    ),
    Reach.ELSEWHERE: (
        "(surrounding|adjacent|neighbouring|perilesional|nearby|adjoining|uninvolved|unaffected|background|normal|healthy|periphery of the) (|facial|tanned|freckled|mottled|sun damaged|scaly|pale|hairy|normal) (skin|tissue|epidermis)",
        "(skin|area|tissue|field) (around|outside|beyond|nearby|adjacent|next to)",
        "(surroundings|surroundings are|outside the lesion|unrelated|incidental|history of|previous|prior|previously)",
        "(another|separate|second|unrelated|independent|different|similar smaller|similar|neighbouring|nearby|adjacent|further) (|small|smaller|tan|brown) (lesion|nevus|macule|papule|lentigo|spot)",
        "(adjacent|neighbouring|nearby|separate|unrelated|incidental|second) (|small|smaller|benign|tan|brown) (lesion|nevus|macule|papule|lentigo|angioma|keratosis|mole)",
        "(family|personal|medical|past) history",
    ),
    Reach.STOP: (
        *("but", "however", "although", "though", "yet", "whereas", "while", "nevertheless", "nonetheless", "except"),
        *(
            "because",
            "since",
            "given",
            "owing to",
            "due to",
            "apart from",
            "aside from",
            "albeit",
            "despite",
            "instead",
        ),
        *("even though", "even if", "other than", "in view of", "otherwise", "whilst", "besides", "in addition"),
        *("as the", "so that", "in spite of", "when", "where", "for which"),
    ),
}
# Behind what "no" denies, these end its reach: "no network is seen and ...".
SEEN = frozenset(
    forms(
        "seen visible present evident identified noted found detected recognised appreciated observed apparent discernible"
    )
)
# Ends the reach of what stands before it when it opens a clause after "and": "no streaks, and the border is sharp".
DETERMINERS = frozenset(
    [
        "a",
        "an",
        "the",
        "there",
        "it",
        "its",
        "this",
        "these",
        "some",
        "few",
        "several",
        "many",
        "numerous",
        "multiple",
        "prominent",
        "occasional",
    ]
)
BE = frozenset(["is", "are", "was", "were", "be", "been", "being", "has", "have", "had"])
FINITE = BE | frozenset(
    [
        "show",
        "shows",
        "seen",
        "present",
        "visible",
        "noted",
        "identified",
        "contains",
        "contain",
        "forms",
        "mean",
        "means",
        "that",
        "which",
    ]
)


def triggers() -> Phrases[Reach]:
    """All phrases; where two lists hold one, the earlier wins."""
    entries = [
        (phrase, reach) for reach, patterns in PATTERNS.items() for each in patterns for phrase in spell_out(each)
    ]
    return Phrases(entries, skipping=FILLERS)

"""Phrases that hedge: possibilities, rivals, and what biopsy is to exclude."""

from __future__ import annotations

from dermnote.vocabularies.lexicon.scope import Reach

_BE = "(|is|are|was|were|being)"
_CANNOT = "(cannot|can not|can't|could not|couldn't|may not|should not|must not|might not|can hardly)"
_OUT = "(excluded|ruled out|dismissed|discarded|discounted|eliminated|out ruled|refuted)"
_RIVAL = (
    "(differential|differential diagnosis|alternative|alternatives|consideration|possibility|mimic|mimicker|option"
    "|differentials|rival|competitor|contender|runner up|concern|pitfall|trap|second)"
)

HEDGES: dict[Reach, tuple[str, ...]] = {
    Reach.MAYBE: (
        "(may|might|could|perhaps|maybe|possibility of|reminiscent of|look like|looks like a|looks as if)",
        "(|high|good|fair) (probability|likelihood|chance|odds) of",
        "(resemble|resembles|resembling|questionable|equivocal)",
    ),
    Reach.HEDGE: (
        "(versus|vs|unless|if|in case of|question of|whether|uncertain|unclear|doubtful|r/o|not certain)",
        "not (necessarily)",
        "(at|on) first (|glance|sight|look|view|impression)",
        "(mimic|mimicking|imitating|imitates|simulating|likened to|similar to|compared with|compared to)",
        "(arising|developing|evolving) (from|in|within)",
        "(turn into|evolve into|progress to|progression to|transformation|precursor of|precursor to|on top of)",
        "(should|would|could|must|may|might) (raise|arouse|prompt|trigger) (suspicion|concern) (of|for)",
        "(first|initial) (thought|idea|guess|instinct|reaction) (|is|was|would be)",
        "(risk of|potential for|hint of|suggestion of|indistinguishable from)",
        (
            "(|is|are|can be) (difficult|hard|impossible|not possible|need|needed|necessary|important|try|tried) to"
            " (distinguish|differentiate|separate|tell) (from|apart from)"
        ),
        "(distinguish|differentiate|separate|tell) (from|it from|this from)",
        "(can|could|may|might) (|also) (occur|be seen|be found|appear|happen) (in|with)",
        "(concern|concerns|worry|fear) (about|over|regarding|of)",
    ),
    Reach.DIFFER: (
        (
            "(|the|main|chief|principal|leading|wider|clinical|broad) (differential diagnosis|"
            "differential diagnoses|differential|differentials)"
        ),
        "(ddx|dd|diff dx|d/d) (|includes|include)",
        "(alternative|alternatives|alternative diagnosis|alternative diagnoses|alternatively|other possibilities)",
        (
            "(other|another) (|possible|differential) (possibility|option|options|diagnosis|diagnoses|"
            "consideration|considerations)"
        ),
        (
            "(|to|must|should|helps|necessary to|needed to) (exclude|rule out|consider|excluding|"
            "ruling out|keep in mind)"
        ),
        (
            "(competitor|rival|mimic|mimicker|contender|runner up|second choice|pitfall|simulator|imitator) (is|"
            "are|would be|being)"
        ),
        (
            "(cannot|can not|can't|could not|does not|do not|doesn't|unable to|difficult to|hard to|"
            "not) (exclude|rule out|dismiss|discount|eliminate)"
        ),
        "(exclusion of|ruling out of|consideration of|mimics include|mimickers include|lookalikes)",
        "(must|should|would|could|can|may|also) (be) (differentiated|distinguished) from",
        "(considered|other considerations|considerations) (were|was|are|is|include|included)",
        ("(I|we|one) (would|might|could|also|would also|did|have) (|also) (consider|considered|think of|thought of)"),
        "(I|we|was) (considered|weighed|thought about|wondered about|entertained)",
        "(second|secondly|less so|lesser|less typical|lower) (choice|on the list|in the list|probability|for)",
        "(be|remain|stay) (alert|aware|wary|mindful) (to|of|for)",
        "(in order to|so as to) (exclude|rule out)",
    ),
    Reach.HEDGED: (
        "(is|are|remains) diagnosis (of exclusion|to exclude|to rule out|to be excluded|to be ruled out)",
        "(fit|fits|come|comes) (|in) second best",
        "(|a) (distant|close) second",
        "(would|should|could|may|might) (arise|be raised)",
        "(would|could|should) not (|normally|usually) (have|show|display|look|explain|present|account|give)",
        f"{_CANNOT} (|yet) (be) {_OUT}",
        f"(is|are|was|were|has|have|been) (not|never) (|been) {_OUT}",
        f"(isn't|aren't|wasn't) {_OUT}",
        (
            "(should|must|needs to|need to|has to|have to|ought to|ought|warrants|would need to|will need to|"
            "may need to|still) (be) (excluded|ruled out|considered|kept in mind|borne in mind|weighed|included|"
            "eliminated|discussed|thought of|remembered|suspected|looked for)"
        ),
        (
            "(would|might|could|may|can|was|were|been) (be) (considered|suspected|entertained|discussed|"
            "thought of|weighed|included|raised|included)"
        ),
        "(was|were|is|are) (considered|entertained|discussed|weighed|thought of|thought about|mentioned|debated)",
        "to (be) (excluded|ruled out|considered|kept in mind|discussed)",
        (
            "(in|enters|enter|entering|on|within|part of|belongs to|among|amongst|under) (differential|"
            "differential diagnosis|differentials|ddx|consideration)"
        ),
        f"(is|are|was|were|being|be|remains|remain|as|stays|as being|represents|constitutes|seems) {_RIVAL}",
        f"(would be|could be|might be|may be|would remain|will be) {_RIVAL}",
        (
            "(may|might|could|can|would) (look|occur|mimic|resemble|appear|present|show|share|have|produce|give|"
            "cause|imitate|simulate)"
        ),
        (
            "(merit|merits|need|needs|deserve|deserves|require|requires|warrant|warrants|enters|under|worth|"
            "into) (consideration|exclusion|considering|excluding|ruling out|thought|attention|to be excluded)"
        ),
        "(difficult|hard|not easy|impossible|not possible) to (exclude|rule out|dismiss|discount)",
        f"{_BE} (questionable|equivocal|doubtful|uncertain|unclear|conceivable|imaginable|thinkable|on the list)",
        "(remain|remains|stay|stays|is|are) (possible|a possibility|conceivable|open|on the table)",
        (
            "(is|are|was|were|remains|remain) (difficult|hard|impossible) to (assess|judge|see|evaluate|confirm|"
            "recognise|make out|tell)"
        ),
        "(cross|crosses|crossed) (my|the|one|) mind",
        "(comes|come|came|springs) (to mind|second|next|into question|into consideration|into play)",
        "(as|being) (alternative|differential|differential diagnosis|alternatives|second choice|mimic)",
        "(less probable|possible|second|alternative) (|as) (alternative|option|choice|diagnosis)",
        "(excluded|ruled out) (by|on|with) (|a) (biopsy|histology|histopathology|pathology|excision)",
    ),
    Reach.POSSIBLE: ("(possible|possibly|conceivable|conceivably|questionably|potentially|potential|less certain)",),
}

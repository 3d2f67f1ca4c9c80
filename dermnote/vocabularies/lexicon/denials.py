"""Phrases that deny."""

from __future__ import annotations

from dermnote.vocabularies.lexicon.scope import Reach

_SEEN = (
    "(seen|present|visible|identified|evident|apparent|detected|found|observed|recognised|noted|appreciated|discernible"
    "|made out|convincing|demonstrated|recognizable|identifiable|noticed|appreciable|detectable|obvious|distinguishable"
    "|there|shown|documented|recorded|described|reported|noticeable|pronounced|developed|represented|encountered|perceived"
    "|discerned|traced|spotted|listed|met|found in any field)"
)
_BE = "(|is|are|was|were|being)"
_ALL = "(|all|both|entirely|completely)"
_OUT = "(excluded|ruled out|dismissed|discarded|discounted|eliminated|out ruled|refuted)"

DENIALS: dict[Reach, tuple[str, ...]] = {
    Reach.NOTHING: (
        "no (change|changes|increase|doubt|question|difference|history|treatment|intervention|problem|clear cut)",
        "not (distract|detract)",
        "not (only|just|merely|simply|solely)",
        "without (doubt|question|hesitation)",
        "no (longer|other than)",
        "if anything",
        "none other than",
        "not to mention",
        "skin (lesion|tumour|cancer|type|tone|coloured|toned|markings|lines|growth|tag|fold)",
        "not confirmed",
        "not otherwise",
    ),
    Reach.DENY: (
        *(
            "no",
            "not",
            "cannot",
            "without",
            "neither",
            "nor",
            "never",
            "nowhere",
            "none of",
            "all but",
            "denies",
            "nothing",
            "don't",
            "doesn't",
        ),
        *("isn't", "aren't", "wasn't", "weren't", "free of", "negative for", "devoid of", "w/o"),
        "(|features|findings) against (|a|an|the) (|diagnosis of)",
        (
            "(rather than|instead of|as opposed to|unlike|in preference to|in contrast to|more likely than|"
            "favoured over)"
        ),
        "(preferred over|preferred to|more than|over and above) ",
        "(differ|differs|different|distinct|point away|points away|away) from",
        "less (in keeping with|consistent with|compatible with|typical of|suggestive of|characteristic of)",
        "(|is|are|was|were) not (typical|characteristic|diagnostic|suggestive|indicative|evidence) of",
        "(|is|are|was|were) not (consistent|compatible|in keeping|in line) with",
        "(|is|are|was|were) not (typical|suspicious|concerning|likely) (for|of|to be)",
        "(low|little|slim|small|minimal|negligible|no) (probability|likelihood|chance|odds|suspicion|risk) (of|for)",
        "(fails|failed) to (show|reveal|demonstrate|display)",
        "(excluding|excluded are|absent are|missing are|lacking are)",
        "(argues|speaks|argue|speak|militates|counts|weighs) against",
        "(|is|are|was|were|be|been) (differentiated|distinguished) from",
    ),
    Reach.LACK: (
        "(absence of|absent|lack of|lacks|lacking|lack|loss of|missing|paucity of|the absence of|the lack of)",
    ),
    Reach.DENIED: (
        "(is|are|seems|appears) (|very|rather|extremely) (low|small|slim|negligible|minimal|remote)",
        f"{_BE} (not|never|nowhere|n't) (|to) (|be) {_SEEN}",
        f"(cannot|can not|can't|could not|couldn't) (be) {_SEEN}",
        "(isn't|aren't|wasn't|weren't|not being) " + _SEEN,
        (
            f"{_BE} {_ALL} (absent|missing|lacking|wanting|nil|negative|neg|inapparent|invisible|undetectable|"
            "unidentifiable)"
        ),
        (
            "(|is|are|was|were|seems|appears|appear|seem) (not) (|a|an) (likely|favoured|supported|suspected|"
            "suggested|implied|indicated|"
            "probable|diagnosed|the case|considered|typical|preferred|chosen|selected|in keeping|in question)"
        ),
        f"(is|are|was|were|has been|have been|can be|could be|may be|been) {_OUT}",
        "(seems|appears|is|are|was|were|looks) (improbable|implausible|excluded|rejected|unlike)",
        "(was|is|were|been|i|I|has been) (rejected|dismissed|discarded|discounted)",
        "(do|does|did) not (fit|apply|match|explain)",
        "(is|are|seems) out (|of question|of the question|of place)",
        "(|looked|searched|sought) (|for) in vain",
        "(looked|searched) for (but|and|yet|,) (not|never) (|seen|found)",
        "(is|are) not (in|on|among) (picture|list|question|running|table|mind)",
        "(is|are) (not|no) (a|) (component|part|feature|constituent)",
        "(is|are|was|were) lost",
        "(has|have|plays|play) no (part|place|role) (|in|here)",
        "(less) (.|fitting|apt|suitable|compelling|plausible|so)",
        "(is|are) (at odds with|contradicted by|argued against)",
        "(|is|are|was|were) (none|not applicable)",
    ),
    Reach.ABSENT_AS: (
        (
            f"{_BE} {_ALL} (absent|missing|lacking|not seen|not visible|not present|not evident) , (as|and so|"
            "and neither|nor) (is|are|was|were)"
        ),
    ),
    Reach.UNLIKELY: (
        (
            "(less likely|unlikely|less probable|improbable|least likely|less favoured|less convincing|"
            "less probably|far less likely|very unlikely|unlikely to be|not likely|hardly|excluded|ruled out)"
        ),
    ),
}

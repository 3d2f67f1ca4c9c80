"""Phrases that end a clause, or turn to something else than the lesion."""

from __future__ import annotations

from dermnote.vocabularies.lexicon.scope import Reach

BOUNDS: dict[Reach, tuple[str, ...]] = {
    Reach.ELSEWHERE: (
        (
            "(surrounding|adjacent|neighbouring|perilesional|nearby|adjoining|uninvolved|unaffected|background|"
            "normal|healthy|periphery of the) (|facial|tanned|freckled|mottled|sun damaged|scaly|pale|hairy|"
            "normal) (skin|tissue|epidermis)"
        ),
        "(skin|area|tissue|field) (around|outside|beyond|nearby|adjacent|next to)",
        "(outside the lesion|unrelated|incidental|history of)",
        "(previous|prior|earlier|former) (melanoma|nevus|lesion|scar|cancer|carcinoma|tumour|biopsy|excision)",
        (
            "(another|separate|second|unrelated|independent|different|similar smaller|similar|neighbouring|"
            "nearby|adjacent|further) (|small|smaller|tan|brown) (lesion|nevus|macule|papule|lentigo|spot)"
        ),
        (
            "(adjacent|neighbouring|nearby|separate|unrelated|incidental|second) (|small|smaller|benign|tan|"
            "brown) (lesion|nevus|macule|papule|lentigo|angioma|keratosis|mole)"
        ),
        (
            "(next to|beside|near|alongside|adjacent to) (|a|an|another) (|solar|small|benign|dermal|seborrheic|"
            "actinic) (lentigo|nevus|angioma|keratosis|mole)"
        ),
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
            "beyond",
            "aside from",
            "albeit",
            "despite",
            "instead",
        ),
        *("even though", "even if", "other than", "in view of", "otherwise", "whilst", "besides", "in addition"),
        *("as the", "so that", "in spite of", "when", "where", "for which"),
    ),
}

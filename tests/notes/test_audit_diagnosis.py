"""Which diagnosis a note ends up with, among alternatives, rejections and comparisons: sentences in many styles."""

from __future__ import annotations

import pytest

from dermnote.notes import audit, stated_diagnosis

CONCLUSIONS: dict[str, tuple[str, ...]] = {
    "benign keratosis": (
        "impression: sk, benign. ddx: nevus, pigmented ak.",
        "1. brown plaque. 2. sharp edge. 3. dx: seborrhoeic keratosis. 4. no need for biopsy.",
        (
            "Because of the irregular pigment I cannot exclude melanoma, still the overall look is that of"
            " a seborrheic keratosis."
        ),
        "Seborrheic keratosis is favored over melanoma.",
        "Lentigo maligna has to be ruled out by biopsy; my reading is solar lentigo.",
        (
            "There is nothing to suggest melanoma; the milia-like cysts and comedo-like openings are those"
            " of a seborrheic keratosis."
        ),
        "Melanoma? Seborrheic keratosis? I lean towards the latter, seborrheic keratosis.",
        "Benign keratosis. Nothing speaks for malignancy.",
        "Benign keratosis, mimicking melanoma.",
        "The lesion does not have the look of a melanoma. It has the look of seborrheic keratosis.",
        "Assessment - Seborrheic keratosis. Alternatives - melanoma; pigmented BCC.",
        "Class: benign keratosis. Malignancy: benign.",
        "Falls under the category of benign keratosis; does not meet criteria for melanoma.",
        "Appearance resembles seborrheic keratosis.",
        (
            "Features overlap between a seborrheic keratosis and melanoma, but comedo-like openings tip the"
            " balance towards seborrheic keratosis."
        ),
        "I exclude melanoma. I exclude basal cell carcinoma. What remains is seborrheic keratosis.",
        "Melanoma is excluded by the presence of milia-like cysts. Seborrheic keratosis.",
        "SK vs melanoma, favor SK",
        "Seborrhoeic keratosis would be my guess.",
        "Findings are less in keeping with melanoma than with a seborrheic keratosis.",
        "Would a melanoma look like this? Hardly. The lesion is a seborrheic keratosis.",
        "I do not think this is melanoma; this is a seborrheic keratosis.",
    ),
    "basal cell carcinoma": (
        (
            "FINDINGS: pink papule with arborizing vessels.\nIMPRESSION: BCC, nodular type.\nDIFFERENTIAL:"
            " amelanotic melanoma, SCC."
        ),
        "Ddx includes BCC, AK and SCC. Most consistent with BCC.",
        (
            "Classified as basal cell carcinoma (malignant). Amelanotic melanoma is an important"
            " differential that histology should settle."
        ),
        "Basal cell carcinoma seems most plausible; trichoepithelioma and dermal nevus come second.",
        "Diagnosis basal cell carcinoma; differential diagnosis squamous cell carcinoma.",
        "The absence of a pigment network and the presence of leaf-like areas favour basal cell carcinoma.",
        "The lack of melanocytic structures favours basal cell carcinoma.",
        "Basal cell carcinoma, most likely the superficial type, rather than Bowen's disease or psoriasis.",
        "Features are those of BCC. However, amelanotic melanoma can present identically.",
        "Malignant lesion, basal cell carcinoma. The main competitor is a dermal naevus, which lacks ulceration.",
        "These findings align with basal cell carcinoma, and differ from melanoma.",
        "The hallmark arborizing vessels are highly indicative of basal cell carcinoma.",
        "The lesion may represent a basal cell carcinoma.",
        "Suspected BCC. SCC cannot be excluded.",
        "Pink plaque of basal cell carcinoma with ulceration.",
        "BCC.",
        (
            "Because neither lacunae nor a network are present, and because the vessels branch, I conclude"
            " basal cell carcinoma."
        ),
        "For these reasons basal cell carcinoma was selected, not melanoma.",
        (
            "Actinic keratosis is suspected clinically; the dermoscopic picture is that of a superficial"
            " basal cell carcinoma."
        ),
        "Nodule is more in keeping with BCC than with SCC.",
        "Provisional diagnosis: BCC? Needs biopsy.",
        "basal cell carcinoma, malignant, is the reading. early squamous cell carcinoma remains on the list.",
    ),
    "melanoma": (
        "Diagnosis: Melanoma (superficial spreading). Differential Diagnosis: Dysplastic Nevus, Seborrheic Keratosis.",
        "A melanoma is more likely than a nevus here.",
        "Melanocytic lesion, suspicious for melanoma. Urgent excision.",
        "Highly suspicious for invasive melanoma.",
        (
            "In summary, melanoma in situ of lentigo maligna type; pigmented actinic keratosis and solar"
            " lentigo are the alternatives."
        ),
        "While a nevus is conceivable, melanoma is the working diagnosis.",
        "On dermoscopy one would first think of a seborrheic keratosis, but the blue-white veil speaks for melanoma.",
        "On dermoscopy one might think of a seborrheic keratosis, yet I consider this a melanoma.",
        "The differential between melanoma and nevus is difficult, I decide for melanoma.",
        "Melanoma mimicking a seborrheic keratosis.",
        "This could well be a melanoma, and I would classify it as such: melanoma.",
        "Melanoma arising in a pre-existing nevus.",
        "The pattern is not that of a seborrheic keratosis and I settle on melanoma.",
        (
            "The dermoscopic image reveals an asymmetric lesion with irregular borders, raising concern for"
            " malignant melanoma. Further evaluation is recommended to rule out invasion."
        ),
        "Possible melanoma.",
        "melanoma vs nevus, favor melanoma",
        "My best guess would be melanoma.",
        "The concern is melanoma.",
        "A melanoma is to be feared.",
        "I don't believe it is a nevus. Melanoma.",
        "The features do not fit a nevus, nor a seborrheic keratosis, but they fit a melanoma.",
        "Melanoma, as a nevus would not have such streaks.",
    ),
    "dermatofibroma": (
        (
            "I think this is most probably a dermatofibroma, although a scar or a sclerosing BCC could give"
            " a similar picture."
        ),
        "Likely benign: dermatofibroma. Consider BCC if it grows.",
        "Without network or globules, and with a central white patch, this is a dermatofibroma.",
        "No clear signs of BCC or melanoma; overall I would go for dermatofibroma.",
        "Given the above, dermatofibroma is the most appropriate classification.",
        "A possible dermatofibroma; nevus and BCC are less likely.",
        "Dermatofibroma (benign). DDx: BCC (morpheaform), scar.",
        (
            "The lesion was regarded as dermatofibroma on account of its central white patch, and not as"
            " basal cell carcinoma."
        ),
        "Final: DF. Alternatives: BCC > nevus.",
    ),
    "vascular lesion": (
        "The picture is compatible with haemangioma; nodular melanoma must be borne in mind.",
        "Final class: vascular lesion (cherry angioma). Malignancy: benign.",
        "Although the blue colour recalls a blue nevus, the lacunae argue for an angiokeratoma.",
        "Favored diagnosis is pyogenic granuloma. Amelanotic melanoma should be excluded histologically.",
        "Small angioma is seen. Vascular lesion, benign.",
        "The lesion would fit well with a cherry angioma.",
        "It would be classed with the vascular lesions, as a thrombosed angioma.",
        "**Impression:** Vascular lesion (hemangioma).\n**Differentials:** melanoma, pigmented BCC.",
        "Could be a vascular lesion, such as a hemangioma.",
        "A vascular lesion is therefore chosen.",
        "The uniform red lacunes speaks clearly for a angioma, so vascular lesion.",
        "Red nodule, probably vascular lesion; exclude amelanotic melanoma!",
    ),
    "melanocytic nevus": (
        "Melanoma was considered but the regular network makes a benign naevus more likely.",
        "No features of melanoma are present. The lesion is best classified as a melanocytic naevus.",
        "I favour a nevus over melanoma.",
        "Not a melanoma but a blue nevus.",
        "Differentials to think of: Spitz nevus, melanoma. Conclusion: Spitz naevus, benign.",
        "Would call it nevus. To exclude: melanoma.",
        "Lesion corresponds to a melanocytic nevus, benign, without signs of melanoma.",
        "This is unlikely to be a melanoma and more in line with a dermal nevus.",
        "Melanoma cannot be ruled out. The lesion is otherwise a typical clark nevus.",
        "There is some resemblance to melanoma. Still, nevus.",
        "Morphology is in favor of benign melanocytic nevus and against melanoma.",
        "If the lesion changes, melanoma must be suspected; at present it is a nevus.",
        "Given its symmetry a nevus is more probable than a melanoma.",
        "Based on these features, the most likely class is melanocytic nevus.",
        "It lacks the features of melanoma and resembles a common nevus.",
        "Melanoma is the diagnosis of exclusion; a nevus is what I see.",
        "A nevus. Melanoma: no.",
        "nevus, r/o melanoma",
        "Overall benign. Nevus type: compound. No melanoma features.",
        "Melanoma seems less probable. Therefore melanocytic nevus.",
        "A hemangioma would show lacunae, which are missing; the globules are those of a melanocytic nevus.",
        "It is not possible to separate this lesion from melanoma with certainty, but I choose melanocytic nevus.",
        "Diagnosis uncertain: nevus or melanoma. I lean to nevus.",
        "Consistent with a benign mole.",
    ),
    "actinic keratosis": (
        "Probably actinic keratosis. Squamous cell carcinoma less likely.",
        "This looks like a Bowen's disease to me, so I assign actinic keratosis (pre-cancerous).",
        "Arborising vessels, as in basal cell carcinoma, are not seen; the scale suggests actinic keratosis.",
        "We see a typical strawberry pattern, which is the sign of actinic keratosis. The SCC is not likely.",
        "I would say actinic keratosis.",
        "Actinic keratosis on a background of chronic actinic damage, next to a solar lentigo.",
        "The lesion is categorized as actinic keratosis.",
        "Actinic keratosis/Bowen's disease.",
        "Dx: AK r/o SCC",
        "Lesion most in line with solar keratosis.",
    ),
    "squamous cell carcinoma": (
        "The findings point away from basal cell carcinoma and towards squamous cell carcinoma.",
        "It is a keratoacanthoma rather than a basal cell carcinoma.",
        (
            "The combination supports squamous cell carcinoma, with hypertrophic actinic keratosis and"
            " viral wart as alternatives."
        ),
        "Keratoacanthoma vs. well-differentiated SCC.",
        "Overall assessment: malignant, squamous cell carcinoma. BCC and AK were also thought of.",
        "My first choice is SCC; my second choice BCC.",
        "Early squamous cell carcinoma arising in an actinic keratosis.",
        "leading to a classification of squamous cell carcinoma",
        "Classification: SCC / keratoacanthoma.",
        "Dx SCC. R/O BCC.",
        "The answer is squamous cell carcinoma, though a hyperkeratotic actinic keratosis would look much the same.",
        "There is concern for squamous cell carcinoma.",
        (
            "One sees keratin and scale like in actinic keratosis or squamous cell carcinoma; because of"
            " the thickness I take squamous cell carcinoma."
        ),
    ),
}

CAPITALS_ALONE = {"MM", "LM", "PG", "MEL", "NV"}
NO_CONCLUSION = (
    "Differential diagnosis between actinic keratosis and Bowen disease. Lesion is precancerous.",
    "Basal cell carcinoma or squamous cell carcinoma.",
    "Melanoma cannot be excluded.",
    "A light brown macule with a network; no diagnosis is offered.",
    "Structures are not melanoma-specific, nor nevus-like.",
    "An adjacent small nevus is unremarkable.",
    "History of melanoma.",
    "",
)


@pytest.mark.parametrize(
    ("text", "classname"), [(text, classname) for classname, texts in CONCLUSIONS.items() for text in texts]
)
def test_the_conclusion_is_found_in_any_style(text: str, classname: str) -> None:
    stated = stated_diagnosis(audit(text, None))
    assert stated is not None and stated.value == classname


@pytest.mark.parametrize("text", NO_CONCLUSION)
def test_a_note_without_conclusion_states_none(text: str) -> None:
    assert stated_diagnosis(audit(text, None)) is None


@pytest.mark.parametrize(("text", "classname"), [(text, name) for name, texts in CONCLUSIONS.items() for text in texts])
def test_capitals_do_not_matter(text: str, classname: str) -> None:
    assert stated_diagnosis(audit(text.upper(), None)).value == classname
    if not CAPITALS_ALONE & set(text.replace(".", " ").split()):
        assert stated_diagnosis(audit(text.lower(), None)).value == classname


def test_abbreviations_that_are_units_count_in_capitals_alone() -> None:
    assert stated_diagnosis(audit("MM is likely.", None)).value == "melanoma"
    assert audit("A macule of 5 mm, or 5 MM.", None) == []

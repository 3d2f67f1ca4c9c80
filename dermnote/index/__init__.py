"""Searchable case index: FAISS indexes over images and notes beside a table of cases."""

from dermnote.index.case_index import CaseIndex as CaseIndex
from dermnote.index.hit import Hit as Hit

"""Reading a note: words, known phrases, how far a negation reaches, and what the note so claims."""

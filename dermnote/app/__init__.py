"""What a visitor sees: the page, its cards and colours. `app.py` puts a loaded model behind it."""

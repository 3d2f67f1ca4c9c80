"""Gradio interface of DermNote; `dermnote.app.launch` starts it. The only package that imports Gradio."""

"""Access, middleware and uploads of the web server."""

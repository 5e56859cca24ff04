"""HTTP to one server: sessions, requests, files, pacing, and what failures mean."""

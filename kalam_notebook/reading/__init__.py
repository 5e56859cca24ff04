"""Complete reading: which road a query takes, and how each is gone.

``reader`` decides, ``suspicion`` says why a plain answer cannot be trusted, ``exact`` reads a query as one aggregated
row. Called by the client; sends through an ``Endpoint``.
"""

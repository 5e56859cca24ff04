"""Complete reading: which method a query is read by, and how each works.

``reader`` decides, ``trust`` says why a plain answer is not believed, ``exact`` reads a query as one aggregated
row. Called by the client; sends through an ``Endpoint``.
"""

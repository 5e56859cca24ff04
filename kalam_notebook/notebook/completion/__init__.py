"""What Tab offers in ``%%kalam`` and ``%kalam``: the place of the cursor, what the server has, IPython's matcher."""

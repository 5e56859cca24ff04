"""What a person sees in a notebook: magics, previews, the live table. Imported only inside IPython."""

"""Results as people hold them: tables, frames, cells, what a notebook shows of them."""

"""A live table in a terminal, as far as it is lines."""

import os

from kalam_notebook.notebook.page import watching


def test_a_text_is_written_over_all_lines_that_the_last_took(monkeypatch, capsys):
    monkeypatch.setattr(watching.shutil, "get_terminal_size", lambda: os.terminal_size((10, 40)))
    assert watching._write_over("one\n\n" + "x" * 21, 0) == 5
    assert watching._write_over("two", 5) == 1
    assert capsys.readouterr().out == f"one\n\n{'x' * 21}\n\x1b[5F\x1b[0Jtwo\n"

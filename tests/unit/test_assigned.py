"""Whether a magic's value is taken, in IPython's own cells and on every Python."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from kalam_notebook.notebook.assigned import is_taken


@pytest.fixture
def taken():
    """Run a cell with ``%asked`` in it; gives whether its value was taken."""
    shell = InteractiveShell()
    told = []
    # The magic that asks is one of ours.
    scope = {"__name__": "kalam_notebook.asked", "is_taken": is_taken, "told": told}
    exec("def asked(line): told.append(is_taken()); return 1", scope)
    shell.register_magic_function(scope["asked"], magic_kind="line", magic_name="asked")

    def run(cell):
        told.clear()
        with capture_output():
            shell.run_cell(cell).raise_error()
        (answer,) = told
        return answer

    yield run
    shell.history_manager.end_session()


@pytest.mark.parametrize(
    "cell",
    ["%asked", "%asked\n1", "x = 1\n%asked", "if True:\n    %asked", "for i in [1]:\n    %asked"],
)
def test_typed_alone(taken, cell):
    assert not taken(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "x = %asked",
        "x = %asked\nx",
        "def f():\n    x = %asked\n    return x\nf()",
        "async def f():\n    x = %asked\n    return x\nawait f()",
        "%%time\nx = %asked\n",
        "%%time\n%asked\n",  # Returns it.
        "len([get_ipython().run_line_magic('asked', '')])",
    ],
)
def test_assigned(taken, cell):
    assert taken(cell)

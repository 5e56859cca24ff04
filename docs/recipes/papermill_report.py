"""A notebook with a live table, run by papermill: its saved outputs can be read without a kernel."""

import nbformat
import papermill

cells = [
    nbformat.v4.new_code_cell("city = 'Oslo'", metadata={"tags": ["parameters"]}),
    nbformat.v4.new_code_cell(
        "import kalam_notebook as kalam\n"
        "kalam.connect('sandbox')\n"
        "kalam.execute_query('CREATE NAMESPACE app')\n"
        "kalam.execute_query(\"CREATE TABLE app.t (id INT PRIMARY KEY, city TEXT) WITH (TYPE = 'SHARED')\")\n"
        "kalam.execute_query(\"INSERT INTO app.t (id, city) VALUES (1, 'Bonn'), (2, 'Oslo')\")"
    ),
    nbformat.v4.new_code_cell("live = kalam.live('SELECT id, city FROM app.t WHERE city = $1', [city])\nlive"),
    nbformat.v4.new_code_cell("live.freeze()\nkalam.close()"),
]
nbformat.write(nbformat.v4.new_notebook(cells=cells), "report.ipynb")

papermill.execute_notebook(
    "report.ipynb", "done.ipynb", parameters={"city": "Bonn"}, kernel_name="python3", language="python"
)
done = nbformat.read("done.ipynb", as_version=4)
shown = "".join(str(output) for cell in done.cells for output in cell.get("outputs", []))
assert "Bonn" in shown
assert "ename" not in shown

from kalam_notebook import errors as errors
from kalam_notebook._version import __version__ as __version__
from kalam_notebook.client.async_client import AsyncClient as AsyncClient
from kalam_notebook.client.client import Client as Client
from kalam_notebook.client.default import close as close
from kalam_notebook.client.default import connect as connect
from kalam_notebook.client.default import connections as connections
from kalam_notebook.client.default import use as use
from kalam_notebook.client.doctor import doctor as doctor
from kalam_notebook.client.exporting import ExportReport as ExportReport
from kalam_notebook.client.live import Subscription as Subscription
from kalam_notebook.client.partitions import Partition as Partition
from kalam_notebook.client.partitions import Partitions as Partitions
from kalam_notebook.files.outcome import FilesWarning as FilesWarning
from kalam_notebook.live_queries.events import messages as _messages
from kalam_notebook.live_queries.events.live_events import LiveEvents as LiveEvents
from kalam_notebook.live_queries.recording.recorder import LiveRecorder as LiveRecorder
from kalam_notebook.live_queries.replay import replay as replay
from kalam_notebook.live_queries.table import LiveTable as LiveTable
from kalam_notebook.notebook.nested import allow_nested_run as allow_nested_run
from kalam_notebook.notebook.page.browse import browse as browse
from kalam_notebook.results.batches import QueryBatches as QueryBatches
from kalam_notebook.results.results import Completeness as Completeness
from kalam_notebook.results.results import IncompleteResultWarning as IncompleteResultWarning
from kalam_notebook.results.results import QueryResponse as QueryResponse
from kalam_notebook.results.results import QueryResult as QueryResult
from kalam_notebook.settings import Timeouts as Timeouts
from kalam_notebook.topics.consumer import CommitResult as CommitResult
from kalam_notebook.topics.consumer import Consumer as Consumer
from kalam_notebook.topics.watch import TopicWarning as TopicWarning
from kalam_notebook.wire.fileref import FileRef as FileRef
from kalam_notebook.wire.topics import TopicMessage as TopicMessage
from kalam_notebook.wire.types import Column as Column
from kalam_notebook.writing.report import WriteReport as WriteReport
from kalam_sandbox import launcher as _launcher

_default: Client

check_setup_status = _default.check_setup_status
cluster_health_check = _default.cluster_health_check
consumer = _default.consumer
copy = _default.copy
describe = _default.describe
download = _default.download
download_bound_file = _default.download_bound_file
download_file = _default.download_file
events = _messages
execute_query = _default.execute_query
execute_with_files = _default.execute_with_files
export = _default.export
health_check = _default.health_check
live = _default.live
live_events = _default.live_events
live_topic = _default.live_topic
login = _default.login
namespaces = _default.namespaces
partitions = _default.partitions
query = _default.query
query_arrow = _default.query_arrow
query_batches = _default.query_batches
query_polars = _default.query_polars
query_result = _default.query_result
refresh_access_token = _default.refresh_access_token
sandbox = _launcher.start
server_setup = _default.server_setup
subscriptions = _default.subscriptions
tables = _default.tables
to_dask = _default.to_dask
upload = _default.upload
write = _default.write

def load_ipython_extension(shell: object) -> None: ...
def unload_ipython_extension(shell: object) -> None: ...

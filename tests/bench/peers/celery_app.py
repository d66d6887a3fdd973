"""The Celery application that is measured: one task that echoes, broker and results on the Redis of BENCH_REDIS."""

import os

import celery

ADDRESS = os.environ["BENCH_REDIS"]

app = celery.Celery("bench", broker=f"{ADDRESS}/0", backend=f"{ADDRESS}/1")
app.conf.update(
    accept_content=["json"],
    # Short tasks: a worker takes as many as there are, see "Prefetch Limits" in Celery's guide to optimizing.
    worker_prefetch_multiplier=0,
    # What costs and is not asked for here.
    worker_disable_rate_limits=True,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    result_expires=None,
)


@app.task(name="echo")
def echo(value):
    return value

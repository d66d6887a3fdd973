"""All rows, in the order in which they are measured: each group in a file of its own."""

import executor_rows
import peer_rows
import set_rows
import wire_rows

MEASUREMENTS = (
    *wire_rows.MEASUREMENTS,
    *set_rows.MEASUREMENTS,
    *executor_rows.MEASUREMENTS,
    *peer_rows.MEASUREMENTS,
)

ROWS = {row.name: row for measurement in MEASUREMENTS for row in measurement.rows}

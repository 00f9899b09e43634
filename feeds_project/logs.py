"""Logs as JSON, one object a line."""

import json
import logging
import re

KEYS = re.compile(r"(\w+)=%")


class JSONFormatter(logging.Formatter):
    """Makes members of the pairs in a `key=%s` message, and of what a traceback says."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        values = record.args if isinstance(record.args, tuple) else ()
        keys = KEYS.findall(str(record.msg))
        if len(keys) == len(values):
            line |= {key: value for key, value in zip(keys, values, strict=True) if key not in line}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)

"""What schemathesis sends as a zip: bytes as they come, which are none."""

import schemathesis

schemathesis.serializer.alias("application/zip", "application/octet-stream")

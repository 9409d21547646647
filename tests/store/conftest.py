"""A lake in a folder, and in a bucket."""

from __future__ import annotations

from tests.s3 import bucket, bucket_lake, place, s3, way

__all__ = ["bucket", "bucket_lake", "place", "s3", "way"]

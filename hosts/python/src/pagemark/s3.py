"""A bucket of S3, or of a service that speaks its language, as the store: `pip install 'pagemark[s3]'`.

Objects are kept as `pagemark` (npm) and `litestream` keep them in a bucket. None is replaced: every put is refused by the
service where its key is taken (`If-None-Match: *`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Optional, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from .host import Failure, StoredObject
from .keys import check_key, is_key

_PART_SIZE = 8 << 20
#: Where Litestream, too, keeps the time of an object.
_TIMESTAMP = "litestream-timestamp"
#: Names the put of an object: one whose answer was lost must tell its own object from others.
_PUT = "pagemark-put"
#: At which it is tried out whether a service refuses a put of a key that is taken.
_PROBE = ".pagemark/conditional-put"
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict"}
_MISSING = {"NoSuchKey", "404", "NotFound"}
_MEANINGS = {
    "AccessDenied": ("STORE_DENIED", "these keys may not do that; check them, and what the bucket's policy allows"),
    "403": ("STORE_DENIED", "these keys may not do that; check them, and what the bucket's policy allows"),
    "InvalidAccessKeyId": ("STORE_DENIED", "the service does not accept these keys; check them"),
    "SignatureDoesNotMatch": ("STORE_DENIED", "the service does not accept these keys; check them"),
    "ExpiredToken": ("STORE_DENIED", "the keys are temporary and have expired; get new ones"),
    "NoSuchBucket": ("STORE_NO_BUCKET", "there is no such bucket; check its name, or create it"),
    "PermanentRedirect": ("STORE_REGION", "the bucket is elsewhere; give its region or endpoint"),
    "QuotaExceeded": ("STORE_FULL", "the service has no room for it; make room, or raise the quota"),
    "XMinioStorageFull": ("STORE_FULL", "the service has no room for it; make room, or raise the quota"),
}

_T = TypeVar("_T")


class S3Store:
    """Objects of a bucket, below `prefix`.

    `client` is one of boto3's. Without it, one is made with the keys, region and endpoint that boto3 finds: in the environment
    (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL_S3`, …), in `~/.aws`, or from a role.
    """

    layout = "bucket"

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        region: Optional[str] = None,
        endpoint: Optional[str] = None,
        profile: Optional[str] = None,
        client: Any = None,
    ) -> None:
        self.bucket = bucket
        self.prefix = "".join(f"{each}/" for each in prefix.split("/") if each)
        self._client = client or _client(region, endpoint, profile)
        self._is_trusted = self._client.meta.endpoint_url.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @classmethod
    def from_url(cls, url: str) -> "S3Store":
        """The store of `s3://bucket/prefix`, with `region`, `endpoint` and `profile` as parameters.

        Raises ValueError when it is no such URL.
        """
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        known = {"region", "endpoint", "profile"}
        if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or ":" in parts.netloc:
            raise ValueError("give s3://bucket/prefix; keys come from the environment or ~/.aws")
        if not known.issuperset(given):
            unknown = ", ".join(sorted(given.keys() - known))
            raise ValueError(f"there is no parameter {unknown} of s3://…; there are {', '.join(sorted(known))}")
        endpoint = given.get("endpoint")
        if endpoint is not None and not _is_address(endpoint):
            raise ValueError(f"{endpoint} is no address of a service; give one such as https://s3.example.com")
        return cls(parts.netloc, unquote(parts.path), **given)

    def list(self, prefix: str, cursor: Optional[str]) -> tuple[list[StoredObject], Optional[str]]:
        more = {"ContinuationToken": cursor} if cursor else {}
        while True:
            page = self._do(
                "list", prefix, lambda: self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix + prefix, **more)
            )
            found = [self._object(each) for each in page.get("Contents", []) if is_key(each["Key"][len(self.prefix) :])]
            token = page["NextContinuationToken"] if page.get("IsTruncated") else None
            # What else lies in the bucket may leave a page empty.
            if found or token is None:
                return found, token
            more = {"ContinuationToken": token}

    def get(self, key: str, offset: int, length: int) -> bytes:
        def read() -> bytes:
            # No range is empty.
            last = offset + max(length, 1) - 1
            answer = self._client.get_object(Range=f"bytes={offset}-{last}", **self._at(key))
            return answer["Body"].read()[:length]

        try:
            return self._do("read", key, read)
        except _Refused as refused:
            if refused.of_service == "InvalidRange":
                return b""
            raise

    def delete(self, key: str) -> None:
        self._do("delete", key, lambda: self._client.delete_object(**self._at(key)))

    def create(self, key: str, modified_ms: int) -> "S3Upload":
        self._try_condition()
        if self.head(key) is not None:
            raise Failure("exists")
        return S3Upload(self, key, modified_ms)

    def head(self, key: str) -> Optional[dict[str, Any]]:
        """What the service says of an object; `None` when there is none."""
        try:
            return self._do("read", key, lambda: self._client.head_object(**self._at(key)))
        except Failure as failure:
            if failure.kind == "missing":
                return None
            raise

    def _at(self, key: str) -> dict[str, str]:
        check_key(key)
        return {"Bucket": self.bucket, "Key": self.prefix + key}

    def _object(self, listed: Any) -> StoredObject:
        modified_ms = int(listed["LastModified"].timestamp()) * 1000
        return StoredObject(listed["Key"][len(self.prefix) :], listed["Size"], modified_ms)

    def _try_condition(self) -> None:
        """Refuses a service that replaces objects whatever it is told: of two backups at once one would be lost."""
        if self._is_trusted:
            return
        probe = {"Bucket": self.bucket, "Key": self.prefix + _PROBE, "Body": b"", "IfNoneMatch": "*"}
        for _ in range(2):
            try:
                self._do("write", _PROBE, lambda: self._client.put_object(**probe))
            except Failure as failure:
                if failure.kind != "exists":
                    raise
                self._is_trusted = True
                return
        message = "the service ignores If-None-Match, so two backups at once could replace each other; use `pagemark` (npm) for it"
        raise Failure("failed", "STORE_REFUSED", f"{self._name()}: {message}")

    def _do(self, doing: str, key: str, run: Callable[[], _T]) -> _T:
        """Calls the service; boto3 tries again what fails for a moment."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError

        try:
            return run()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _TAKEN:
                raise Failure("exists") from error
            if code in _MISSING:
                raise Failure("missing") from error
            known = _MEANINGS.get(code, ("STORE_REFUSED", f"the service answers {code}"))
            raise _Refused(code, known[0], f"cannot {doing} {key!r} in {self._name()}: {known[1]}") from error
        except NoCredentialsError as error:
            message = f"{self._name()}: there are no keys; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`"
            raise Failure("failed", "STORE_DENIED", message) from error
        except (BotoCoreError, HTTPClientError) as error:
            message = f"cannot {doing} {key!r} in {self._name()}: {error}; try again later"
            raise Failure("failed", "STORE_UNAVAILABLE", message) from error

    def _name(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class S3Upload:
    """An object that is put in one request, or in parts of 8 MiB; it is there once all of it is."""

    def __init__(self, store: S3Store, key: str, modified_ms: int) -> None:
        self._store = store
        self._key = key
        self._at = store._at(key)
        self._put = str(uuid.uuid4())
        time = datetime.fromtimestamp(modified_ms / 1000, timezone.utc)
        self._metadata = {_TIMESTAMP: time.isoformat(timespec="milliseconds").replace("+00:00", "Z"), _PUT: self._put}
        self._data = bytearray()
        self._upload: Optional[str] = None
        self._parts: list[dict[str, Any]] = []

    def append(self, data: bytes) -> None:
        self._data += data
        if len(self._data) >= _PART_SIZE:
            self._send()

    def finish(self) -> None:
        client = self._store._client
        if self._upload is None:
            self._make(lambda: client.put_object(Body=bytes(self._data), Metadata=self._metadata, IfNoneMatch="*", **self._at))
            return
        if self._data:
            self._send()
        made = {"UploadId": self._upload, "MultipartUpload": {"Parts": self._parts}}
        self._make(lambda: client.complete_multipart_upload(IfNoneMatch="*", **made, **self._at))
        self._upload = None

    def abort(self) -> None:
        self._data.clear()
        if self._upload is None:
            return
        upload, self._upload = self._upload, None
        try:
            self._call(lambda: self._store._client.abort_multipart_upload(UploadId=upload, **self._at))
        except Failure:
            # Services remove what was begun and given up, and nothing lists it.
            pass

    def _send(self) -> None:
        client = self._store._client
        if self._upload is None:
            begun = self._call(lambda: client.create_multipart_upload(Metadata=self._metadata, **self._at))
            self._upload = begun["UploadId"]
        part = {"UploadId": self._upload, "PartNumber": len(self._parts) + 1}
        sent = self._call(lambda: client.upload_part(Body=bytes(self._data), **part, **self._at))
        self._parts.append({"PartNumber": part["PartNumber"], "ETag": sent["ETag"]})
        self._data.clear()

    def _make(self, run: Callable[[], Any]) -> None:
        try:
            self._call(run)
        except Failure as failure:
            # The answer to an attempt before may have been lost.
            found = self._store.head(self._key)
            if found is None or found["Metadata"].get(_PUT) != self._put:
                raise failure

    def _call(self, run: Callable[[], _T]) -> _T:
        return self._store._do("write", self._key, run)


class _Refused(Failure):
    """With the service's own code."""

    def __init__(self, code: str, name: str, message: str) -> None:
        super().__init__("failed", name, message)
        self.of_service = code


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is none
        return False


def _client(region: Optional[str], endpoint: Optional[str], profile: Optional[str]) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise ImportError("a bucket needs boto3: pip install 'pagemark[s3]'") from error
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        # Checksums that AWS alone knows; what is stored has its own.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        # Any service but AWS takes any region.
        region = session.region_name or "us-east-1"
        return session.client("s3", region_name=region, endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as error:
        raise ValueError(str(error)) from error

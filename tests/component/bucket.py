"""What a bucket says of keys that are taken, in one request and in parts; and of a bucket that is not there."""

from pagemark import Failure, S3Store


def told(store: S3Store, key: str, data: bytes) -> str:
    upload = store.create(key, 0)
    if store.head(key) is None:
        # Another one was faster.
        other = store.create(key, 0)
        other.append(b"first")
        other.finish()
    try:
        upload.append(data)
        upload.finish()
    except Failure as failure:
        return failure.code or failure.kind
    finally:
        upload.abort()
    return "made"


store = S3Store("backups", "taken")
answers = [told(store, "small", b"second"), told(store, "large", bytes(9 << 20))]
assert [store.get(key, 0, 9) for key in ("small", "large")] == [b"first", b"first"]
assert store.get("small", 5, 9) == b"" and store.list("la", None)[0][0].key == "large"
try:
    S3Store("nowhere").list("", None)
except Failure as failure:
    answers.append(failure.code)
print(*answers)

"""Lists archives with Python's own readers of gzip and tar, which share no code with Go's.

Each request on standard input is a length of four bytes and a .tar.gz; each
answer is a line of JSON: the kind and the bytes of every entry in order, or why
the archive cannot be read.
"""

import base64
import io
import json
import sys
import tarfile


def read(packed):
    entries = []
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for entry in archive:
            kind = "file" if entry.isreg() else "folder" if entry.isdir() else "other"
            text = archive.extractfile(entry).read() if kind == "file" else b""
            name = entry.name.encode("utf-8", "surrogateescape")
            entries.append({"name": base64.b64encode(name).decode(), "kind": kind, "text": base64.b64encode(text).decode()})
    return {"entries": entries}


while length := sys.stdin.buffer.read(4):
    request = sys.stdin.buffer.read(int.from_bytes(length, "big"))
    try:
        answer = read(request)
    except Exception as error:  # whatever an archive makes it say is an answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)

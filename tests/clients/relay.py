"""A relay on a unix socket that keeps the requests that pass, as facts: method, target and JSON body.
Knows nothing of who is behind or before it."""

import json
import re
import socket
import threading

HIJACKED = re.compile(r"/(attach|session|grpc)$|/exec/[^/]+/start$")
LARGEST = 1 << 20


class Relay:
    """Listens until it is closed."""

    def __init__(self, path, upstream):
        self.upstream, self.requests, self.lock = str(upstream), [], threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        upstream = socket.socket(socket.AF_UNIX)
        try:
            upstream.connect(self.upstream)
            threading.Thread(target=pump, args=(upstream, client), daemon=True).start()
            self._requests(client, upstream)
            upstream.shutdown(socket.SHUT_WR)
        except (OSError, EOFError):
            upstream.close()
            client.close()

    def _requests(self, client, upstream):
        reader = Reader(client, upstream)
        while True:
            try:
                head = reader.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            except EOFError:
                return
            method, target, _ = head[0].split(" ")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            request = {"method": method, "target": target}
            with self.lock:
                self.requests.append(request)
            body = reader.body(fields)
            if body and "json" in fields.get("content-type", ""):
                try:
                    request["body"] = json.loads(body)
                except ValueError:
                    pass
            if "upgrade" in fields or HIJACKED.search(target.partition("?")[0]):
                upstream.sendall(reader.buffer)
                pump(client, upstream)
                return


class Reader:
    """Reads from one side; what was read has gone on to the other."""

    def __init__(self, source, sink):
        self.source, self.sink, self.buffer = source, sink, b""

    def _more(self):
        data = self.source.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def _take(self, length):
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        self.sink.sendall(taken)
        return taken

    def until(self, mark):
        while mark not in self.buffer:
            self._more()
        return self._take(self.buffer.index(mark) + len(mark))

    def exactly(self, length):
        kept = b""
        while length:
            if not self.buffer:
                self._more()
            piece = self._take(length)
            length -= len(piece)
            kept += piece[: max(0, LARGEST - len(kept))]
        return kept

    def body(self, fields):
        if "chunked" not in fields.get("transfer-encoding", ""):
            return self.exactly(int(fields.get("content-length") or 0))
        kept = b""
        while size := int(self.until(b"\r\n").split(b";")[0], 16):
            kept += self.exactly(size)
            self.until(b"\r\n")
        while self.until(b"\r\n") != b"\r\n":
            pass
        return kept


def pump(source, sink):
    """Everything from one side to the other, and its end too."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass

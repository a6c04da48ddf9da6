#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for GitHub on the loopback interface: REST API, git over smart HTTP, and a
control door for tests. Everything it says about commits is read from real bare repositories.

    standin.py --root DIR [--port 0] [--port-file F] [--log F] [--tokens F] [--owned]

It prints `listening http://127.0.0.1:PORT` when it is ready (and writes PORT to --port-file).
--log appends one JSON line per request that is not a control request. --owned: ends with the
process that started it. --tokens: a JSON list of token objects (see POST tokens).

    REST     http://127.0.0.1:PORT/repos/…, /repositories/ID/…, /rate_limit; one query of GraphQL (graphql.py)
             (also below /api/v3, as GitHub Enterprise Server has it)
    git      http://127.0.0.1:PORT/OWNER/NAME.git    Basic (any user, token as password) or Bearer
    control  http://127.0.0.1:PORT/_standin/…        JSON in, JSON out; no token; 400 {"error"}

Control requests (bodies are JSON objects; `?` marks what may be left out)
    GET    state                       everything, for reading by people
    GET    ping
    POST   settings        {api_url?, web_url?, errors_as_strings?, actions_may_open_pulls?,
                            statuses_per_context?, comment_max?}
                            api_url: public address behind a proxy
    POST   clock           {now?, advance?, stopped?} -> {now}   seconds; of Date, of resets
    GET    limits          {now, settings, budgets: [{of, limit, used, reset_in, writes, asked,
                            refused, polled, unchanged, points, allowed_in}]}
                            polled: asked before it was time again; unchanged: 304, not counted as used;
                            points: of GraphQL
    POST   limits          {on?, primary?, job?, writes_minute?, writes_hour?, status?,
                            announce?}              off at first: only counted; see limits.py
    POST   limits/used     {token, used?, reset_in?, writes?}    as if so much had been asked
    POST   tokens          {token, login, permissions?, kind?, repositories?, job_of?}
                            job_of: the repository whose job's token it is
                            permissions: {"contents": "write", "pull_requests": "read"…};
                            left out: all. Names: contents pull_requests issues statuses metadata
    DELETE tokens/TOKEN                             it is worth nothing any more
    POST   apps            {number, slug, key, permissions}      a GitHub App; key: public, PEM
    POST   apps/N/installed {repository, on?, suspended?}        on false: uninstalled
    POST   users           {login, kind?}
    POST   repos           {full_name, default_branch?, private?, source?}   source: local repo
    GET    repos/O/R       {id, path, refs, comments, statuses, pulls}
    POST   repos/O/R       {merge_refs?, full_name?}  merge_refs: fresh | stale (kept) | absent.
                            full_name: renamed; the old name answers 301 or 307 from then on
                            (here it is still understood)
    POST   repos/O/R/commit        {branch, files: {path: text or null}, message, user?, parent?}
    POST   repos/O/R/ref           {ref, sha or null}
    POST   repos/O/R/protect       {branch, kind?}  GH006 (default), GH013, or null: off
    POST   repos/O/R/collaborators {login: role}    admin maintain write triage read none
    POST   repos/O/R/pulls         {head, base?, title?, user?, body?, draft?, head_repo?}
    POST   repos/O/R/pulls/N       {title?, body?, draft?, locked?, state?, head_repo: null?,
                                    base?, mergeable_unknown?, by?}
    POST   repos/O/R/pulls/N/merge {user?, method?} merge (default) or squash -> {sha}
    POST   repos/O/R/pulls/N/label {name, by, on?, via?}    via: the number of an App that acts for them
    POST   repos/O/R/runs          {id, event?, actor?, triggering_actor?, status?, attempt?, head_branch?, head_sha?,
                                    queued?}  actor null: a deleted account; queued: only if that is a group
                                    which the queue has made, as GitHub starts runs for no other
    POST   repos/O/R/comments      {issue, user, body, count?, via?}   {i} in body counts from 1;
                                    user null: a deleted account
    GET    requests?since=ID&method=M&path=REGEX    what was asked, oldest first
    DELETE requests
    POST   faults          see below -> {id}
    GET    faults/ID       {hits, waiting, left}
    POST   faults/ID/wait  {hits, seconds}          answers once it was hit that often
    POST   faults/ID/step          {count?, advance?, seconds?, back?}  once so many wait at a gate, moves the clock on, lets
                                                    these through, and answers when as many wait there again
                                                    (back false: at once)
    POST   faults/ID/release                        lets held requests go on, now and later
    DELETE faults  (or faults/ID)                   forget; what is held is released
    POST   doors           {} -> {url}              another port that leads here
    POST   doors/PORT      {open}                   closed: connections to it are refused

A fault {path: REGEX, method?, times? (1; 0: for ever), skip? (0), action, after? (false), …}
meets the requests whose method and path-with-query match. `after`: the work is done first.
    answer    {status, headers?, body? (object or text), body_bytes? (that much filler)}
    drop      the connection is closed without an answer
    reset     the same, with a TCP reset
    hold      waits until released, then goes on as if nothing had been
    gate      the same, but let through one by one: see faults/ID/step
    silence   no answer until released, then closed without one
    truncate  {bytes}: the true length is announced, that many bytes of the body are sent
    drip      {ms}: the answer comes byte by byte, that far apart, until released
    raw       {text}: these bytes instead of HTTP
The first fault that matches and has times left is taken.

A recorded request: {id, kind: rest|git, method, path, login, headers, json or text, status,
fault?, push? ([[old, new, ref]]), leaked?}. Tokens are replaced by <LOGIN>; `leaked` is there if
a token stood anywhere but in Authorization."""

import argparse
import ctypes
import http.server
import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import control  # noqa: E402
import githttp  # noqa: E402
import rest     # noqa: E402
from state import World  # noqa: E402

BODY_MAX = 256 << 20
KEPT_HEADERS = ("Accept", "Authorization", "If-None-Match", "Content-Type", "Content-Encoding", "Expect",
                "Git-Protocol", "Transfer-Encoding", "User-Agent", "X-GitHub-Api-Version")


class Hangup(Exception):
    """Close the connection without another byte."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, root, log=None):
        super().__init__(address, Handler)
        self.world = World(root)
        self.log = open(log, "a", encoding="utf-8") if log else None
        self.requests = []
        self.faults = []
        self.changed = threading.Condition()  # of faults and requests
        self.next_request = self.next_fault = 0
        self.doors = {}

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]

    def another_door(self):
        door = Door(self)
        self.doors[door.keeper.getsockname()[1]] = door
        return door

    def fault_for(self, method, target):
        with self.changed:
            for fault in self.faults:
                if fault.takes(method, target):
                    self.changed.notify_all()
                    return fault
        return None

    def record(self, entry):
        with self.changed:
            self.next_request += 1
            entry["id"] = self.next_request
            self.requests.append(entry)
            self.changed.notify_all()

    def finish_record(self, entry):
        if self.log:
            with self.changed:
                self.log.write(json.dumps(entry) + "\n")
                self.log.flush()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, Hangup, TimeoutError)):
            super().handle_error(request, client_address)


class Door:
    """Another port of a server, which can be closed. A socket that never listens keeps the port
    from everybody else meanwhile."""

    def __init__(self, server):
        self.server = server
        self.keeper = self.bind((server.server_address[0], 0))
        self.url = "http://127.0.0.1:%d" % self.keeper.getsockname()[1]
        self.open()

    @staticmethod
    def bind(address):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(address)
        return one

    def open(self):
        self.listener = self.bind(self.keeper.getsockname())
        self.listener.listen(128)
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return listener.close()
            self.server.process_request(connection, address)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "github.example"
    sys_version = ""
    timeout = 300  # seconds of silence on a kept-open connection
    disable_nagle_algorithm = True

    def log_message(self, format, *args):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string(self.server.world.clock.now() if timestamp is None
                                        else timestamp)

    def do_GET(self):
        self.close_connection = self.close_connection or False
        with tempfile.NamedTemporaryFile(dir=self.server.world.root, prefix=".body") as body:
            try:
                size = self.read_body(body)
                if size is not None:
                    self.take(body, size)
            except Hangup:
                self.hang_up()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_GET

    # ---- bytes in ----

    def read_body(self, out):
        """Size of the body, now in `out`; None when it was refused."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            size = 0
            while True:
                chunk = int(self.rfile.readline(64).split(b";")[0], 16)
                if chunk == 0:
                    break
                size += chunk
                if size > BODY_MAX:
                    return self.refuse_body()
                self.copy_in(out, chunk)
                self.rfile.readline(8)
            while self.rfile.readline(4096).strip():
                pass  # trailers
        else:
            try:
                size = int(self.headers.get("Content-Length") or 0)
            except ValueError:
                size = BODY_MAX + 1
            if size > BODY_MAX or size < 0:
                return self.refuse_body()
            self.copy_in(out, size)
        out.flush()
        return size

    def copy_in(self, out, left):
        while left > 0:
            data = self.rfile.read(min(left, 1 << 16))
            if not data:
                raise Hangup()
            out.write(data)
            left -= len(data)

    def refuse_body(self):
        self.close_connection = True
        self.send(413, {"Content-Type": "text/plain"}, b"payload too large\n")

    # ---- one request ----

    def take(self, body, size):
        if self.path.startswith("/_standin/"):
            return self.control(body)
        if self.path.startswith("/api/v3/"):
            self.path = self.path[len("/api/v3"):]
        git = githttp.parse(self.path)
        entry = self.describe(git, body, size)
        self.server.record(entry)
        fault = self.server.fault_for(self.command, self.path)
        if fault is not None:
            entry["fault"] = fault.id
        try:
            self.serve(git, body, size, entry, fault)
        finally:
            self.server.finish_record(entry)

    def serve(self, git, body, size, entry, fault):
        spec = fault.spec if fault else {}
        late = spec.get("after", False)
        if fault is not None and not late and self.disturb(fault, entry):
            return
        if git is not None:
            reply = self.git(git, body.name, size, entry, keep=fault is not None and late)
        else:
            reply = self.rest(body, entry)
        if fault is not None and late and self.disturb(fault, entry):
            return
        if reply is not None:
            self.reply(reply, entry, fault)

    def disturb(self, fault, entry):
        """Do what a fault asks for; True when that was the answer."""
        spec = fault.spec
        action = spec["action"]
        if action == "hold":
            with self.server.changed:
                fault.waiting += 1
                self.server.changed.notify_all()
            fault.released.wait()
            with self.server.changed:
                fault.waiting -= 1
                self.server.changed.notify_all()
            return False
        if action == "gate":
            with self.server.changed:
                fault.waiting += 1
                self.server.changed.notify_all()
                open_now = lambda: fault.passes > 0 or fault.released.is_set()
                while not self.server.changed.wait_for(open_now, 0.05) and not self.is_gone():
                    pass
                passes = open_now()
                fault.waiting -= 1
                fault.passes -= passes
                self.server.changed.notify_all()
            if not passes:
                raise Hangup()
            return False
        if action == "silence":
            fault.released.wait()
            raise Hangup()
        if action == "drop":
            raise Hangup()
        if action == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            raise Hangup()
        if action == "raw":
            self.wfile.write(spec["text"].encode("latin-1"))
            raise Hangup()
        if action in ("truncate", "drip"):
            return False
        data = spec.get("body", "")
        headers = {"Content-Type": "text/html; charset=utf-8" if isinstance(data, str)
                   else "application/json; charset=utf-8"}
        data = data.encode() if isinstance(data, str) else json.dumps(data).encode()
        data += b"x" * spec.get("body_bytes", 0)
        with self.server.world.lock:
            token = rest.find_token(self.server.world, self.headers.get("Authorization") or "")
            headers.update(rest.rate_headers(self.server.world, token))
        headers.update(spec.get("headers", {}))
        entry["status"] = spec["status"]
        self.send(spec["status"], headers, data)
        return True

    def is_gone(self):
        """Has whoever waits for an answer hung up?"""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def rest(self, body, entry):
        body.seek(0)
        world = self.server.world
        with world.lock:
            call = rest.Call(world, self.command, self.path, self.headers, body.read(),
                             self.server.url)
            out = rest.answer(call)
        return out.status, out.headers, out.raw or b""

    def git(self, git, body_path, size, entry, keep):
        """Passes a git request on. Returns the answer unsent where `keep`, else None."""
        full_name, what, service = git
        world = self.server.world
        try:
            with world.lock:
                repo = githttp.authorize(world, full_name, service,
                                         self.headers.get("Authorization"))
                world.sync(repo)
        except githttp.Refused as refused:
            if "Location" in refused.headers:
                refused.headers["Location"] = "%s/%s.git/%s" % (
                    self.server.url, refused.headers["Location"], self.path.partition(".git/")[2])
            return refused.status, {"Content-Type": "text/plain; charset=utf-8",
                                    **refused.headers}, (refused.text + "\n").encode()
        if what == "git-receive-pack":
            entry["push"] = githttp.pushed(body_path)
        query = self.path.partition("?")[2]
        process, status, fields = githttp.backend(world, repo, what, self.command, query,
                                                  self.headers, body_path, size, entry["login"])
        with process:
            entry["status"] = status
            if keep or entry.get("fault") is not None:
                data = process.stdout.read()
            else:
                self.stream(status, fields, process.stdout)
        if what == "git-receive-pack":
            with world.lock:
                world.sync()
        if keep or entry.get("fault") is not None:
            return status, dict(fields), data
        return None

    # ---- bytes out ----

    def reply(self, reply, entry, fault):
        status, headers, data = reply
        entry["status"] = status
        spec = fault.spec if fault else {}
        if spec.get("action") == "truncate":
            self.send(status, headers, data, spec.get("bytes", 0))
            raise Hangup()
        if spec.get("action") == "drip":
            self.send(status, headers, data, 0)
            for at in range(len(data)):
                self.wfile.write(data[at:at + 1])
                fault.released.wait(spec["ms"] / 1000)
            return
        self.send(status, headers, data)

    def send(self, status, headers, data, cut=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if cut is None else data[:cut])
        self.wfile.flush()

    def stream(self, status, fields, source):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            data = source.read1(1 << 16)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            if not data:
                break
        self.wfile.flush()

    def hang_up(self):
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    # ---- what is remembered ----

    def describe(self, git, body, size):
        world = self.server.world
        body.seek(0)
        data = body.read(1 << 20) if git is None else b""
        with world.lock:
            tokens = {token: "<%s>" % t["login"] for token, t in world.tokens.items()}
            token = rest.find_token(world, self.headers.get("Authorization") or "")
        hide = Hider(tokens)
        entry = {"id": 0, "kind": "rest" if git is None else "git", "method": self.command,
                 "path": hide(self.path), "login": token and token["login"], "headers": {},
                 "status": None}
        for name in KEPT_HEADERS:
            value = self.headers.get(name)
            if value is None:
                continue
            if name == "Authorization":
                value = "%s <%s>" % (value.split(" ")[0], entry["login"] or "?")
            entry["headers"][name] = hide(value)
        for name, value in self.headers.items():
            if name.lower() != "authorization":
                hide(value)
        if git is not None:
            entry["bytes"] = size
        elif data:
            text = hide(data.decode("utf-8", errors="replace"))
            try:
                entry["json"] = json.loads(text)
            except ValueError:
                entry["text"] = text
        if hide.seen:
            entry["leaked"] = True
        return entry

    def control(self, body):
        body.seek(0)
        status, reply = control.answer(self.server, self.command, self.path[len("/_standin/"):],
                                       body.read())
        data = (json.dumps(reply) + "\n").encode()
        self.send(status, {"Content-Type": "application/json"}, data)


class Hider:
    """Replaces tokens by their logins, and remembers that it had to."""

    def __init__(self, tokens):
        self.tokens, self.seen = tokens, False

    def __call__(self, text):
        for token, login in self.tokens.items():
            if token in text:
                self.seen = True
                text = text.replace(token, login)
        return text


def main():
    parser = argparse.ArgumentParser(description="a stand-in for GitHub on the loopback interface")
    parser.add_argument("--root", required=True, help="folder of the bare repositories")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--log", help="JSON lines, one per request")
    parser.add_argument("--tokens", help="JSON list of {token, login, permissions…}")
    parser.add_argument("--owned", action="store_true", help="end with the starting process")
    args = parser.parse_args()
    if shutil.which("git") is None:
        sys.exit("standin: no git program on PATH")
    if args.owned:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = Server(("127.0.0.1", args.port), args.root, args.log)
    if args.tokens:
        with open(args.tokens, encoding="utf-8") as source:
            for token in json.load(source):
                server.world.add_token(**token)
    if args.port_file:
        with open(args.port_file + ".new", "w", encoding="ascii") as out:
            out.write("%d\n" % server.server_address[1])
        os.rename(args.port_file + ".new", args.port_file)
    print("listening " + server.url, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

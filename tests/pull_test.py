#!/usr/bin/env python3
"""klp pull against a hub on this machine: its API, and what goes wrong on a line.     tests/pull_test.py PROGRAM"""
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

KLP = sys.argv.pop(1)
MIB = 1 << 20


class Hub(http.server.ThreadingHTTPServer):
    """One repository, `a/model`. Its tree comes in pages of two; files with a SHA-256 are redirected to /cdn."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}         # path: bytes
        self.wrong = {}         # path: a SHA-256 that is not its own
        self.faults = []        # statuses of the next answers; "cut": half of what was asked for
        self.token = None       # asked for
        self.ranges = True
        self.slow = 0           # seconds for each 256 KiB
        self.seen = []          # (path, range, authorization)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients that go


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        hub = self.server
        path, _, query = self.path.partition("?")
        hub.seen.append((path, self.headers.get("Range"), self.headers.get("Authorization")))
        fault = hub.faults.pop(0) if hub.faults and hub.faults[0] != "cut" and not path.startswith("/cdn") else None
        if isinstance(fault, int):
            return self.say(fault, b"no", **({"Retry_After": "1"} if fault == 429 else {}))
        if hub.token and not path.startswith("/cdn") and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.say(401, b"{}")
        if path == "/api/models/a/model/tree/main":
            names = sorted(hub.files)
            page = int(m[1]) if (m := re.search(r"cursor=(\d+)", query)) else 0
            tree = [{"type": "directory", "path": "folder", "size": 0, "oid": "0"}] if page == 0 else []
            for name in names[page:page + 2]:
                entry = {"type": "file", "path": name, "size": len(hub.files[name]), "oid": "1"}
                if not name.endswith(".json"):
                    entry["lfs"] = {"oid": hub.wrong.get(name) or hashlib.sha256(hub.files[name]).hexdigest(), "size": len(hub.files[name])}
                tree.append(entry)
            more = {"Link": f'<{hub.address}{path}?recursive=true&cursor={page + 2}>; rel="next"'} if page + 2 < len(names) else {}
            return self.say(200, json.dumps(tree).encode(), **more)
        if path.startswith("/a/model/resolve/main/"):
            name = path.removeprefix("/a/model/resolve/main/").replace("%20", " ")
            if name not in hub.files:
                return self.say(404)
            if not name.endswith(".json"):  # another host, as far as a token is concerned: another name of this one
                return self.say(302, Location=f"http://localhost:{hub.server_address[1]}/cdn/{name}".replace(" ", "%20"))
            return self.give(hub.files[name], fault)
        if path.startswith("/cdn/"):
            cut = hub.faults.pop(0) if hub.faults and hub.faults[0] == "cut" else None
            return self.give(hub.files[path.removeprefix("/cdn/").replace("%20", " ")], cut)
        self.say(404)

    def give(self, data, fault):
        hub = self.server
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if asked and hub.ranges:
            begin, end = int(asked[1]), min(int(asked[2]) + 1, len(data))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")
        else:
            begin, end = 0, len(data)
            self.send_response(200)
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        if fault == "cut":
            end = begin + (end - begin) // 2
        for at in range(begin, end, MIB // 4):
            self.wfile.write(data[at:min(at + MIB // 4, end)])
            if hub.slow:
                time.sleep(hub.slow)
        if fault == "cut":
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)


class Pull(unittest.TestCase):
    def setUp(self):
        self.hub = Hub()
        self.addCleanup(self.hub.server_close)
        self.addCleanup(self.hub.shutdown)
        self.tmp = tempfile.TemporaryDirectory()
        self.addCleanup(self.tmp.cleanup)
        self.home = pathlib.Path(self.tmp.name)
        noise = random.Random(1)
        self.hub.files = {
            "config.json": b"{}",
            "model.safetensors": noise.randbytes(40 * MIB + 12345),  # two pieces, the second one short
            "tokenizer.json": b"",
            "pictures/a.png": b"no",
            "train.py": b"no",
        }

    def env(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and not k.endswith("_proxy")}
        return env | {"HF_ENDPOINT": self.hub.address, "XDG_DATA_HOME": str(self.home), "HOME": str(self.home)} | more

    def pull(self, what="a/model", *more, **env):
        return subprocess.run([KLP, "pull", what, *more], env=self.env(**env), capture_output=True, text=True, timeout=120)

    def folder(self):
        return self.home / "klp/models/a/model"

    def assert_there(self, *names):
        self.assertEqual(sorted(str(f.relative_to(self.folder())) for f in self.folder().rglob("*") if f.is_file()), sorted(names))
        for name in names:
            self.assertEqual((self.folder() / name).read_bytes(), self.hub.files[name], name)

    WHOLE = ["config.json", "model.safetensors", "tokenizer.json"]

    def test_what_a_model_is_made_of_and_nothing_else(self):
        done = self.pull()
        self.assertEqual((done.returncode, done.stdout), (0, "It is there: klp -m a/model\n"), done.stderr)
        self.assert_there(*self.WHOLE)
        ranges = {r for path, r, _ in self.hub.seen if path == "/cdn/model.safetensors"}
        self.assertEqual(len(ranges), 2, "in pieces")
        self.hub.seen.clear()
        self.assertEqual(self.pull().returncode, 0)
        self.assertFalse([p for p, _, _ in self.hub.seen if "resolve" in p], "what is there is not pulled again")

    def test_a_token_goes_to_the_hub_alone(self):
        self.hub.token = "secret"
        refused = self.pull()
        self.assertEqual(refused.returncode, 1)
        self.assertIn("HF_TOKEN", refused.stderr)
        self.assertIn("is not accepted", self.pull(HF_TOKEN="another").stderr)
        self.hub.seen.clear()
        self.assertEqual(self.pull(HF_TOKEN="secret").returncode, 0)
        for path, _, token in self.hub.seen:
            self.assertEqual(token, None if path.startswith("/cdn") else "Bearer secret", path)
        logged_in = self.home / ".cache/huggingface"
        logged_in.mkdir(parents=True)
        (logged_in / "token").write_text("secret\n")
        self.assertEqual(self.pull().returncode, 0)

    def test_refusals_are_sentences(self):
        self.hub.faults = [404]
        gone = self.pull()
        self.assertEqual(gone.returncode, 1)
        self.assertRegex(gone.stderr, r"^klp: http://127.0.0.1:\d+: a/model is not there, or is private \(HF_TOKEN\)\n$")
        self.hub.faults = [403]
        self.assertIn("accept its terms on", self.pull().stderr)
        for name in ["model", "a/b/c", "../model", "a/", "https://a/model"]:
            bad = self.pull(name)
            self.assertEqual(bad.returncode, 2, name)
            self.assertIn("ORGANISATION/NAME", bad.stderr)
        self.hub.files = {"README.md": b"words"}
        self.assertIn("holds neither safetensors nor GGUF files", self.pull().stderr)
        self.hub.files = {"../../out.gguf": b"out"}
        self.assertIn("without a sensible path", self.pull().stderr)

    def test_busy_servers_are_asked_again(self):
        self.hub.faults = [429, 503]
        self.assertEqual(self.pull().returncode, 0)
        self.assert_there(*self.WHOLE)

    def test_cut_connections_go_on_where_they_were(self):
        self.hub.files = {"model.safetensors": self.hub.files["model.safetensors"]}
        self.hub.faults = ["cut", "cut"]
        self.assertEqual(self.pull().returncode, 0)
        self.assert_there("model.safetensors")
        begins = [int(r.split("=")[1].split("-")[0]) for path, r, _ in self.hub.seen if path.startswith("/cdn")]
        self.assertEqual(len([b for b in begins if b % (32 * MIB)]), 2, "each cut piece goes on from the middle")

    def test_a_server_that_gives_up_leaves_what_came(self):
        self.hub.files = {"model.safetensors": self.hub.files["model.safetensors"]}
        self.hub.faults = [None, None, 400]
        done = self.pull()
        self.assertEqual(done.returncode, 1)
        self.assertIn("answers 400", done.stderr)
        self.hub.seen.clear()
        self.assertEqual(self.pull().returncode, 0)
        self.assert_there("model.safetensors")

    def test_a_server_without_ranges(self):
        self.hub.ranges = False
        self.assertEqual(self.pull().returncode, 0)
        self.assert_there(*self.WHOLE)

    def test_what_is_not_what_the_hub_says_is_removed(self):
        self.hub.wrong = {"model.safetensors": "0" * 64}
        done = self.pull()
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not what the hub has (SHA-256", done.stderr)
        self.assertFalse(list(self.folder().glob("model*")))

    def test_ctrl_c_keeps_what_came(self):
        self.hub.slow = 0.02
        run = subprocess.Popen([KLP, "pull", "a/model"], env=self.env(), stderr=subprocess.PIPE, text=True)
        part = self.folder() / "model.safetensors.part.done"
        while not part.exists() or not sum(int(n) for n in part.read_text().splitlines()[1].split()):
            self.assertIsNone(run.poll())
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=30)[1]
        self.assertEqual(run.returncode, 130)
        self.assertIn("what has come is kept", said)
        came = sum(int(n) for n in part.read_text().splitlines()[1].split())
        self.assertGreater(came, 0)
        self.hub.slow = 0
        self.hub.seen.clear()
        self.assertEqual(self.pull().returncode, 0)
        self.assert_there(*self.WHOLE)
        asked = 0
        for path, r, _ in self.hub.seen:
            if path.startswith("/cdn"):
                begin, end = re.fullmatch(r"bytes=(\d+)-(\d+)", r).groups()
                asked += int(end) + 1 - int(begin)
        self.assertEqual(asked, len(self.hub.files["model.safetensors"]) - came)

    def test_another_file_of_the_same_name_begins_anew(self):
        self.hub.files = {"model.safetensors": random.Random(2).randbytes(40 * MIB)}
        self.folder().mkdir(parents=True)
        (self.folder() / "model.safetensors.part").write_bytes(b"x" * 50 * MIB)
        (self.folder() / "model.safetensors.part.done").write_text(f"klp part of {40 * MIB} {'1' * 64}\n{32 * MIB} {8 * MIB} ")
        self.assertEqual(self.pull().returncode, 0)
        self.assert_there("model.safetensors")

    def test_one_of_several_by_file_by_type_and_in_parts(self):
        self.hub.files = {
            "M-Q4_K_M.gguf": b"four",
            "M-Q4_K_S.gguf": b"small",
            "M-Q8_0/M-Q8_0-00001-of-00002.gguf": b"eight",
            "M-Q8_0/M-Q8_0-00002-of-00002.gguf": b"more",
            "mmproj-M.gguf": b"no",
        }
        asks = self.pull()
        self.assertEqual(asks.returncode, 2)
        self.assertIn("M-Q4_K_M.gguf (0.0 GB), M-Q4_K_S.gguf (0.0 GB), M-Q8_0.gguf (0.0 GB)", asks.stderr)
        self.assertEqual(self.pull("a/model:q4_k").returncode, 2, "a part of a name is no type")
        done = self.pull("a/model:q4_k_m")
        self.assertEqual(done.stdout, f"It is there: klp -m {self.folder()}/M-Q4_K_M.gguf\n", done.stderr)
        self.assert_there("M-Q4_K_M.gguf")
        self.assertEqual(self.pull("a/model:Q8_0").returncode, 0)
        self.assertEqual(self.pull("a/model:M-Q4_K_S.gguf").returncode, 0)
        self.assert_there(*[n for n in self.hub.files if n.startswith("M-")])
        self.assertEqual(self.pull("a/model:Q5_K").returncode, 2)
        listed = self.pull("a/model:Q8_0", "--list")
        self.assertEqual(listed.stdout.count("M-Q8_0-0000"), 2)

    def test_no_room_is_said_before_anything_is_pulled(self):
        class Huge(bytes):
            def __len__(self):
                return 1 << 49
        self.hub.files = {"M.gguf": Huge(), }
        self.hub.wrong = {"M.gguf": "0" * 64}
        done = self.pull()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"M.gguf: it will take 524288.0 GiB, and [0-9.]+ [GM]iB are free there; nothing was written")
        self.assertFalse([p for p, _, _ in self.hub.seen if "resolve" in p])
        self.assertEqual(list(self.folder().iterdir()), [])

    def test_no_server(self):
        done = self.pull(HF_ENDPOINT="http://127.0.0.1:9")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^klp: http://127.0.0.1:9: .*\n$")

    def test_two_at_once(self):
        self.hub.slow = 0.05
        first = subprocess.Popen([KLP, "pull", "a/model"], env=self.env(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while not (self.folder() / "model.safetensors.part").exists():
            time.sleep(0.01)
        time.sleep(0.05)
        self.assertIn("is being pulled by another program", self.pull().stderr)
        first.send_signal(signal.SIGINT)
        first.wait()


if __name__ == "__main__":
    unittest.main()

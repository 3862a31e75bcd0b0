#!/usr/bin/env python3
"""klp as a client: against klp serve, and against servers that misbehave in every way.     tests/client_test.py PROGRAM"""
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

KLP = sys.argv.pop(1)
KEY = "sk-very-secret-42"


def run(*arguments, text=None, env=None, timeout=100):
    clean = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
    done = subprocess.run([KLP, *arguments], input=text, capture_output=True, text=True, env={**clean, **(env or {})}, timeout=timeout)
    assert KEY not in done.stdout + done.stderr, "the key was said"
    return done


class Good:
    """A klp serve of its own."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([KLP, "serve", "--port", "0", *arguments], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"http://[^:]+:\d+/v1", line)
        assert found, line
        self.url = found[0]

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(20)
        self.process.stderr.close()


def piece(text=None, finish=None, **more):
    delta = {} if text is None else {"content": text}
    return {"model": "odd", "choices": [{"index": 0, "delta": {**delta, **more}, "finish_reason": finish}]}


def event(data):
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
HELLO = [event(piece("Hel")), event(piece("lo")), event(piece(finish="stop")), event(USAGE), event(b"[DONE]")]


class Odd(http.server.ThreadingHTTPServer):
    """Answers a chat with the bytes it is told to."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.models = ["odd"]
        self.stream = HELLO           # pieces of bytes; a number: seconds to wait
        self.kind = "text/event-stream"
        self.promised = None          # bytes that an answer is said to have
        self.longest = None           # bytes of a request, beyond which it is refused
        self.fault = None             # (status, type, body, headers) of a chat
        self.models_fault = None      # and of the list of models
        self.key = None
        self.bodies, self.seen = [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients that go

    def end(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def say(self, status, kind, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def locked(self):
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        if self.server.key and self.headers.get("Authorization") != "Bearer " + self.server.key:
            self.say(401, "application/json", json.dumps({"error": {"message": f"wrong key {self.headers.get('Authorization')}"}}).encode())
            return True
        return False

    def do_GET(self):
        if self.locked():
            return
        if self.path == "/v1/models" and self.server.models_fault:
            self.say(*self.server.models_fault)
        elif self.path == "/v1/models":
            self.say(200, "application/json", json.dumps({"object": "list", "data": [{"id": m, "object": "model"} for m in self.server.models]}).encode())
        elif self.path == "/metrics":
            self.say(200, "text/plain", b"# HELP x\nvllm:num_requests_running{model=\"odd\"} 3.0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0.25\nbroken{ nan\n")
        else:
            self.say(404, "application/json", b"{}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.locked():
            return
        self.server.bodies.append(json.loads(body))
        if self.server.longest and len(body) > self.server.longest:
            return self.say(400, "application/json", json.dumps({"error": {"message": "the prompt is too long for me"}}).encode())
        if self.server.fault:
            return self.say(*self.server.fault)
        self.send_response(200)
        self.send_header("Content-Type", self.server.kind)
        if self.server.promised:
            self.send_header("Content-Length", str(self.server.promised))
        self.end_headers()
        for part in self.server.stream:
            if isinstance(part, (int, float)):
                time.sleep(part)
            else:
                self.wfile.write(part)
                self.wfile.flush()


class WithKlp(unittest.TestCase):
    """Against klp serve, where the truth is what klp says by itself."""

    @classmethod
    def setUpClass(cls):
        cls.server = Good("--parallel", "4")

    @classmethod
    def tearDownClass(cls):
        cls.server.end()

    def klp(self, *arguments, **more):
        return run("--url", self.server.url, *arguments, **more)

    def test_greedy_answers_are_those_of_the_engine(self):
        for question in ["Hello, who are you?", "Tell me a story about a cat.", "What is KDA?"]:
            here = run("-p", question, "--temp", "0")
            there = self.klp("-p", question, "--temp", "0")
            self.assertEqual((there.returncode, there.stdout), (0, here.stdout))
        self.assertEqual(self.klp("--temp", "0", text="Hello, who are you?\n").stdout, run("--temp", "0", text="Hello, who are you?\n").stdout)
        brief = ["-p", "Hello", "--system", "Be brief.", "--temp", "0", "-n", "12"]
        self.assertEqual(self.klp(*brief).stdout, run(*brief).stdout)

    def test_the_same_talk_over_several_turns_is_the_same(self):
        lines = "My name is Tom.\nWhat is my name?\n/undo\nTell me a story.\n/branch\n/rewind 1\nWhat is my name?\n/regen\n/mem\n/quit\n"
        here = run("-i", "--temp", "0", text=lines)
        there = self.klp("-i", "--temp", "0", text=lines)
        self.assertEqual(there.returncode, 0, there.stderr)
        answers = [line for line in here.stdout.splitlines() if "Tom" in line and "branch" not in line and "  " not in line]
        self.assertTrue(answers)
        for line in answers:
            self.assertIn(line, there.stdout)
        self.assertIn("--served-shape", there.stderr)  # nobody knows the demo's shape

    def test_figures_as_json(self):
        got = json.loads(self.klp("-p", "Hello, who are you?", "--temp", "0", "--json").stdout)
        here = json.loads(run("-p", "Hello, who are you?", "--temp", "0", "--json").stdout)
        for key in ("text", "end", "tokens", "prompt_tokens", "tool_calls"):
            self.assertEqual(got[key], here[key], key)
        self.assertIn("tokens_per_second", got)
        self.assertGreater(got["first_token_ms"], 0)
        self.assertEqual(got["url"], self.server.url)
        seeded = ["-p", "Tell me a story.", "--temp", "1.2", "-n", "20", "-s", "7"]
        self.assertEqual(self.klp(*seeded).stdout, self.klp(*seeded).stdout)

    def test_memory_is_computed_from_a_shape(self):
        got = json.loads(self.klp("-p", "Hello", "--temp", "0", "-n", "3", "--json", "--served-shape", "kimi-linear-48b").stdout)
        self.assertGreater(got["memory_bytes"]["all_mla_twin"], got["memory_bytes"]["cache"])
        self.assertIn("computed", self.klp("-p", "Hello", "-n", "3", "--stats", "--served-shape", "kimi-linear-48b").stderr)
        wrong = self.klp("-p", "Hello", "--served-shape", "huge")
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("kimi-linear-48b", wrong.stderr)

    def test_what_it_says_of_itself(self):
        done = run("info", "--url", self.server.url)
        self.assertEqual(done.returncode, 0)
        for says in ("demo", "65,536", "health", "running", "states"):
            self.assertIn(says, done.stdout)
        got = json.loads(run("info", "--url", self.server.url, "--json").stdout)
        self.assertEqual(got["models"][0]["context"], 65536)
        self.assertEqual(got["health"], "ok")
        self.assertIn("klp_requests_running", got["metrics"])

    def test_a_model_that_is_not_served(self):
        done = self.klp("-p", "x", "--served-model", "gpt-9")
        self.assertEqual(done.returncode, 3)
        self.assertIn("'gpt-9'; there is 'demo'", done.stderr)

    def test_commands_that_need_the_engine_say_so(self):
        done = self.klp("-i", text="/gates\n/state 0.0\n/nothing\n/set temp 0\n/set\n/set temp off\n/context\n/help\n/tool\n")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("needs the engine's inside"), 2)
        self.assertIn("no command /nothing", done.stderr)
        self.assertIn("temp = 0", done.stdout)
        self.assertIn("temp = the server's", done.stdout)
        done = self.klp("-i", "--temp", "0", text="/prompts\n/prompt 1\n/prompt 99\n/full roll\n/snap\n")
        self.assertIn("begins anew and runs one of them", done.stdout)
        self.assertIn("\n> ", done.stdout)
        self.assertIn("runs one of the", done.stderr)
        self.assertIn("/full chooses what happens when the context is full; here the server decides that", done.stderr)
        self.assertIn("/snap keeps the engine's memory", done.stderr)
        self.assertNotIn("inside", done.stderr)

    def test_what_is_served_is_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [f"{folder}/s.{kind}" for kind in ("json", "csv", "svg")]
            done = run("sweep", "--url", self.server.url, "--url", self.server.url, "--contexts", "256,512", "--concurrency", "1,3",
                       *[word for file in files for word in ("-o", file)])
            self.assertEqual(done.returncode, 0, done.stderr)
            for says in ("first: demo at", "second: demo at", "first token, ms", "3 at once", "tokens/s"):
                self.assertIn(says, done.stdout)
            sweep = json.loads(pathlib.Path(files[0]).read_text())
            self.assertEqual([r["context"] for r in sweep["rows"]], [256, 512])
            for row in sweep["rows"]:
                for cell in (row["hybrid"], row["twin"]):
                    self.assertEqual(cell["prefill"]["tokens"], row["context"])  # to the token
                    self.assertGreater(cell["decode"]["ms"], 0)
                    self.assertEqual([level["requests"] for level in cell["levels"]], [3])
                    self.assertGreater(cell["levels"][0]["tokens_per_second"], 0)
            self.assertEqual(len(pathlib.Path(files[1]).read_text().splitlines()), 1 + 2 * 2 * 2)
            self.assertIn("</svg>", pathlib.Path(files[2]).read_text())
            again = run("sweep", "--from", files[0])
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertIn("3 at once", again.stdout)
            none = run("sweep", "--url", self.server.url, "--contexts", "1M", "--concurrency", "1")
            self.assertEqual(none.returncode, 1, none.stdout)
            self.assertIn("its context holds 65536 tokens", none.stderr)
            one = run("sweep", "--url", self.server.url, "--contexts", "128", "--concurrency", "1", "--json")
            self.assertEqual(json.loads(one.stdout)["servers"][0]["model"], "demo")

    def test_a_sweep_that_cannot_be_meant(self):
        for more, says in [(["--concurrency", "0"], "--concurrency"), (["--concurrency", "1,,2"], "--concurrency"), (["--contexts", "9"], "--contexts"),
                           (["--url", self.server.url, "--url", self.server.url], "two servers"), (["--served-model", "a", "--served-model", "b"], "more models"),
                           (["-o", "x.png"], ".svg"), (["--shape", "demo"], "--shape"), (["--from", "x.json"], "--from")]:
            done = run("sweep", "--url", self.server.url, *more)
            self.assertEqual(done.returncode, 2, (more, done.stderr))
            self.assertIn(says, done.stderr)


class Alone(unittest.TestCase):
    def setUp(self):
        self.odd = Odd()

    def tearDown(self):
        self.odd.end()

    def klp(self, *arguments, **more):
        return run("--url", self.odd.url, *arguments, **more)

    def says(self, done, code, pattern, out=""):
        self.assertRegex(done.stderr, pattern)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertEqual((done.returncode, done.stdout.strip()), (code, out))

    def test_a_dead_server_is_one_sentence(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and does not listen
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
            for command in (["-p", "x"], ["info"], ["sweep"], ["-i"]):
                words = command + ["--url", url] if command[0] in ("info", "sweep") else ["--url", url] + command
                self.says(run(*words), 1, rf"^klp: {url}/models: .*connect.*; is a server running there\?$")

    def test_addresses_that_are_none(self):
        for url in ["", "127.0.0.1:8080", "ftp://a/v1", "http://", "http:///v1", "http://a b/v1", "http://u:p@a/v1", "http://a/v1?x=1", "file:///etc/passwd"]:
            done = run("--url", url, "-p", "x")
            self.assertEqual(done.returncode, 2, (url, done.stderr))

    def test_a_request_says_what_was_said(self):
        self.assertEqual(self.klp("-p", "hi").stdout, "Hello\n")
        body = self.odd.bodies[-1]
        self.assertEqual(set(body), {"model", "messages", "stream", "stream_options"})  # all else is as the server has it
        with tempfile.NamedTemporaryFile("w", suffix=".json") as tools:
            tools.write(json.dumps([{"type": "function", "function": {"name": "ping", "parameters": {"type": "object"}}}]))
            tools.flush()
            self.klp("-p", "hi", "--system", "S", "--temp", "0.5", "--top-k", "3", "--top-p", "0.9", "--min-p", "0.1", "--repeat-penalty", "1.1", "-s", "5", "-n", "9", "--tools", tools.name)
        body = self.odd.bodies[-1]
        self.assertEqual(body["messages"], [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}])
        self.assertEqual([body[k] for k in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed", "max_tokens")], [0.5, 3, 0.9, 0.1, 1.1, 5, 9])
        self.assertEqual(body["tools"][0]["function"]["name"], "ping")

    def test_half_an_event_keeps_what_came(self):
        for stream in ([event(piece("Hel")), b"data: {\"choices\": [{\"de"], [event(piece("Hel"))]):
            self.odd.stream = stream
            self.says(self.klp("-p", "x"), 1, r"^klp: http.*/v1/chat/completions: the answer was broken off$", "Hel")
        self.odd.stream = [b"data: {\"choi"]
        self.says(self.klp("-p", "x"), 1, "broken off")

    def test_a_line_that_is_cut_is_said_in_our_words(self):
        self.odd.stream, self.odd.promised = [event(piece("Hel"))], 5000
        self.says(self.klp("-p", "x"), 1, r"^klp: http.*/v1/chat/completions: the server broke off in the middle of the answer$", "Hel")
        self.odd.stream = [b""]
        self.says(self.klp("-p", "x"), 1, "the server broke off in the middle of the answer$")

    def test_a_speed_is_measured_or_none(self):
        usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 40}}
        words = [event(piece(f"w{i} ")) for i in range(40)]
        end = [event(piece(finish="stop")), event(usage), event(b"[DONE]")]
        self.odd.stream = [b"".join(words + end)]  # in one packet
        self.assertIsNone(json.loads(self.klp("-p", "x", "--json").stdout)["tokens_per_second"])
        said = self.klp("-p", "x", "--stats").stderr
        self.assertIn("40 tokens", said)
        self.assertNotIn("tokens/s", said)
        self.odd.stream = [b"".join(words[:20]), 0.05, b"".join(words[20:] + end)]  # in two
        self.assertIsNone(json.loads(self.klp("-p", "x", "--json").stdout)["tokens_per_second"])
        self.odd.stream = [part for word in words for part in (word, 0.01)] + end
        rate = json.loads(self.klp("-p", "x", "--json").stdout)["tokens_per_second"]
        self.assertTrue(0 < rate < 110, rate)

    def test_contexts_that_a_server_refuses_are_said(self):
        class Counts(list):
            def __iter__(this):  # one token a word, and 8 around them
                n = len(self.odd.bodies[-1]["messages"][0]["content"].split())
                told = {"choices": [], "usage": {"prompt_tokens": n + 8, "completion_tokens": 64}}
                return iter([part for i in range(16) for part in (event(piece("w")), 0.002)] + [event(piece(finish="stop")), event(told), event(b"[DONE]")])

        self.odd.stream, self.odd.longest = Counts(), 3000
        done = run("sweep", "--url", self.odd.url, "--contexts", "64,4096", "--concurrency", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the prompt is too long for me", " ".join(done.stdout.split()))
        self.assertNotIn("n/a", done.stdout)
        done = run("sweep", "--url", self.odd.url, "--contexts", "4096,8192", "--concurrency", "1")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertNotIn("n/a", done.stdout)
        self.assertRegex(done.stderr, "klp: nothing was measured: .*the prompt is too long for me")

    def test_a_line_without_end_is_bounded(self):
        self.odd.stream = [event(piece("Hel")), b"data: "] + [b"a" * (1 << 20)] * 64
        self.says(self.klp("-p", "x"), 1, "larger than 16 MiB", "Hel")
        self.odd.kind = "application/json"
        self.odd.stream = [b"{\"choices\": \""] + [b"a" * (1 << 20)] * 64
        self.says(self.klp("-p", "x"), 1, "larger than 16 MiB")

    def test_pages_of_the_web(self):
        self.odd.models_fault = (200, "text/html; charset=utf-8", b"<html>Welcome</html>")
        self.says(self.klp("-p", "x"), 1, "web page")
        self.odd.models_fault = (404, "text/html", b"<html>Not found</html>")
        self.says(self.klp("-p", "x"), 1, "web page")
        self.odd.models_fault = (200, "application/json", b"{\"data\": 3}")
        self.says(self.klp("-p", "x"), 1, "not a list of models")
        self.odd.models_fault = (200, "application/json", b"nonsense")
        self.says(self.klp("-p", "x"), 1, "not valid JSON")
        self.odd.models_fault = None
        self.odd.fault = (200, "text/html", b"<html>A proxy</html>")
        self.says(self.klp("-p", "x"), 1, "web page")

    def test_a_redirection_is_not_followed(self):
        other = Odd()
        for status in (301, 302, 307, 308):
            self.odd.fault = (status, "text/plain", b"", [("Location", other.url + "/chat/completions")])
            self.says(self.klp("-p", "x", env={"OPENAI_API_KEY": KEY}), 1, rf"redirects to {other.url}/chat/completions, which is not followed")
        self.assertEqual(other.seen, [])
        other.end()

    def test_errors_of_the_server(self):
        for body, says in [(b"{\"error\": {\"message\": \"out of pages\"}}", "answers 500: out of pages"), (b"oops", "answers 500$"), (b"", "answers 500$"),
                           (b"{\"detail\": [{\"loc\": 1}]}", "answers 500: ")]:
            self.odd.fault = (500, "application/json", body)
            self.says(self.klp("-p", "x"), 1, says)
        self.odd.fault = None
        self.odd.stream = [event(piece("Hel")), event({"error": {"message": "the GPU fell off"}})]
        self.says(self.klp("-p", "x"), 1, "the GPU fell off", "Hel")
        got = self.klp("-p", "x", "--json")
        self.assertEqual(got.returncode, 1)
        self.assertEqual(json.loads(got.stdout)["text"], "Hel")

    def test_names_of_models(self):
        self.odd.models = ["a", "b"]
        self.says(self.klp("-p", "x"), 2, r"--served-model; there are 'a', 'b'")
        self.says(self.klp("-p", "x", "--served-model", "c"), 3, r"'c'; there are 'a', 'b'")
        self.assertEqual(self.klp("-p", "x", "--served-model", "b").stdout, "Hello\n")
        self.assertEqual(self.odd.bodies[-1]["model"], "b")
        self.odd.models = []
        self.says(self.klp("-p", "x"), 3, "serves no model")

    def test_the_key_comes_from_the_environment(self):
        self.odd.key = KEY
        self.says(self.klp("-p", "x"), 1, "asks for a key: set OPENAI_API_KEY")
        self.says(self.klp("-p", "x", env={"OPENAI_API_KEY": "wrong"}), 1, "the key in OPENAI_API_KEY is not accepted")
        self.assertEqual(self.klp("-p", "x", env={"OPENAI_API_KEY": KEY}).stdout, "Hello\n")
        self.assertEqual(self.klp("-p", "x", "--api-key-env", "MINE", env={"MINE": KEY}).stdout, "Hello\n")
        self.says(self.klp("-p", "x", "--api-key-env", "MINE"), 2, "no variable 'MINE'")
        self.odd.key = "other"  # and the server says the key that it got
        self.assertNotIn(KEY, self.klp("-p", "x", env={"OPENAI_API_KEY": KEY}).stderr)

    def test_reasoning_is_folded(self):
        self.odd.stream = [event(piece(reasoning_content="hmm ")), event(piece(reasoning_content="well"))] + HELLO
        self.assertEqual(self.klp("-p", "x").stdout, "Hello\n")
        self.assertEqual(json.loads(self.klp("-p", "x", "--json").stdout)["reasoning"], "hmm well")
        talk = self.klp("-i", text="x\n/reasoning\ny\n")
        self.assertIn("/reasoning shows them", talk.stderr)
        self.assertIn("hmm well", talk.stdout)
        self.assertEqual([m["role"] for m in self.odd.bodies[-1]["messages"]], ["user", "assistant", "user"])
        self.assertEqual(self.odd.bodies[-1]["messages"][1]["content"], "Hello")  # what it thought is not sent back
        self.odd.stream = [event(piece("<think>hmm</think>Hel")), event(piece("lo", finish="stop"))]
        self.assertEqual(self.klp("-p", "x").stdout, "Hello\n")

    def test_tools_are_called_and_return(self):
        call = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "ping", "arguments": "{\"host\": \"a\"}"}}]}
        self.odd.stream = [event(piece(**call)), event(piece(finish="tool_calls")), event(b"[DONE]")]
        talk = self.klp("-i", text="x\n/tool\n/tool functions.ping:0 pong\n")
        self.assertIn("functions.ping:0", talk.stdout)
        messages = self.odd.bodies[-1]["messages"]
        self.assertEqual([m["role"] for m in messages], ["user", "assistant", "tool"])
        self.assertEqual(messages[1]["tool_calls"][0]["id"], messages[2]["tool_call_id"])
        self.assertEqual(messages[1]["tool_calls"][0]["function"], {"name": "ping", "arguments": "{\"host\": \"a\"}"})
        self.assertEqual(messages[2]["content"], "pong")

    def test_a_server_that_dies_loses_nothing_of_the_talk(self):
        server = Good()
        talk = subprocess.Popen([KLP, "--url", server.url, "-i", "--temp", "1.3", "-s", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        talk.stdin.write("My name is Tom.\n")
        talk.stdin.write("Tell me a very long story.\n")
        talk.stdin.flush()
        deadline = time.time() + 60
        said = b""
        os.set_blocking(talk.stdout.fileno(), False)
        while len(said) < 200 and time.time() < deadline:
            try:
                said += os.read(talk.stdout.fileno(), 4096)
            except BlockingIOError:
                time.sleep(0.01)
        server.end(signal.SIGKILL)
        os.set_blocking(talk.stdout.fileno(), True)
        out, err = talk.communicate("/branch\n/context\nAre you there?\n/branch\n", timeout=60)
        self.assertEqual(talk.returncode, 0, err)
        self.assertRegex(err, r"klp: http://127.0.0.1:\d+/v1/chat/completions: ")
        self.assertIn("is a server running there?", err)
        self.assertGreaterEqual(out.count("branch"), 2)

    def test_ctrl_c_stops_an_answer(self):
        self.odd.stream = [event(piece("Hel")), 30]
        talk = subprocess.Popen([KLP, "--url", self.odd.url, "-p", "x"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(talk.stdout.read(3), "Hel")
        begun = time.time()
        talk.send_signal(signal.SIGINT)
        talk.communicate(timeout=20)
        self.assertEqual(talk.returncode, 130)
        self.assertLess(time.time() - begun, 15)

    def test_servers_that_do_not_count_or_stream(self):
        self.odd.stream = [event(piece("Hel")), event(piece("lo", finish="stop"))]  # no usage, no [DONE]
        done = self.klp("-p", "x", "--stats")
        self.assertEqual(done.stdout, "Hello\n")
        self.assertRegex(done.stderr, r"does not count\s+tokens")
        self.odd.kind = "application/json"
        self.odd.stream = [json.dumps({"choices": [{"message": {"content": "All"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}).encode()]
        self.assertEqual(self.klp("-p", "x").stdout, "All\n")
        done = run("sweep", "--url", self.odd.url, "--contexts", "64")
        self.assertEqual(done.returncode, 1)

    def test_metrics_of_others(self):
        done = run("info", "--url", self.odd.url)
        self.assertEqual(done.returncode, 0)
        self.assertIn("3 running, 0 waiting", done.stdout)
        self.assertIn("25 % in use", done.stdout)

    def test_what_has_no_use_is_refused(self):
        for more in (["-m", "demo"], ["--device", "cpu"], ["-t", "2"], ["--template", "kimi"], ["-c", "100"], ["--on-full", "roll"], ["--continue"], ["-m", ""]):
            done = self.klp("-p", "x", *more)
            self.assertEqual(done.returncode, 2, more)
        for more in (["--served-model", "x"], ["--api-key-env", "X"], ["--served-shape", "demo"]):
            self.assertEqual(run("-p", "x", *more).returncode, 2, more)
        for command in (["bench"], ["logits"], ["eval"], ["run", "-p", "x"], ["doctor"], ["models"]):
            self.assertEqual(run("--url", self.odd.url, *command).returncode, 2, command)
        self.assertEqual(run("info", "--url", self.odd.url, "--check").returncode, 2)
        self.assertEqual(self.odd.bodies, [])

    def test_certificates_are_verified(self):
        import ssl
        if not shutil.which("openssl"):
            self.skipTest("no openssl program here")
        with tempfile.TemporaryDirectory() as folder:
            made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", f"{folder}/k", "-out", f"{folder}/c"], capture_output=True)
            self.assertEqual(made.returncode, 0, made.stderr)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{folder}/c", f"{folder}/k")
            odd = Odd()
            odd.socket = context.wrap_socket(odd.socket, server_side=True)
            url = odd.url.replace("http:", "https:").replace("127.0.0.1", "localhost")
            done = run("--url", url, "-p", "x", env={"OPENAI_API_KEY": KEY})
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, "(?i)certificate|ssl|tls")
            self.assertEqual(odd.seen, [])
            odd.end()


if __name__ == "__main__":
    unittest.main()

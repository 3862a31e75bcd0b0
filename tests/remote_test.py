#!/usr/bin/env python3
"""An engine elsewhere: klp --at, the client for notebooks, kills on both sides and ssh, against a real klp serve.     tests/remote_test.py PROGRAM"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

KLP = sys.argv.pop(1)
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "resources/python"))
try:
    import numpy as np
    from klp_client import Klp, KlpError
except ImportError:  # without NumPy the program alone is tested
    np = None

STORY = ["--temp", "1.5", "-s", "3", "-n", "20000"]  # an answer that takes a while


class Server:
    def __init__(self, *arguments, port=0):
        self.process = subprocess.Popen([KLP, "serve", "--port", str(port), *arguments], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"http://([^:]+):(\d+)/v1", line)
        assert found, line
        self.port = int(found[2])
        self.at = f"127.0.0.1:{self.port}"

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(20)
        self.process.stderr.close()
        return self.process.returncode


def klp(*words, stdin="", env=None):
    return subprocess.run([KLP, *words], input=stdin, capture_output=True, text=True, timeout=100, env={**os.environ, **(env or {})})


class Terminal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        assert cls.server.end() == 0

    def test_an_answer_is_that_of_a_model_here(self):
        here = klp("-p", "Hello, who are you?", "--temp", "0")
        there = klp("--at", self.server.at, "-p", "Hello, who are you?", "--temp", "0", "--stats")
        self.assertEqual((there.returncode, there.stdout), (0, here.stdout), there.stderr)
        self.assertIn("tokens/s", there.stderr)

    def test_the_repl_has_branches_and_lenses(self):
        got = klp("--at", self.server.at, "-i", stdin="/set temp 0\nHello, who are you?\n/gates\n/gates 1.0\n/state 1.0\n/state 1.0 table\n/experts\n/rewind 0\nWhat is KDA?\n"
                  "/branch\n/gates 99.0\n/snap\n/stats\n/quit\n")
        self.assertEqual(got.returncode, 0, got.stderr)
        for said in ["the state matrix S after", "effective rank", "strongest key", "branch", "Mini"]:
            self.assertIn(said, got.stdout)
        for said in ["the engine of a klp serve", "/snap is for a model here"]:
            self.assertIn(said, got.stderr)

    def test_tokens_are_those_of_the_whole_talk(self):
        # The position where a model here stands, but for the end of the turn, which is fed and not said.
        talk = "/set temp 0\nMy name is Tom.\nWhat is my name?\n/context\n"
        here, there = (klp(*words, "-i", stdin=talk) for words in ([], ["--at", self.server.at]))
        used = [int(re.search(r"^(\d+) of ", got.stdout, re.M)[1]) for got in (here, there)]
        self.assertEqual(used[0] - 1, used[1], there.stdout)
        self.assertIn("prompt 38 tokens (26 of them from a cache)", " ".join(there.stderr.split()))

    def test_a_recording_of_it_is_one_of_a_model_here(self):
        with tempfile.TemporaryDirectory() as folder:
            words = ["-p", "Hello, who are you?", "-p", "What is KDA?", "--temp", "0", "-n", "40", "--race", "128"]
            texts = []
            for name, more in [("here", ["-t", "1"]), ("there", ["--at", self.server.at])]:
                file = f"{folder}/{name}.klprun"
                made = klp("run", *words, *more, "-o", file)
                self.assertEqual(made.returncode, 0, made.stderr)
                texts.append(klp("replay", file, "--speed", "16").stdout)
            self.assertEqual(*texts)
            self.assertIn("Mini", texts[0])

    def test_what_is_wrong_is_a_sentence(self):
        for words, code, says in [(["--at", "nowhere", "-p", "x"], 2, "is no place of a klp serve"), (["--at", "127.0.0.1:9", "-p", "x"], 1, "is a klp serve running there?"),
                                  (["--at", self.server.at, "-m", "demo", "-p", "x"], 2, "--at"), (["--at", self.server.at, "--url", "http://a/v1", "-p", "x"], 2, "--at"),
                                  (["--ssh", "gpu", "-p", "x"], 2, "--at"), (["--api-key-env", "X", "-p", "x"], 2, "--url or --at"),
                                  (["--at", self.server.at, "--ssh", "-oProxyCommand=x", "-p", "x"], 2, "ssh")]:
            got = klp(*words)
            self.assertEqual(got.returncode, code, got.stderr)
            self.assertIn(says, got.stderr)
            self.assertEqual(got.stderr.count("\n"), 1, got.stderr)

    def test_ssh_is_begun_and_ended(self):
        with tempfile.TemporaryDirectory() as folder:
            ssh = pathlib.Path(folder, "ssh")
            path = {"PATH": folder + ":" + os.environ["PATH"]}
            ssh.write_text("#!/bin/sh\necho one line >&2\necho 'gpu: Permission denied (publickey).' >&2\nexit 255\n")
            ssh.chmod(0o755)
            got = klp("--at", self.server.at, "--ssh", "gpu", "-p", "x", env=path)
            self.assertEqual((got.returncode, got.stderr), (1, "klp: ssh to gpu ended: gpu: Permission denied (publickey).\n"))
            log = pathlib.Path(folder, "log")
            ssh.write_text(f"#!{sys.executable}\n" + r"""
import os, socket, sys, threading
open(os.path.dirname(sys.argv[0]) + "/log", "w").write(" ".join(sys.argv[1:]) + "\n" + str(os.getpid()))
here, port, host, to = sys.argv[sys.argv.index("-L") + 1].split(":")
door = socket.create_server((here, int(port)))
def carry(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
while True:
    one = door.accept()[0]
    other = socket.create_connection((host, int(to)))
    for pair in [(one, other), (other, one)]:
        threading.Thread(target=carry, args=pair, daemon=True).start()
""")
            got = klp("--at", self.server.at, "--ssh", "me@gpu", "-p", "Hello, who are you?", "--temp", "0", env=path)
            self.assertEqual(got.returncode, 0, got.stderr)
            self.assertIn("Mini", got.stdout)
            words, pid = log.read_text().split("\n")
            self.assertRegex(words, r"BatchMode=yes .*ExitOnForwardFailure=yes .*-L 127.0.0.1:\d+:127.0.0.1:\d+ -- me@gpu$")
            with self.assertRaises(ProcessLookupError):
                os.kill(int(pid), 0)

    def test_a_client_that_is_killed_costs_nobody_anything(self):
        for _ in range(2):
            client = subprocess.Popen([KLP, "--at", self.server.at, "-p", "Tell me a story.", *STORY], stdout=subprocess.PIPE)
            client.stdout.read(20)
            client.kill()
            client.wait()
            client.stdout.close()
        self.assertIn("Mini", klp("--at", self.server.at, "-p", "Hello, who are you?", "--temp", "0").stdout)


class Alone(unittest.TestCase):
    def test_somebody_watches(self):
        server = Server()  # with no runs of others
        nobody = klp("watch", server.at)
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("no run is open", nobody.stderr)
        self.assertEqual(klp("watch", server.at, "--list").stdout, "no run is open there\n")
        talks = subprocess.Popen([KLP, "--at", server.at, "-i", "--temp", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        talks.stdin.write("Hello, who are you?\n")
        talks.stdin.flush()
        while True:
            runs = json.loads(klp("watch", server.at, "--list", "--json").stdout)
            if runs and runs[0]["tokens"] > 0:
                break
            time.sleep(0.05)
        self.assertEqual(len(runs), 1)
        with tempfile.TemporaryDirectory() as folder:
            seen = pathlib.Path(folder, "seen.klprun")
            watches = subprocess.Popen([KLP, "watch", server.at, "--run", runs[0]["run"][:6], "--stats", "-o", seen], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            self.assertIn("watching demo", watches.stderr.readline())
            said = talks.communicate("What is KDA?\n")[0]
            out, trouble = watches.communicate(timeout=60)
            self.assertEqual(watches.returncode, 0, trouble)
            self.assertIn("the run that was watched", trouble)
            self.assertIn("tokens/s", trouble)
            self.assertRegex(out, r"^> Hello, who are you\?\n.*Mini")  # also what was said before
            self.assertIn("> What is KDA?", out)
            answers = [line for line in out.split("\n") if line and not line.startswith(">")]
            for line in answers:
                self.assertIn(line, said)
            self.assertIn("> What is KDA?", klp("replay", str(seen), "--speed", "16").stdout)
        wrong = klp("watch", server.at, "--run", "zz")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertEqual(klp("watch", "nowhere").returncode, 2)
        self.assertEqual(server.end(), 0)

    def test_a_server_that_is_killed_in_the_middle_of_an_answer(self):
        server = Server()
        client = subprocess.Popen([KLP, "--at", server.at, "-p", "Tell me a story.", *STORY], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = client.stdout.read(20)
        server.end(signal.SIGKILL)
        again = Server(port=server.port)
        self.addCleanup(again.process.kill)
        rest, trouble = client.communicate(timeout=60)
        self.assertEqual(len(said), 20)
        self.assertNotEqual(client.returncode, 0)
        self.assertIn(b"is lost", trouble)
        self.assertIn(b"has let go what it remembered", trouble)
        self.assertIn("Mini", klp("--at", again.at, "-p", "Hello, who are you?", "--temp", "0").stdout)
        self.assertEqual(again.end(), 0)

    def test_a_key_is_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            key = pathlib.Path(folder, "key")
            key.write_text("s3cret\n")
            server = Server("--api-key-file", str(key))
            for value, code, says in [("", 2, "wants a key, and OPENAI_API_KEY has none"), ("wrong", 2, "and not the one in OPENAI_API_KEY"), ("s3cret", 0, "")]:
                got = klp("--at", server.at, "-p", "Hello", "--temp", "0", "-n", "3", env={"OPENAI_API_KEY": value})
                self.assertEqual(got.returncode, code, got.stderr)
                self.assertIn(says, got.stderr)
            server.end()


@unittest.skipIf(np is None, "NumPy is missing")
class Notebook(unittest.TestCase):
    def test_a_talk_with_arrays(self):
        server = Server()
        self.addCleanup(server.process.kill)
        with Klp(server.at) as talk:
            self.assertEqual([r["model"] for r in Klp.runs(server.at)], ["demo"])
            answer = talk.chat("Hello, who are you?", temperature=0)
            self.assertEqual(answer.strip(), klp("-p", "Hello, who are you?", "--temp", "0").stdout.strip())
            self.assertEqual(talk.stats["end"], "stop token")
            taps = talk.taps()
            tokens = talk.stats["prompt_tokens"] + talk.stats["tokens"]
            gates, writes = taps["log_decay"], taps["beta"]
            self.assertGreaterEqual(len(gates), tokens)
            self.assertEqual(gates.shape[:3], (len(gates), len(talk.layers("log_decay")), writes.shape[2]))
            self.assertTrue((gates[np.isfinite(gates)] <= 0).all())
            self.assertTrue(np.isfinite(writes).all())
            layer = talk.layers("beta")[0]
            late, early = talk.state(layer, 0), talk.state(layer, 0, 3)
            self.assertEqual(late.shape, early.shape)
            self.assertGreater(np.abs(late - early).max(), 0)
            # |S| after the newest token, as the engine says it itself.
            self.assertAlmostEqual(float(np.linalg.norm(late)), float(taps["state_norm"][-1, 0, 0]), 3)
            weights, first = talk.attention(talk.layers("log_sum_exp")[0], 0)
            self.assertEqual(first + len(weights), len(gates))
            self.assertAlmostEqual(float(weights.sum()), 1, 3)

            looked = talk.readable(layer, 0, token=5, other=3, cut=True)
            self.assertEqual(len(looked["cosine"]), len(gates))
            self.assertLess(np.abs(looked["predicted"] - looked["measured"]).max(), 1e-3 * (1 + looked["change"]))
            answered = late @ looked["key"]
            self.assertAlmostEqual(float(np.linalg.norm(looked["value"] - answered)), looked["change"], 3)
            kept = talk.life(5)
            self.assertEqual({len(head["read"]) for head in kept}, {len(gates) - 5})
            self.assertAlmostEqual(float(next(head for head in kept if not head["cache"])["left"][0]), 1, 5)
            readers = talk.readers(5)
            self.assertEqual(len(readers), len(kept))
            for head, reader in ((h, r) for h in kept for r in readers if (h["layer"], h["head"]) == (r["layer"], r["head"])):
                self.assertAlmostEqual(float(head["read"][-1]), reader["weight"], 4)

            rules = talk.rules(layer, 0)
            self.assertEqual(list(rules)[0], "KDA")
            self.assertEqual(len(rules), 5)
            self.assertLess(np.abs(rules["KDA"]["state"] - late).max(), 1e-4 * (1 + np.abs(late).max()))
            self.assertEqual(len(rules["GLA"]["norm"]), len(gates))

            talk.hands = [{"what": "beta", "from": tokens, "amount": 0}, {"what": "hide", "from": tokens, "tokens": (2, 4)}, {"what": "gates", "layers": [1], "heads": [0], "from": tokens, "amount": 0.5}]
            touched = [talk.chat("And what is KDA?", temperature=0, predict=5)]
            self.assertTrue((talk.taps()["beta"][tokens + 1:] == 0).all())
            talk.rewind()
            touched.append(talk.chat("And what is KDA?", temperature=0, predict=5))
            self.assertEqual(touched[0], touched[1])
            talk.rewind()
            with self.assertRaisesRegex(KlpError, "no layer 99"):
                talk.hands = [{"what": "gates", "layers": [99]}]
                talk.chat("And now?", temperature=0, predict=5)
            with self.assertRaisesRegex(KlpError, "layer"):
                talk.hands = [{"what": "gates", "layer": [0]}]
                talk.chat("And now?", temperature=0, predict=5)
            talk.hands = []
            talk.chat("And what is KDA?", temperature=0, predict=5)
            talk.rewind()
            self.assertEqual(len(talk.taps()["beta"]), len(writes))
            np.testing.assert_array_equal(talk.state(layer, 0), late)
            self.assertEqual([p["role"] for p in talk.line], ["user", "assistant"])
            # Another looks on, and is not let to talk.
            watcher = Klp(server.at, watch=talk.id)
            seen = []
            for kind, event in watcher.events():
                seen += [event["text"]] if kind == "TokenMade" else []
                if kind == "AnswerDone":
                    break
            self.assertTrue(b"".join(seen).decode().startswith(answer))
            with self.assertRaisesRegex(KlpError, "whoever opened it"):
                watcher.chat("Hello")
            server.process.kill()
            server.process.wait()
            again = Server(port=server.port)
            with self.assertRaisesRegex(KlpError, "there is no run"):
                talk.chat("Are you there?")
            again.end()
        server.process.stderr.close()


if __name__ == "__main__":
    unittest.main()

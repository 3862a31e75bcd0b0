#!/usr/bin/env python3
"""klp serve, asked as OpenAI's clients ask it, and as nobody should.     tests/serve_test.py PROGRAM"""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

KLP = sys.argv.pop(1)


class Server:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([KLP, "serve", "--port", "0", *arguments], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"http://([^:]+):(\d+)/v1", line)
        assert found, line
        self.host, self.port = found[1], int(found[2])

    def ask(self, path, body=None, method=None, key=None, raw=False, timeout=60):
        line = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = "Bearer " + key
        line.request(method or ("GET" if body is None else "POST"), path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body), headers)
        answer = line.getresponse()
        text = answer.read().decode()
        line.close()
        return answer.status, text if raw else json.loads(text)

    def chat(self, text, **more):
        status, answer = self.ask("/v1/chat/completions", {"messages": [{"role": "user", "content": text}], "temperature": 0, **more})
        assert status == 200, answer
        return answer

    def stream(self, body, path="/v1/chat/completions"):
        status, text = self.ask(path, {**body, "stream": True}, raw=True)
        assert status == 200, text
        events = [e.removeprefix("data: ") for e in text.split("\n\n") if e]
        assert events[-1] == "[DONE]", text
        return [json.loads(e) for e in events[:-1]]

    def metrics(self):
        return {m[1]: float(m[2]) for m in re.finditer(r"^klp_(\w+) (\S+)$", self.ask("/metrics", raw=True)[1], re.M)}

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(20)
        self.process.stderr.close()
        return self.process.returncode


class Serve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--parallel", "4")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.end() == 0

    def one_shot(self, text):
        return subprocess.run([KLP, "-p", text, "--temp", "0"], capture_output=True, text=True, check=True).stdout.strip()

    def test_answers_are_those_of_the_terminal_also_many_at_once(self):
        questions = ["Hello, who are you?", "Tell me a story about a cat.", "What is KDA?", "My name is Tom. What is my name?"] * 4
        right = {q: self.one_shot(q) for q in set(questions)}
        got = [None] * len(questions)

        def ask(i):
            got[i] = self.server.chat(questions[i], max_tokens=2048)
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(questions))]
        [t.start() for t in threads]
        [t.join() for t in threads]
        for question, answer in zip(questions, got):
            self.assertEqual(answer["choices"][0]["message"]["content"].strip(), right[question])
            self.assertEqual(answer["choices"][0]["finish_reason"], "stop")
            usage = answer["usage"]
            self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])

    def test_a_stream_says_what_the_whole_answer_says(self):
        body = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello, who are you?"}], "temperature": 0,
                "stream_options": {"include_usage": True}}
        whole = self.server.ask("/v1/chat/completions", {k: v for k, v in body.items() if k != "stream_options"})[1]
        pieces = self.server.stream(body)
        self.assertEqual(pieces[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual("".join(p["choices"][0]["delta"].get("content", "") for p in pieces[:-1]), whole["choices"][0]["message"]["content"])
        self.assertEqual([p["choices"][0]["finish_reason"] for p in pieces[:-1]][-1], "stop")
        self.assertEqual(pieces[-1]["choices"], [])
        self.assertEqual(pieces[-1]["usage"]["completion_tokens"], whole["usage"]["completion_tokens"])
        self.assertGreater(pieces[-1]["usage"]["prompt_tokens_details"]["cached_tokens"], 0)  # the second time

    def test_a_seed_repeats_and_a_stop_text_ends(self):
        body = {"messages": [{"role": "user", "content": "Tell me a story."}], "temperature": 1.2, "max_tokens": 40, "seed": 7}
        first, second = (self.server.ask("/v1/chat/completions", body)[1]["choices"][0] for _ in range(2))
        self.assertEqual(first["message"], second["message"])
        self.assertEqual(first["finish_reason"], "length")
        text = self.server.chat("Hello, who are you?")["choices"][0]["message"]["content"]
        middle = text[len(text) // 2:len(text) // 2 + 9]  # over several tokens
        for stream in (False, True):
            body = {"messages": [{"role": "user", "content": "Hello, who are you?"}], "temperature": 0, "stop": [middle, "never said"]}
            if stream:
                pieces = self.server.stream(body)
                said, reason = "".join(p["choices"][0]["delta"].get("content", "") for p in pieces), pieces[-1]["choices"][0]["finish_reason"]
            else:
                choice = self.server.ask("/v1/chat/completions", body)[1]["choices"][0]
                said, reason = choice["message"]["content"], choice["finish_reason"]
            self.assertEqual((said, reason), (text[:text.index(middle)], "stop"))

    def test_hands_on_the_memory_are_a_request_s_own(self):
        question, hands = "My name is Tom. What is my name?", [None, [], [{"what": "beta", "amount": 0, "from": 5}], [{"what": "gates", "layers": [0], "amount": 0.2}]] * 3
        got = [None] * len(hands)

        def ask(i):
            got[i] = self.server.chat(question, max_tokens=40, **({} if hands[i] is None else {"intervene": hands[i]}))["choices"][0]["message"]["content"]
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(hands))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(got[0], got[1])
        self.assertNotEqual(got[0], got[2])
        self.assertEqual(got[:4], got[4:8])
        self.assertEqual(got[:4], got[8:])
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(hands[2], file)
            file.flush()
            said = subprocess.run([KLP, "-p", question, "--temp", "0", "-n", "40", "--intervene", file.name], capture_output=True, text=True, check=True).stdout
        self.assertEqual(got[2].strip(), said.strip())

    def test_log_probabilities(self):
        choice = self.server.chat("Hello", logprobs=True, top_logprobs=3, max_tokens=5)["choices"][0]
        entries = choice["logprobs"]["content"]
        self.assertEqual("".join(e["token"] for e in entries), choice["message"]["content"])
        for e in entries:
            self.assertEqual(len(e["top_logprobs"]), 3)
            self.assertEqual(e["top_logprobs"][0]["token"], e["token"])  # greedy
            self.assertAlmostEqual(e["top_logprobs"][0]["logprob"], e["logprob"], 4)
            self.assertEqual(bytes(e["bytes"]).decode(), e["token"])
        old = self.server.ask("/v1/completions", {"prompt": "Once upon a time", "max_tokens": 4, "temperature": 0, "logprobs": 2})[1]["choices"][0]
        self.assertEqual("".join(old["logprobs"]["tokens"]), old["text"])
        self.assertEqual(old["logprobs"]["text_offset"][0], 0)
        self.assertEqual([len(t) for t in old["logprobs"]["top_logprobs"]], [2] * 4)
        pieces = self.server.stream({"prompt": "Once upon a time", "max_tokens": 4, "temperature": 0, "logprobs": 2}, "/v1/completions")
        offsets = [o for p in pieces if p["choices"][0].get("logprobs") for o in p["choices"][0]["logprobs"]["text_offset"]]
        self.assertEqual(offsets, old["logprobs"]["text_offset"])

    def test_ids_are_a_prompt_too(self):
        ids = self.server.ask("/tokenize", {"prompt": "Once upon a time"})[1]
        self.assertEqual(ids["count"], len(ids["tokens"]))
        by_ids = self.server.ask("/v1/completions", {"prompt": ids["tokens"], "max_tokens": 6, "temperature": 0})[1]
        by_text = self.server.ask("/v1/completions", {"prompt": "Once upon a time", "max_tokens": 6, "temperature": 0})[1]
        self.assertEqual(by_ids["choices"][0]["text"], by_text["choices"][0]["text"])
        messages = self.server.ask("/tokenize", {"messages": [{"role": "user", "content": "Hello"}]})[1]
        self.assertEqual(messages["count"], self.server.chat("Hello", max_tokens=1)["usage"]["prompt_tokens"])

    def test_an_answer_is_gone_on_with_and_past_its_end(self):
        past = self.server.chat("Hello, who are you?", ignore_eos=True, max_tokens=150)
        self.assertEqual((past["usage"]["completion_tokens"], past["choices"][0]["finish_reason"]), (150, "length"))
        whole = self.server.chat("Hello, who are you?")["choices"][0]["message"]["content"]
        cut = whole.index(" ", len(whole) // 2)
        messages = [{"role": "user", "content": "Hello, who are you?"}, {"role": "assistant", "content": whole[:cut]}]
        status, rest = self.server.ask("/v1/chat/completions", {"messages": messages, "temperature": 0, "continue_final_message": True, "add_generation_prompt": False})
        self.assertEqual((status, whole[:cut] + rest["choices"][0]["message"]["content"]), (200, whole))
        status, wrong = self.server.ask("/v1/chat/completions", {"messages": messages[:1], "continue_final_message": True})
        self.assertEqual((status, wrong["error"]["param"]), (400, "continue_final_message"))
        ids = self.server.ask("/tokenize", {"prompt": "Once upon a time", "return_token_strs": True})[1]
        self.assertEqual("".join(ids["token_strs"]), "Once upon a time")

    def test_what_is_wrong_is_said_with_its_field(self):
        hello = [{"role": "user", "content": "hi"}]
        for body, status, param, says in [
                ("{", 400, None, "not valid JSON"), ("[]", 400, None, "not a JSON object"), ({}, 400, "messages", "messages is missing"),
                ({"messages": []}, 400, "messages", "is empty"), ({"messages": [{"content": "x"}]}, 400, "messages", r"messages\[0\].role is missing"),
                ({"messages": hello, "model": "gpt-9"}, 404, "model", "'gpt-9' is not served here; 'demo' is"),
                ({"messages": hello, "temperature": -1}, 400, "temperature", "is not a number from 0 to 100"),
                ({"messages": hello, "temperature": "hot"}, 400, "temperature", "is not a number"),
                ({"messages": hello, "top_p": 1.5}, 400, "top_p", "from 0 to 1"), ({"messages": hello, "n": 2}, 400, "n", "is not supported"),
                ({"messages": hello, "max_tokens": 0}, 400, "max_tokens", "whole number from 1"), ({"messages": hello, "stop": [1]}, 400, "stop", "neither a text"),
                ({"messages": hello, "stop": ""}, 400, "stop", "neither a text"), ({"messages": hello, "stream": 1}, 400, "stream", "neither true nor false"),
                ({"messages": hello, "logit_bias": {"5": 1}}, 400, "logit_bias", "not supported"),
                ({"messages": hello, "presence_penalty": 1}, 400, "presence_penalty", "not supported"),
                ({"messages": hello, "tool_choice": "required"}, 400, "tool_choice", "neither auto nor none"),
                ({"messages": hello, "top_logprobs": 21, "logprobs": True}, 400, "top_logprobs", "from 0 to 20"),
                ({"messages": hello, "intervene": {"what": "gates"}}, 400, "intervene", "must be a list of interventions"),
                ({"messages": hello, "intervene": [{"what": "pray"}]}, 400, "intervene", "entry 0, 'what' must be one of gates"),
                ({"messages": hello, "intervene": [{"what": "gates", "layers": [99]}]}, 400, "intervene", "the model has no layer 99"),
                ({"messages": [{"role": "user", "content": "word " * 70000}]}, 400, "messages", "the context holds 65536"),
                (b'{"messages": [{"role": "user", "content": "\xff"}]}', 400, None, "not valid JSON"), ("[" * 100000, 400, None, "levels|nested|deep")]:
            got, answer = self.server.ask("/v1/chat/completions", body)
            error = answer["error"]
            self.assertEqual((got, error["param"]), (status, param), error)
            self.assertRegex(error["message"], says)
            self.assertEqual(error["code"], status)
        for path, method, status in [("/v1/nothing", "GET", 404), ("/v1/models", "DELETE", 404), ("/v1/../../etc/passwd", "GET", 404)]:
            got, answer = self.server.ask(path, method=method)
            self.assertEqual(got, status)
            self.assertIn("error", answer)
        self.assertEqual(self.server.ask("/v1/completions", {"prompt": []})[1]["error"]["param"], "prompt")
        self.assertEqual(self.server.ask("/v1/completions", {"prompt": [1, 99999]})[0], 400)

    def test_unused_fields_and_tools_pass(self):
        tools = [{"type": "function", "function": {"name": "ping", "parameters": {"type": "object"}}}]
        answer = self.server.chat("Hello, who are you?", user="me", metadata={}, n=1, presence_penalty=0, response_format={"type": "text"}, tools=tools, tool_choice="none")
        self.assertEqual(answer["choices"][0]["message"]["content"].strip(), self.one_shot("Hello, who are you?"))

    def test_a_client_that_goes_frees_its_place(self):
        before = self.server.metrics()
        lines = []
        for _ in range(6):  # more than are answered at once
            line = socket.create_connection((self.server.host, self.server.port))
            body = json.dumps({"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 60000, "stream": True, "temperature": 1.5, "stop": []}).encode()
            line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            lines.append(line)
        lines[0].recv(100)
        for line in lines:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.close()
        for _ in range(600):
            now = self.server.metrics()
            if now["requests_running"] + now["requests_waiting"] == 0 and sum(now[k] - before[k] for k in now if re.match("requests_.*_total", k)) == 6:
                return
            time.sleep(0.1)
        self.fail(now)

    def test_a_client_that_goes_before_its_first_token_is_not_read_on(self):
        server = Server("--parallel", "1")
        try:
            words = "The cat sat on the mat and looked at the rain. " * 4500
            line = socket.create_connection((server.host, server.port))
            body = json.dumps({"messages": [{"role": "user", "content": words}], "max_tokens": 5}).encode()
            line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            while server.metrics()["requests_running"] == 0:
                time.sleep(0.01)
            line.close()
            while server.metrics()["requests_running"] > 0:
                time.sleep(0.01)
            after = server.metrics()
            self.assertEqual(after["requests_broken_off_total"], 1)
            whole = server.ask("/tokenize", {"content": words})[1]["tokens"]
            self.assertGreater(len(whole), 45000)
            self.assertLess(after["prompt_tokens_total"], len(whole))
        finally:
            server.end()

    def test_a_thousand_connections_that_say_nothing_keep_nobody_waiting(self):
        silent = [socket.create_connection((self.server.host, self.server.port)) for _ in range(1000)]
        # Each of them would hold its place for seconds; a thousand in turn would take longer than this request may.
        self.assertEqual(self.server.ask("/health", timeout=4)[0], 200)
        self.assertIn("Mini", self.server.chat("Hello, who are you?")["choices"][0]["message"]["content"])
        for line in silent:
            line.close()

    def test_torn_requests_cost_nothing(self):
        for raw in [b"GET", b"\0\1\2\3\r\n\r\n", b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n{", b"GET / HTTP/9.9\r\n\r\n",
                    b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"GET /health HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n"]:
            line = socket.create_connection((self.server.host, self.server.port), timeout=5)
            line.sendall(raw)
            line.close()
        idle = [socket.create_connection((self.server.host, self.server.port)) for _ in range(100)]
        self.assertEqual(self.server.ask("/health")[0], 200)
        for line in idle:
            line.close()
        self.assertEqual(self.server.chat("Hello", max_tokens=2)["usage"]["completion_tokens"], 2)


class Alone(unittest.TestCase):
    def test_a_key_is_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "key")
            file.write_text("s3cret\n")
            server = Server("--api-key-file", str(file), "--host", "0.0.0.0")
            server.host = "127.0.0.1"
            for key, status in [(None, 401), ("s3cre", 401), ("s3cret", 200), ("s3crets", 401), ("S3cret", 401)]:
                got, answer = server.ask("/v1/models", key=key)
                self.assertEqual(got, status)
                self.assertEqual("error" in answer, status != 200)
            self.assertEqual(server.ask("/health")[0], 200)
            self.assertEqual(server.end(signal.SIGINT), 130)
            file.write_text("\n")
            for arguments, says in [(["--api-key-file", str(file)], "holds no key"), (["--api-key-file", folder + "/none"], "none"), (["--host", "0.0.0.0"], "--api-key-file")]:
                done = subprocess.run([KLP, "serve", "--port", "0", *arguments], capture_output=True, text=True)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(says, done.stderr)

    def test_a_port_that_is_taken(self):
        first = Server()
        done = subprocess.run([KLP, "serve", "--port", str(first.port)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"^klp: cannot listen on 127.0.0.1:{first.port}: ")
        self.assertEqual(first.end(), 0)

    def test_it_ends_in_the_middle_of_answers(self):
        server = Server()
        line = socket.create_connection((server.host, server.port))
        body = json.dumps({"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 60000, "stream": True, "temperature": 1.5}).encode()
        line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        line.recv(10)
        self.assertEqual(server.end(), 0)
        line.close()


if __name__ == "__main__":
    unittest.main()

"""A klp serve's engine in a notebook: chat, and what the model's memory did meanwhile as NumPy arrays.

    from klp_client import Klp
    klp = Klp("127.0.0.1:8080")                 # klp serve there; ssh -N -L 8080:127.0.0.1:8080 HOST for one elsewhere
    print(klp.chat("Hello, who are you?"))
    taps = klp.taps()
    taps["log_decay"].shape                     # (tokens, KDA layers, heads, channels): log of what each channel keeps
    klp.state(layer=1, head=0).shape            # (values, keys): all that this head knows of the text
    klp.rewind()                                # as if the last question had not been asked
    klp.hands = [{"what": "gates", "layers": [0], "amount": 2}]   # from now on half-lives of layer 0 are twice as long (klp --intervene has the same list)

It speaks the Run protocol (docs/serving.md) and needs nothing but NumPy.
"""
import http.client
import json
import os
import ssl
import struct
import time
import urllib.parse

import numpy as np

VERSION = 2
EVENTS = ["Loading", "Loaded", "Unloaded", "Trouble", "PhaseChanged", "PromptFed", "TokenMade", "Readings", "AnswerDone", "Moved", "CostKnown", "SnapshotsKept",
          "StatePicture", "RacePoint", "RaceDone", "AttentionPicture", "EventsDropped", "AnswerBegun", "TelemetryCost", "CacheRolled", "StatesKept", "Considered",
          "Retraced", "ReadablePicture", "LifePicture", "Compared", "ReadersPicture", "LeftPicture", "RulesPicture"]
MAKE_ANSWER, GO_TO, PROBE_ATTENTION, PROBE_STATE, PROBE_READABLE, PROBE_LIFE, PROBE_READERS, PROBE_RULES, WATCH, CANCEL = 2, 3, 8, 9, 11, 12, 14, 16, 200, 201
RULES = ["KDA", "Gated DeltaNet", "DeltaNet", "GLA", "linear attention"]  # of updating a state, as RulesPicture has them
OVER = 251  # frames beside events
NEWEST = 1 << 40  # a position that no sequence has: the newest token
PATIENCE = 60  # seconds that a line is tried again


class KlpError(Exception):
    """A sentence of the server, or of what is wrong with the line to it."""


class _Fields:
    """Reads fields of a frame; what is cut off is an error."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n > len(self.data) - self.at:
            raise KlpError("a frame is torn")
        self.at += n
        return self.data[self.at - n:self.at]

    def left(self):
        return len(self.data) - self.at

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise KlpError("a frame is torn")

    def number(self):
        value = self.unsigned()
        return (value >> 1) ^ -(value & 1)

    def text(self):
        return bytes(self.take(self.unsigned()))

    def float32(self):
        return struct.unpack("<f", self.take(4))[0]

    def floats(self, n):
        return np.frombuffer(bytes(self.take(4 * n)), "<f4")


def _unsigned(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(value):
    return _unsigned((value << 1) ^ (value >> 63))


def _text(value):
    data = value.encode() if isinstance(value, str) else value
    return _unsigned(len(data)) + data


def _line(parts):
    out = _unsigned(len(parts))
    for part in parts:
        ids = part.get("ids", ())
        out += _text(part["role"]) + _text(part["text"]) + _number(int(part.get("open", False)))
        out += _unsigned(len(ids)) + b"".join(map(_number, ids)) + _unsigned(0) + _number(part.get("closing", -1))
    return out


_WHAT = ["gates", "beta", "read", "silence", "empty", "put", "edit", "hide"]


def _hands(hands):
    out = _unsigned(len(hands))
    for one in hands:
        unknown = set(one) - {"what", "layers", "heads", "channels", "experts", "from", "to", "amount", "tokens", "key", "value", "state"}
        if one.get("what") not in _WHAT or unknown:
            raise KlpError(f"no hands on the memory: {sorted(unknown) or one.get('what')}")
        out += _number(_WHAT.index(one["what"]))
        for name in ("layers", "heads", "channels", "experts"):
            out += _unsigned(len(one.get(name, ()))) + b"".join(_number(int(n)) for n in one.get(name, ()))
        first, last = one.get("tokens", (0, 0))
        out += _number(one.get("from", 0)) + _number(one.get("to", (1 << 63) - 1)) + struct.pack("<f", one.get("amount", 1)) + _number(first) + _number(last)
        for name in ("key", "value", "state"):
            values = np.ascontiguousarray(one.get(name, ()), "<f4").ravel()
            out += _unsigned(len(values)) + values.tobytes()
    return out


class Klp:
    """One run there, with a talk of its own. `watch`: the id of a run that somebody else has opened (Klp.runs lists them); then only events() works."""

    def __init__(self, at="127.0.0.1:8080", key=None, taps=True, watch=None):
        url = urllib.parse.urlsplit(at if "://" in at else "http://" + at)
        self._https, self._host, self._port = url.scheme == "https", url.hostname, url.port
        self._key = key if key is not None else os.environ.get("OPENAI_API_KEY", "")
        self._secret, self._stream, self._heard, self._said, self._buffer = "", None, 0, 0, b""
        self.id = watch
        if watch is None:
            opened = json.loads(self._ask("/run", b"{}"))
            self.id, self._secret, card = opened["run"], opened["secret"], opened["card"]
        else:
            card = json.loads(self._ask("/run/" + watch))
        if card.get("protocol") != VERSION:
            raise KlpError(f"{at} speaks version {card.get('protocol')} of the run protocol, and this client version {VERSION}")
        self.model = card["header"]["model"]
        self.sites = [{**s, "site": s["site"].split(".")[-1]} for s in card["readings"]]
        self.defaults = self.model.get("sampling", {})
        self.line, self.stats, self.lost, self.hands = [], {}, 0, []
        self._answers, self._rows, self._tokens = 0, {}, 0
        if watch is None and taps:
            bits = sum(1 << s["bit"] for s in self.sites if taps is True or s["site"] in taps)
            self._command(WATCH, _unsigned(bits) + _number(0) + _number(15) + _number(0))

    @classmethod
    def runs(cls, at="127.0.0.1:8080", key=None):
        """The runs that are open there: a list of dicts with run, model, lines, tokens."""
        self = cls.__new__(cls)
        url = urllib.parse.urlsplit(at if "://" in at else "http://" + at)
        self._https, self._host, self._port, self._secret = url.scheme == "https", url.hostname, url.port, ""
        self._key = key if key is not None else os.environ.get("OPENAI_API_KEY", "")
        return json.loads(self._ask("/run"))["runs"]

    def chat(self, text, system=None, **sampling):
        """The answer to one message. Sampling: temperature, top_k, top_p, min_p, repeat_penalty, seed, predict (tokens at most)."""
        return b"".join(self.stream(text, system, **sampling)).decode(errors="replace")

    def stream(self, text, system=None, **sampling):
        """The same as bytes of one token after the other (a token may be half a character)."""
        hands = _hands(self.hands)
        if system is not None and not self.line:
            self.line.append({"role": "system", "text": system})
        self.line.append({"role": "user", "text": text})
        self._answers += 1
        how = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0, "seed": time.time_ns() & (1 << 63) - 1,
               "predict": self.model.get("predict", 2048), **self.defaults, **sampling}
        fields = _number(self._answers) + _line(self.line)
        fields += struct.pack("<f", how["temperature"]) + _number(how["top_k"]) + struct.pack("<fff", how["top_p"], how["min_p"], how["repeat_penalty"])
        fields += _number(64) + struct.pack("<Q", how["seed"]) + _number(how["predict"]) + _number(0) + _text("") + hands
        self._command(MAKE_ANSWER, fields)
        answer = {"role": "assistant", "text": b"", "ids": []}
        done = False
        try:
            for kind, event in self.events():
                if kind == "TokenMade" and event["answer"] == self._answers:
                    answer["ids"].append(event["id"])
                    answer["text"] += event["text"]
                    yield event["text"]
                elif kind == "Trouble" and event["answer"] in (self._answers, -1):
                    raise KlpError(event["message"])
                elif kind == "AnswerDone" and event["answer"] == self._answers:
                    answer["closing"], self.stats, done = event["closing"], event, True
                    break
        finally:
            if not done:  # nobody wants the rest
                self._command(CANCEL, b"")
            self.line += [answer] if answer["ids"] else []
            if not answer["ids"]:
                self.line.pop()

    def rewind(self, turns=1):
        """Takes the last questions and their answers back; the model's memory stands where they were asked."""
        for _ in range(turns):
            while self.line and self.line[-1]["role"] != "user":
                if self.line[-1]["role"] == "system":
                    return
                self.line.pop()
            if self.line:
                self.line.pop()
        self._command(GO_TO, _line(self.line) + _hands(self.hands))
        self._until("Moved")

    def taps(self):
        """{site: array [token, layer, head, channel]} (or [token, layer, head]) of the sequence as it stands; NaN: not read. Layers: self.layers(site)."""
        heads = next((s["width"] for s in self.sites if s["site"] in ("beta",)), 1)
        out = {}
        for s in self.sites:
            shape = [len(s["layers"]), heads, s["width"] // heads] if s["site"] == "log_decay" else [len(s["layers"]), s["width"]]
            rows = np.full([self._tokens] + shape, np.nan, np.float32)
            for position, sites in self._rows.items():
                if position < self._tokens and s["bit"] in sites:
                    rows[position] = sites[s["bit"]].reshape(shape)
            if any(s["bit"] in sites for sites in self._rows.values()):
                out[s["site"]] = rows
        return out

    def layers(self, site):
        return next(s["layers"] for s in self.sites if s["site"] == site)

    def state(self, layer, head, position=None):
        """The matrix S [value, key] of a KDA head after the token at `position` (the newest)."""
        self._command(PROBE_STATE, _number(layer) + _number(head) + _number(NEWEST if position is None else position))
        picture = self._until("StatePicture", lambda e: e["past"])
        if picture["values"] is None:
            raise KlpError("this token is too far back to be fed again")
        return picture["values"]

    def attention(self, layer, head, position=None, window=1024):
        """What a head reads at `position`: the weights of tokens, and the position of the first."""
        self._command(PROBE_ATTENTION, _number(layer) + _number(head) + _number(NEWEST if position is None else position) + _number(window))
        picture = self._until("AttentionPicture")
        return picture["weights"], picture["first"]

    def readable(self, layer, head, position=None, token=None, other=None, cut=False):
        """What the state of a KDA head answers to the key of each token up to `position` (the newest), against the value that was written: "cosine" and "ratio" of
        lengths, of tokens "first" and on. With a token also what giving its key the value of `other` (none: erasing it) would change for each key ("predicted"),
        with `cut` what it did on a copy ("measured"), and "key" and "value" as an edit in `hands` takes them."""
        places = [NEWEST if position is None else position, -1 if token is None else token, -1 if other is None else other]
        self._command(PROBE_READABLE, _number(layer) + _number(head) + b"".join(map(_number, places)) + _number(int(cut)))
        return self._until("ReadablePicture")

    def life(self, token, layer=None):
        """What becomes of a token: for each head a dict with "decay", "left" (and overwriting) and "read", of the token itself and each later one; of MLA heads
        "read" alone."""
        self._command(PROBE_LIFE, _number(token) + _number(-1 if layer is None else layer) + _unsigned(0))
        return self._until("LifePicture")["heads"]

    def readers(self, token, position=None):
        """Who reads a token at `position` (the newest): a dict for each head, by how much of what it reads that token wrote ("share"; "weight" of the head's
        attention, implicit of a state)."""
        self._command(PROBE_READERS, _number(token) + _number(-1 if position is None else position))
        return self._until("ReadersPicture")["heads"]

    def rules(self, layer, head, position=None):
        """What the state of a head behind `position` (the newest) would be, had the same tokens been written by another rule: by its name, "KDA" to "linear
        attention", a dict with the matrix "state" [V, K], its "norm" behind each token, and how well each token's value is read by its key ("cosine", "ratio")."""
        self._command(PROBE_RULES, _number(layer) + _number(head) + _number(NEWEST if position is None else position))
        return self._until("RulesPicture")["rules"]

    def events(self):
        """Every event as (name, dict), as they come; the line is made again where it is lost."""
        while True:
            for frame in self._frames():
                event = self._take(*frame)
                if event:
                    yield event

    def close(self):
        if self._secret:
            try:
                self._ask(f"/run/{self.id}/end", b"{}")
            except (KlpError, OSError, http.client.HTTPException):
                pass
        self._secret = ""
        if self._stream:
            self._stream.close()
            self._stream = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- the line ---------------------------------------------------------------------------------------------------------

    def _connect(self, timeout):
        if self._https:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=ssl.create_default_context())
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)

    def _headers(self):
        headers = {"Klp-Run": str(VERSION)}
        if self._secret:
            headers["Klp-Secret"] = self._secret
        if self._key:
            headers["Authorization"] = "Bearer " + self._key
        return headers

    @staticmethod
    def _sentence(reply, body):
        try:
            return json.loads(body)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            return f"the server answers with status {reply.status}"

    def _ask(self, path, body=None):
        line = self._connect(600)
        try:
            line.request("GET" if body is None else "POST", path, body, self._headers())
            reply = line.getresponse()
            data = reply.read()
        finally:
            line.close()
        if reply.status != 200:
            raise KlpError(self._sentence(reply, data))
        return data

    def _command(self, kind, fields):
        self._said += 1
        body = bytes([kind]) + _number(self._said) + _number(0) + fields
        frame = struct.pack("<I", len(body)) + body
        self._try_again(lambda: self._ask(f"/run/{self.id}/commands", frame))

    @staticmethod
    def _try_again(what):
        end = time.monotonic() + PATIENCE
        pause = 0.1
        while True:
            try:
                return what()
            except (OSError, http.client.HTTPException) as e:
                if time.monotonic() > end:
                    raise KlpError(f"the line is lost: {e}") from e
                time.sleep(pause)
                pause = min(2 * pause, 4)

    def _listen(self):
        line = self._connect(10)
        line.request("GET", f"/run/{self.id}/events?after={self._heard}", None, self._headers())
        reply = line.getresponse()
        if reply.status != 200:
            raise KlpError(self._sentence(reply, reply.read()))
        self._stream, self._buffer = reply, b""

    def _frames(self):
        """Frames until the line ends."""
        try:
            if self._stream is None:
                self._try_again(self._listen)
            while True:
                while len(self._buffer) >= 4:
                    (length,) = struct.unpack_from("<I", self._buffer)
                    if not 3 <= length <= 64 << 20:
                        raise KlpError("this is not the run protocol")
                    if len(self._buffer) < 4 + length:
                        break
                    body, self._buffer = self._buffer[4:4 + length], self._buffer[4 + length:]
                    fields = _Fields(memoryview(body)[1:])
                    yield body[0], fields.number(), fields.number(), fields
                more = self._stream.read1(1 << 20)
                if not more:
                    break
                self._buffer += more
        except (OSError, http.client.HTTPException):
            pass
        self._stream = None

    def _until(self, name, right=lambda event: True):
        for kind, event in self.events():
            if kind == name and right(event):
                return event
            if kind == "Trouble":
                raise KlpError(event["message"])

    def _take(self, kind, number, nanoseconds, f):
        if kind == OVER:
            raise KlpError("the run was ended there")
        if kind >= len(EVENTS):
            return None
        name, event = EVENTS[kind], {}
        if number <= self._heard and name != "EventsDropped":
            return None
        self._heard = max(self._heard, number)
        if name == "Trouble":
            f.number()
            event = {"message": f.text().decode(errors="replace"), "advice": f.text().decode(errors="replace"), "answer": f.number()}
        elif name == "PhaseChanged":
            event = {"phase": ["empty", "loading", "ready", "prefill", "decoding", "racing", "probing"][f.number()], "done": f.number(), "total": f.number()}
        elif name == "PromptFed":
            event = {"first": f.number(), "ids": [f.number() for _ in range(f.unsigned())]}
            self._stand(event["first"], len(event["ids"]))
        elif name == "TokenMade":
            event = {"answer": f.number(), "position": f.number(), "id": f.number(), "text": f.text(), "nanoseconds": f.number(), "probability": f.float32(),
                     "entropy": f.float32(), "rank": f.number()}
            event["top"] = [(f.number(), f.float32()) for _ in range(f.unsigned())]
            self._stand(event["position"], 1)
        elif name == "Readings":
            position, kept = f.number(), f.unsigned()
            sites = {s["bit"]: f.floats(len(s["layers"]) * s["width"]) for s in self.sites if kept >> s["bit"] & 1}
            self._rows[position] = sites
            event = {"position": position, "sites": sites}
        elif name == "AnswerDone":
            event = {"answer": f.number(), "end": ["stop token", "token budget", "context full", "cancelled"][f.number()], "closed": bool(f.number()),
                     "tokens": f.number(), "prompt_tokens": f.number(), "prefill_ns": f.number(), "first_token_ns": f.number(), "decode_ns": f.number()}
            for _ in range(3 + 6):
                f.number()
            event["seed"] = struct.unpack("<Q", f.take(8))[0]
            event["memory"] = {"state": f.number(), "conv": f.number(), "cache": f.number()}
            event["closing"] = f.number()
        elif name == "Moved":
            event = {"restored_bytes": f.number(), "replayed": f.number(), "nanoseconds": f.number(), "position": f.number()}
            self._tokens = min(self._tokens, event["position"])
        elif name == "StatePicture":
            event = {"layer": f.number(), "head": f.number(), "position": f.number(), "past": bool(f.number())}
            rows, columns = f.number(), f.number()
            event["values"] = f.floats(rows * columns).reshape(rows, columns) if rows else None
        elif name == "AttentionPicture":
            event = {"layer": f.number(), "head": f.number(), "position": f.number(), "first": f.number(), "implicit": bool(f.number())}
            event["weights"] = f.floats(f.unsigned())
        elif name == "ReadablePicture":
            event = {"layer": f.number(), "head": f.number(), "position": f.number(), "first": f.number(), "token": f.number(), "other": f.number()}
            event.update((field, f.floats(f.unsigned())) for field in ("cosine", "ratio", "predicted", "measured"))
            event.update(beta=f.float32(), change=f.float32(), channels=[f.number() for _ in range(f.unsigned())], lost=f.float32(), lost_at_random=f.float32())
            event.update((field, f.floats(f.unsigned())) for field in ("key", "value"))
        elif name == "LifePicture":
            event = {"token": f.number(), "last": f.number(), "heads": []}
            for _ in range(f.unsigned()):
                head = {"layer": f.number(), "head": f.number(), "cache": bool(f.number()), "beta": f.float32()}
                head.update((field, f.floats(f.unsigned())) for field in ("decay", "left", "read"))
                event["heads"].append(head)
        elif name == "ReadersPicture":
            event = {"token": f.number(), "position": f.number()}
            event["heads"] = [{"layer": f.number(), "head": f.number(), "cache": bool(f.number()), "weight": f.float32(), "share": f.float32()}
                              for _ in range(f.unsigned())]
        elif name == "RulesPicture":
            event = {"layer": f.number(), "head": f.number(), "position": f.number(), "first": f.number(), "own": RULES[f.number()], "rules": {}}
            rows, columns = f.number(), f.number()
            for rule in RULES[:f.unsigned()]:
                numbers = {field: f.floats(f.unsigned()) for field in ("state", "norm", "cosine", "ratio")}
                event["rules"][rule] = dict(numbers, state=numbers["state"].reshape(rows, columns))
        elif name == "EventsDropped":
            event = {"readings": f.number()}
            self.lost += event["readings"]
        return name, event

    def _stand(self, first, count):
        """The sequence holds `first` tokens of before, and these. What was read of others is of another line."""
        for position in [p for p in self._rows if p >= first]:
            del self._rows[position]
        self._tokens = first + count

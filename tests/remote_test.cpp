// A run over the wire: the same events as of one here, lines that are lost, slow, torn or foreign, and who may talk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/opener.h"
#include "app/run_service.h"
#include "core/runs/event_fields.h"
#include "core/runs/recording.h"
#include "core/runs/remote_run.h"
#include "core/runs/wire.h"
#include "tests/support.h"

namespace klp {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Run> demo_run() {
    auto run = std::make_unique<LiveRun>(open_for_run);
    run->post(LoadModel{.device = "cpu", .threads = 1});
    return run;
}

// A server on a port of its own that can be ended and come back at the same port.
class Port {
public:
    explicit Port(RunHost& host) : host_(host) { begin(); }
    ~Port() { end(); }
    void begin() {
        server_ = std::make_unique<httplib::Server>();
        server_->new_task_queue = [] { return new httplib::ThreadPool(16); };
        serve_runs(*server_, host_);
        start();
    }
    void end() {
        if (!server_) return;
        server_->stop();
        thread_.join();
        server_.reset();
    }
    std::string at() const { return "127.0.0.1:" + std::to_string(port_); }

private:
    void start() {
        if (port_ == 0)
            port_ = server_->bind_to_any_port("127.0.0.1");
        else
            EXPECT_TRUE(server_->bind_to_port("127.0.0.1", port_));
        thread_ = std::thread([this] { server_->listen_after_bind(); });
    }
    RunHost& host_;
    std::unique_ptr<httplib::Server> server_;
    std::thread thread_;
    int port_ = 0;
};

// What is no server of ours.
class Fake {
public:
    Fake() {
        port = server.bind_to_any_port("127.0.0.1");
        thread = std::thread([this] { server.listen_after_bind(); });
    }
    ~Fake() { server.stop(), thread.join(); }
    std::string at() const { return "127.0.0.1:" + std::to_string(port); }
    httplib::Server server;
    int port = 0;
    std::thread thread;
};

// Events of a run up to the first that `is_last` names.
class Ear {
public:
    explicit Ear(Run& run) : run_(run) {}
    std::vector<Event> until(const std::function<bool(const Event&)>& is_last, std::chrono::seconds patience = std::chrono::seconds(60)) {
        std::vector<Event> all;
        for (const auto end = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < end;) {
            for (Event& e : run_.drain()) waiting_.push_back(std::move(e));
            while (!waiting_.empty()) {
                all.push_back(std::move(waiting_.front()));
                waiting_.pop_front();
                if (is_last(all.back())) return all;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        ADD_FAILURE() << "it never came";
        return all;
    }
    template <class T>
    std::vector<Event> until() {
        return until([](const Event& e) { return std::holds_alternative<T>(e); });
    }

private:
    Run& run_;
    std::deque<Event> waiting_;
};
template <class T>
std::vector<T> only(const std::vector<Event>& events) {
    std::vector<T> out;
    for (const Event& e : events)
        if (const T* t = std::get_if<T>(&e)) out.push_back(*t);
    return out;
}

std::unique_ptr<RemoteRun> connect_to(const std::string& at, const std::string& watch = {}) {
    const auto server = engine_at(at, "");
    if (!server) return ADD_FAILURE() << server.error().message, nullptr;
    auto opened = open_remote(*server, nullptr, watch);
    if (!opened) return ADD_FAILURE() << opened.error().message, nullptr;
    return std::make_unique<RemoteRun>(*server, std::move(*opened));
}

Interest everything() {
    Interest all;
    for (bool& s : all.sites) s = true;
    all.top = 5;
    return all;
}
MakeAnswer ask(int answer, std::vector<Part> line, int64_t predict = 24) {
    MakeAnswer c{.answer = answer, .line = std::move(line), .predict = predict};
    c.sampling.temperature = 0;
    return c;
}

// An event without the times in it; nothing for those that come as the clock has it.
std::optional<Event> timeless(Event e) {
    if (std::holds_alternative<PhaseChanged>(e) || std::holds_alternative<Loading>(e) || std::holds_alternative<Loaded>(e) ||
        std::holds_alternative<TelemetryCost>(e))
        return std::nullopt;
    if (auto* made = std::get_if<TokenMade>(&e)) made->nanoseconds = 0;
    if (auto* done = std::get_if<AnswerDone>(&e)) done->prefill_ns = done->first_token_ns = done->decode_ns = done->move.nanoseconds = 0, done->phases = {};
    if (auto* moved = std::get_if<Moved>(&e)) moved->move.nanoseconds = 0;
    if (auto* cost = std::get_if<CostKnown>(&e)) cost->move.nanoseconds = 0;
    return e;
}

struct Told {
    std::vector<Event> events;
    std::shared_ptr<const RunCard> card;
};
// A talk with a branch, a rewind and looks at everything.
Told talk_with(Run& run) {
    Told out;
    Ear ear(run);
    const auto loaded = only<Loaded>(ear.until<Loaded>());
    out.card = loaded.at(0).card;
    const auto add = [&](std::vector<Event> events) {
        for (Event& e : events)
            if (auto kept = timeless(std::move(e))) out.events.push_back(std::move(*kept));
    };
    run.watch(everything());
    const Part hello{"user", "Hello, who are you?"};
    run.post(ask(1, {hello}));
    auto first = ear.until<SnapshotsKept>();
    Part answer{.role = "assistant"};
    for (const auto& t : only<TokenMade>(first)) answer.ids.push_back(t.id), answer.text += t.text;
    add(std::move(first));
    run.post(ask(2, {hello, answer, {"user", "Tell me a story."}}));
    add(ear.until<SnapshotsKept>());
    run.post(AskCost{3, {hello}});
    add(ear.until<CostKnown>());
    run.post(ask(4, {hello, answer, {"user", "What is KDA?"}}));  // a branch
    add(ear.until<SnapshotsKept>());
    MakeAnswer touched = ask(5, {hello, answer, {"user", "Tell me a story."}});
    touched.hands = std::make_shared<const Interventions>(Interventions{{.what = Intervention::What::gates, .layers = {0}, .from = 9, .amount = 0.25f}});
    run.post(touched);
    add(ear.until<SnapshotsKept>());
    run.post(AskCost{6, {hello, answer}, touched.hands});
    add(ear.until<CostKnown>());
    run.post(GoTo{{hello, answer}});
    add(ear.until<SnapshotsKept>());
    run.post(ProbeState{1, 2, 9});
    add(ear.until<StatePicture>());
    run.post(ProbeAttention{out.card->shape.layers(Site::log_sum_exp).at(0), 0, 9});
    add(ear.until<AttentionPicture>());
    run.post(ProbeAttention{1, 1, 9});
    add(ear.until<AttentionPicture>());
    run.post(ProbeReadable{.layer = 1, .head = 1, .position = 9, .token = 7, .with = 5, .cut = true});
    add(ear.until<ReadablePicture>());
    run.post(ProbeLife{.token = 7});
    add(ear.until<LifePicture>());
    run.post(ProbeReaders{.token = 7, .position = 9});
    add(ear.until<ReadersPicture>());
    run.post(ProbeLeft{1, 1, 9});
    add(ear.until<LeftPicture>());
    run.post(ProbeRules{1, 1, 9});
    add(ear.until<RulesPicture>());
    run.post(Retrace{{4, 12}, {}, everything()});
    add(ear.until<Retraced>());
    run.post(Compare{7, {hello, answer}, nullptr, touched.hands});
    add(ear.until<Compared>());
    return out;
}

std::string bytes_of(const Event& e, const TraceShape& shape) {
    std::string out(1, static_cast<char>(e.index()));
    FieldWriter to(out, shape, true);
    write_event(e, to);
    return out;
}

TEST(Remote, EveryEventIsThatOfAnEngineHereToTheBit) {
    RunHost host(demo_run);
    Port port(host);
    const auto remote = connect_to(port.at());
    ASSERT_TRUE(remote);
    const auto local = demo_run();
    const Told there = talk_with(*remote), here = talk_with(*local);
    ASSERT_EQ(there.events.size(), here.events.size());
    for (size_t i = 0; i < here.events.size(); ++i)
        EXPECT_EQ(bytes_of(there.events[i], here.card->shape), bytes_of(here.events[i], here.card->shape))
            << "event " << i << " of kind " << here.events[i].index();
    EXPECT_FALSE(only<Readings>(there.events).empty());

    const RunCard &a = *there.card, &b = *here.card;
    EXPECT_EQ(remote_at(a), port.at());
    EXPECT_EQ(remote_at(b), "");
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.identity, b.identity);
    EXPECT_EQ(a.twin, b.twin);
    EXPECT_EQ(a.context, b.context);
    EXPECT_EQ(a.weight_bytes, b.weight_bytes);
    EXPECT_EQ(to_json(a.config), to_json(b.config));
    EXPECT_EQ(a.recorded, "") << "it is live";
    ASSERT_EQ(a.tokenizer->vocab_size(), b.tokenizer->vocab_size());
    for (int id = 0; id < b.tokenizer->vocab_size(); ++id) {
        ASSERT_EQ(a.tokenizer->bytes(id), b.tokenizer->bytes(id)) << id;
        ASSERT_EQ(a.tokenizer->is_special(id), b.tokenizer->is_special(id)) << id;
    }

    // And so are their recordings.
    const auto folder = std::filesystem::temp_directory_path() / ("klp-remote-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    const auto record = [&](const Told& told, const char* name) {
        auto card = std::make_shared<RunCard>(*told.card);
        card->load_ns = 0;
        auto file = RecordingWriter::create(folder / name, {"a talk", "", "today", "klp", "", card});
        EXPECT_TRUE(file);
        for (const Event& e : told.events) EXPECT_TRUE(file->append(e, 0));
        EXPECT_TRUE(file->flush());
        std::ifstream in(folder / name, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    EXPECT_TRUE(record(there, "there.klprun") == record(here, "here.klprun"));
    std::filesystem::remove_all(folder);
}

TEST(Remote, ARaceIsRunThere) {
    RunHost host(demo_run);
    Port port(host);
    const auto remote = connect_to(port.at());
    ASSERT_TRUE(remote);
    remote->post(StartRace{300});
    const auto events = Ear(*remote).until([](const Event& e) { return std::holds_alternative<RaceDone>(e) || std::holds_alternative<Trouble>(e); });
    EXPECT_TRUE(std::holds_alternative<RaceDone>(events.back()));
    EXPECT_FALSE(only<RacePoint>(events).empty());
}

TEST(Remote, ALineThatIsLostIsMadeAgainAndNothingOfAnAnswerIs) {
    RunHost host(demo_run);
    auto port = std::make_unique<Port>(host);
    const auto remote = connect_to(port->at());
    ASSERT_TRUE(remote);
    Ear ear(*remote);
    MakeAnswer long_one = ask(1, {{"user", "Tell me a story."}}, 3000);
    long_one.sampling.temperature = 1.5f, long_one.sampling.seed = 3;
    remote->watch(everything());
    remote->post(long_one);
    auto events = ear.until<TokenMade>();
    port->end();
    for (Event& e : ear.until<Trouble>()) events.push_back(std::move(e));
    EXPECT_THAT(std::get<Trouble>(events.back()).error.message, HasSubstr("is lost"));
    EXPECT_EQ(std::get<Trouble>(events.back()).answer, -1) << "the answer is not over";
    port->begin();
    for (Event& e : ear.until<AnswerDone>()) events.push_back(std::move(e));
    std::vector<int32_t> there, here;
    for (const auto& t : only<TokenMade>(events)) there.push_back(t.id);

    const auto local = demo_run();
    local->post(long_one);
    for (const auto& t : only<TokenMade>(Ear(*local).until<AnswerDone>())) here.push_back(t.id);
    EXPECT_EQ(there, here);
    EXPECT_TRUE(only<EventsDropped>(events).empty()) << "all of it was kept";
}

TEST(Remote, AServerThatWasStartedAnewGoesOn) {
    auto host = std::make_unique<RunHost>(demo_run);
    auto port = std::make_unique<Port>(*host);
    const std::string at = port->at();
    const auto remote = connect_to(at);
    ASSERT_TRUE(remote);
    Ear ear(*remote);
    ear.until<Loaded>();
    MakeAnswer unfinished = ask(1, {{"user", "Tell me a story."}}, 20000);  // one that takes longer than the host to leave
    unfinished.sampling.temperature = 1.5f, unfinished.sampling.seed = 3;
    remote->post(unfinished);
    ear.until<TokenMade>();
    RunHost second(demo_run);
    host->leave();
    ear.until([](const Event& e) { return std::holds_alternative<Trouble>(e); });
    // This host opens nothing any more; whoever asks is told again and again, until there is another one at the port.
    const int number = std::stoi(at.substr(at.find(':') + 1));
    port.reset();
    httplib::Server again;
    serve_runs(again, second);
    ASSERT_TRUE(again.bind_to_port("127.0.0.1", number));
    std::thread thread([&] { again.listen_after_bind(); });
    const auto events = ear.until<Loaded>();
    const auto troubles = only<Trouble>(events);
    EXPECT_TRUE(std::any_of(troubles.begin(), troubles.end(), [](const Trouble& t) { return t.answer == 1; }))
        << "the answer ends, so that it can be asked again";
    remote->post(ask(2, {{"user", "Hello, who are you?"}}));
    std::string said;
    for (const auto& t : only<TokenMade>(ear.until<AnswerDone>())) said += t.text;
    EXPECT_THAT(said, HasSubstr("Mini"));
    again.stop();
    thread.join();
}

// Says what it is told to.
class Flood final : public Run {
public:
    Flood() {
        ModelConfig config;
        for (const NamedShape& shape : named_shapes())
            if (shape.name == "tiny") config = shape.config;
        auto c = std::make_shared<RunCard>();
        c->config = config, c->shape = TraceShape(config);
        c->tokenizer = std::make_shared<const Tokenizer>(Tokenizer::of_pieces({{1, {"a", false}}}));
        card = c;
        events.push_back(Loaded{card});
    }
    void post(Command) override {}
    void cancel() override {}
    void watch(const Interest&) override {}
    std::vector<Event> drain() override {
        const std::lock_guard lock(mutex);
        return std::exchange(events, {});
    }
    void say(int tokens) {
        const std::lock_guard lock(mutex);
        for (int i = 0; i < tokens; ++i) {
            events.push_back(Readings{i, std::vector<float>(static_cast<size_t>(card->shape.size()), 0.5f)});
            events.push_back(TokenMade{.answer = 1, .position = i, .id = 1, .text = "a"});
        }
        events.push_back(AnswerDone{.answer = 1});
    }
    std::mutex mutex;
    std::vector<Event> events;
    std::shared_ptr<const RunCard> card;
};

std::vector<Event> heard(RunHost::Line& line, const TraceShape& shape) {
    std::vector<Event> out;
    WireReader reader;
    for (int i = 0; i < 10000; ++i) {
        reader.push(line.next(std::chrono::seconds(5)));
        for (;;) {
            const auto frame = reader.next();
            if (!frame || !*frame) break;
            FieldReader in((*frame)->fields, shape, true);
            auto event = read_event((*frame)->kind, in);
            if (!event) continue;
            out.push_back(std::move(*event));
            if (std::holds_alternative<AnswerDone>(out.back())) return out;
        }
    }
    ADD_FAILURE() << "it never ended";
    return out;
}

TEST(Remote, ASlowLineLosesReadingsAndSaysHowManyButNoText) {
    Flood* flood = nullptr;
    RunHost host(
        [&] {
            auto run = std::make_unique<Flood>();
            flood = run.get();
            return run;
        },
        {.readings = 1 << 20, .behind = 1 << 18});
    const auto opened = host.open();
    ASSERT_TRUE(opened);
    auto slow = host.listen(opened->id, 0);
    ASSERT_TRUE(slow);
    constexpr int kTokens = 2000;
    flood->say(kTokens);
    const auto events = heard(**slow, flood->card->shape);
    EXPECT_EQ(only<TokenMade>(events).size(), size_t{kTokens});
    int64_t lost = 0;
    for (const auto& d : only<EventsDropped>(events)) lost += d.readings;
    EXPECT_GT(lost, 0);
    EXPECT_EQ(static_cast<int64_t>(only<Readings>(events).size()) + lost, kTokens);
    EXPECT_FALSE(only<Readings>(events).empty()) << "the newest come";
}

TEST(Remote, TwoMayWatchARunAndOneTalks) {
    RunHost host(demo_run, {.most = 1});
    Port port(host);
    const auto talks = connect_to(port.at());
    ASSERT_TRUE(talks);
    const auto server = engine_at(port.at(), "");
    const auto full = open_remote(*server, nullptr);
    ASSERT_FALSE(full);
    EXPECT_THAT(full.error().message, HasSubstr("1 runs are open already"));
    const auto listed = remote_runs(*server, nullptr);
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->size(), 1u);
    const std::string id = listed->front().id;
    const auto watches = connect_to(port.at(), id);
    ASSERT_TRUE(watches);
    talks->post(ask(5, {{"user", "Hello, who are you?"}}));
    Ear one(*talks), other(*watches);
    const auto mine = only<TokenMade>(one.until<AnswerDone>()), theirs = only<TokenMade>(other.until<AnswerDone>());
    ASSERT_FALSE(mine.empty());
    ASSERT_EQ(mine.size(), theirs.size());
    for (size_t i = 0; i < mine.size(); ++i) EXPECT_EQ(mine[i].id, theirs[i].id);
    watches->post(ask(6, {{"user", "And now?"}}));
    const auto refused = only<Trouble>(other.until<Trouble>());
    EXPECT_THAT(refused.at(0).error.message, HasSubstr("only watched"));
    EXPECT_EQ(refused.at(0).answer, 6);

    std::string fields;
    FieldWriter out(fields, TraceShape(), true);
    write_command(GoTo{}, out);
    const std::string command = wire_frame(static_cast<uint8_t>(Command(GoTo{}).index()), 100, 0, fields);
    for (const char* secret : {"", "0", "00000000000000000000000000000000"}) {
        const auto done = host.command(id, secret, command);
        ASSERT_FALSE(done);
        EXPECT_THAT(done.error().message, HasSubstr("whoever opened it"));
    }
}

TEST(Remote, ARunWithoutALineIsKeptForAWhile) {
    RunHost host(demo_run, {.most = 1, .alone = std::chrono::milliseconds(1500)});
    const auto opened = host.open();
    ASSERT_TRUE(opened);
    {
        const auto line = host.listen(opened->id, 0, opened->secret);
        ASSERT_TRUE(line);
        std::this_thread::sleep_for(std::chrono::milliseconds(1800));
        EXPECT_FALSE(host.open()) << "somebody listens";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1800));
    EXPECT_TRUE(host.open());
    EXPECT_FALSE(host.listen(opened->id, 0, opened->secret));
}

TEST(Remote, CommandsThatAreNoneAreRefusedAndNoneIsDoneTwice) {
    RunHost host(demo_run);
    const auto opened = host.open();
    ASSERT_TRUE(opened);
    const auto frame = [&](const Command& c, int64_t number) {
        std::string fields;
        FieldWriter out(fields, opened->card->shape, true);
        write_command(c, out);
        return wire_frame(static_cast<uint8_t>(c.index()), number, 0, fields);
    };
    for (const std::string& bad : {std::string("x"), std::string("\xff\xff\xff\xff", 4), frame(GoTo{}, 1).substr(0, 5), frame(LoadModel{.model = "/etc"}, 1),
                                   frame(UnloadModel{}, 1), frame(ProbeState{99, 0, 1}, 1), frame(ProbeAttention{1, 1000, 1}, 1),
                                   frame(ProbeReadable{.layer = 3}, 1), frame(ProbeLife{.layer = 99}, 1), frame(ProbeReaders{.position = -2}, 1),
                                   frame(ProbeLeft{.layer = 3}, 1), frame(ProbeRules{.layer = 3}, 1), wire_frame(99, 1, 0, ""), frame(GoTo{}, 1) + "x"}) {
        const auto done = host.command(opened->id, opened->secret, bad);
        ASSERT_FALSE(done);
        EXPECT_THAT(done.error().message, HasSubstr("no commands"));
    }
    const std::string cost = frame(AskCost{7, {{"user", "Hello"}}}, 1);
    auto line = host.listen(opened->id, 0);
    ASSERT_TRUE(host.command(opened->id, opened->secret, cost));
    ASSERT_TRUE(host.command(opened->id, opened->secret, cost)) << "its reply was lost, so it comes again";
    ASSERT_TRUE(host.command(opened->id, opened->secret, frame(ask(1, {{"user", "Hello"}}, 2), 2)));
    int costs = 0;
    for (const Event& e : heard(**line, opened->card->shape)) costs += std::holds_alternative<CostKnown>(e);
    EXPECT_EQ(costs, 1);
    ASSERT_TRUE(host.command(opened->id, opened->secret, frame(SetSnapshotBudget{int64_t{1} << 60}, 3)));
    ASSERT_TRUE(host.command(opened->id, opened->secret, frame(ask(2, {{"user", "Hello"}}, 2), 4)));
    for (const Event& e : heard(**line, opened->card->shape))
        if (const auto* kept = std::get_if<SnapshotsKept>(&e)) EXPECT_LE(kept->budget, int64_t{1} << 30) << "nobody takes all memory there";
}

TEST(Remote, WhatIsNoRunProtocolIsSaidInASentence) {
    const auto trouble = [](const std::string& at) {
        const auto server = engine_at(at, "");
        if (!server) return server.error().message;
        const auto opened = open_remote(*server, nullptr);
        return opened ? std::string("opened") : opened.error().message;
    };
    EXPECT_THAT(trouble("no place/at all"), HasSubstr("is no place of a klp serve, such as gpu:8080"));
    EXPECT_THAT(trouble("127.0.0.1:9"), HasSubstr("does not answer"));
    Fake fake;
    EXPECT_THAT(trouble(fake.at()), HasSubstr("no klp serve, or an older one"));
    std::string says;
    fake.server.Post("/run", [&](const httplib::Request&, httplib::Response& r) { r.set_content(says, "application/json"); });
    for (const auto& [reply, sentence] : {std::pair("{}", "does not speak"),
                                          {"[1]", "does not speak"},
                                          {"nonsense", "does not speak"},
                                          {R"({"run": "../x", "card": {}})", "does not speak"},
                                          {R"({"run": "a", "card": {"protocol": 2}})", "names no model"},
                                          {R"({"run": "a", "card": {"protocol": 1}})", "speaks version 1 of the run protocol, and this program version 2"},
                                          {R"({"run": "a", "card": {"protocol": 7}})", "speaks version 7 of the run protocol, and this program version 2"}}) {
        says = reply;
        EXPECT_THAT(trouble(fake.at()), HasSubstr(sentence)) << reply;
    }
    RunHost host(demo_run);
    Port port(host);
    httplib::Client client("127.0.0.1", std::stoi(port.at().substr(port.at().find(':') + 1)));
    const auto other = client.Post("/run", {{kWireHeader, "1"}}, "{}", "application/json");
    ASSERT_TRUE(other);
    EXPECT_EQ(other->status, 400);
    EXPECT_THAT(other->body, HasSubstr("speaks version 2 of the run protocol, and whoever asks version 1"));
    EXPECT_EQ(client.Post("/run", "{}", "application/json")->status, 400) << "no page of a browser sends the header";
}

// A server that says half an event, none at all, or one that never ends.
TEST(Remote, WhatIsTornCostsALineAndNotTheProgram) {
    RunHost host(demo_run);
    const auto opened = host.open();
    ASSERT_TRUE(opened);
    const std::string half = wire_frame(6, 1, 0, "abcdefgh").substr(0, 9);
    for (const std::string& torn : {half, std::string("\xff\xff\xff\x7f endless"), wire_frame(6, 1, 0, "\xff\xff\xff"), std::string("<html>")}) {
        Fake fake;
        int asked = 0;
        fake.server.Get("/run/abc/events", [&](const httplib::Request&, httplib::Response& r) { ++asked, r.set_content(torn, kWireType); });
        const auto server = engine_at(fake.at(), "");
        RemoteRun run(*server, {"abc", "", opened->card});
        const auto said = only<Trouble>(Ear(run).until<Trouble>());
        EXPECT_THAT(said.at(0).error.message, HasSubstr("is lost: "));
        EXPECT_GT(asked, 0);
    }
}

TEST(Wire, FramesComeInAnyPieces) {
    std::string all;
    for (int i = 1; i <= 20; ++i) all += wire_frame(static_cast<uint8_t>(i), i * 1000, i, std::string(static_cast<size_t>(i * i), 'x'));
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, size_t{100}, all.size()}) {
        WireReader reader;
        int got = 0;
        for (size_t at = 0; at < all.size(); at += piece) {
            reader.push(std::string_view(all).substr(at, piece));
            for (;;) {
                const auto frame = reader.next();
                ASSERT_TRUE(frame);
                if (!*frame) break;
                ++got;
                EXPECT_EQ((*frame)->kind, got);
                EXPECT_EQ((*frame)->number, got * 1000);
                EXPECT_EQ((*frame)->nanoseconds, got);
                EXPECT_EQ((*frame)->fields.size(), static_cast<size_t>(got * got));
            }
        }
        EXPECT_EQ(got, 20);
        EXPECT_TRUE(reader.empty());
    }
}

}  // namespace
}  // namespace klp

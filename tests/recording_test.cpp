// Recordings: what is written is read again, whatever happened to the file; and playing one is as if it had just happened.
#include <gmock/gmock.h>

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <random>

#include "core/files/crc32.h"
#include "core/runs/event_fields.h"
#include "core/runs/replay_run.h"
#include "core/runs/scripted_run.h"
#include "tests/checkpoints.h"

namespace klp {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int64_t kMillisecond = 1'000'000;

std::shared_ptr<RunCard> card() {
    auto c = std::make_shared<RunCard>(*scripted_card());
    c->config = shape("tiny");
    c->shape = TraceShape(c->config);
    std::map<int32_t, Tokenizer::Piece> pieces{{263, {"<|im_end|>", true}}};
    for (int32_t id = 0; id < 500; ++id)
        if (id != 263) pieces[id] = {" w" + std::to_string(id), false};
    c->tokenizer = std::make_shared<const Tokenizer>(Tokenizer::of_pieces(pieces));
    return c;
}
RecordingHeader header() { return {"A test", "It shows nothing.", date_text(0), "klp test", "public domain", card()}; }

void write(const fs::path& file, const std::vector<Event>& events, int64_t apart = kMillisecond) {
    auto w = RecordingWriter::create(file, header());
    ASSERT_TRUE(w) << w.error().message;
    for (size_t i = 0; i < events.size(); ++i) ASSERT_TRUE(w->append(events[i], static_cast<int64_t>(i) * apart));
    ASSERT_TRUE(w->flush());
}
std::shared_ptr<const Recording> open(const fs::path& file) {
    auto r = Recording::open(file);
    EXPECT_TRUE(r) << r.error().message;
    return r ? *r : nullptr;
}

// One of every kind, with something in every field.
Interventions every_hand() {
    using What = Intervention::What;
    return {{.what = What::gates, .layers = {0, 2}, .heads = {1}, .channels = {3, 4}, .from = 5, .to = 9, .amount = 0.3f},
            {.what = What::silence, .experts = {1, 300}},
            {.what = What::put, .layers = {0}, .from = 4, .state = {0.1f, -2, 1e-30f}},
            {.what = What::edit, .layers = {0}, .heads = {0}, .key = {1, 0.7f}, .value = {3}},
            {.what = What::hide, .from = 12, .tokens = {2, 7}}};
}

std::vector<Event> one_of_each() {
    const auto c = card();
    const MemoryUse memory{1, 2, int64_t{1} << 40};
    const SnapshotPool::Move move{5, 6, 7};
    Readings readings = scripted_readings(c->shape, 9);
    for (float& v : std::span(readings.values).subspan(static_cast<size_t>(c->shape.offset(Site::state_norm, c->shape.layers(Site::state_norm)[0])), 2))
        v = NAN;
    const int kda = c->shape.layers(Site::beta)[0];
    StatePicture picture{kda, 1, 9, c->shape.value_dim, c->shape.key_dim, {}};
    for (int i = 0; i < picture.rows * picture.columns; ++i) picture.values.push_back(std::sin(static_cast<float>(i)));
    TokenMade made{3, 9, 42, "\xe2\x82", 123456789, 0.25f, 1.5f, 2, {{42, 0.25f}, {7, 0.125f}}, memory};
    AnswerDone done{3, Generation::End::context, false, 10, 11, 12, 13, 14, move, {1, 2, 3, 4, 5, 6}, UINT64_MAX, memory, 7};
    ReadablePicture readable{{.layer = kda, .head = 1, .position = 9, .first = 7, .token = 8, .with = -1}};
    readable.cosine = {1, 0.5f, -0.25f}, readable.ratio = {0.5f, NAN, 2}, readable.predicted = {0.5f, 1, 0}, readable.measured = {0.5f, 1, 0.25f};
    readable.beta = 0.75f, readable.change = 1, readable.carried = {{3, 1}, 0.5f, 0.125f};
    LifePicture life{{.token = 4, .last = 5, .probability = {{5, 0.25f}}}};
    life.heads = {{.layer = kda, .head = 1, .beta = 0.5f, .decay = {1, 0.5f}, .left = {1, -0.25f}, .read = {0.25f, 0}},
                  {.layer = c->shape.layers(Site::log_sum_exp)[0], .head = 1, .cache = true, .read = {0.5f, 0.125f}}};
    RulesPicture rules{{.layer = kda, .head = 1, .position = 9, .first = 7, .own = Rule::gated_deltanet}};
    for (size_t i = 0; i < kRules.size(); ++i) {
        UnderRule& one = rules.rules.emplace_back();
        one.state = {c->shape.value_dim, c->shape.key_dim, std::vector<float>(static_cast<size_t>(c->shape.value_dim * c->shape.key_dim), 0.5f)};
        one.norm = {1, 2, 4}, one.readable = {{1, NAN, -0.5f}, {0.5f, 1, 2}};
    }
    Sampling sampling{0.5f, 40, 0.9f, 0.1f, 1.1f, 32, UINT64_MAX - 1};
    const auto hands = std::make_shared<const Interventions>(every_hand());
    return {Loading{"demo", 0.5},
            Loaded{c},
            Unloaded{},
            Trouble{Error{Error::device, "it broke"}, "Mend it.", 4},
            PhaseChanged{Phase::prefill, 3, 9},
            PromptFed{0, {1, 2, 263}, {{1, 2}}, hands},
            made,
            readings,
            done,
            Moved{move, 77, memory},
            CostKnown{8, move},
            SnapshotsKept{1, 2, 3},
            picture,
            RacePoint{4096, 1.5, 2.5, memory, memory, {1.25, 1.75}, {2.25, 9.5}},
            RaceDone{TwinKind::trained, "memory"},
            AttentionPicture{kda, 1, 9, 4, true, {0.5f, -0.25f, 0, 0, 0.125f}, {1, 0.5f, 0, 0, 0.125f}, 0.0625f},
            EventsDropped{5},
            AnswerBegun{3, {{"user", "Füße\n", {1, 2}, false}, {"assistant", "so", {}, true}}, sampling, hands},
            TelemetryCost{0.0125},
            CacheRolled{512},
            StatesKept{{1, 2, 3, 4, 5, "a folder's name"}},
            Considered{9, 0.25f, 1.5f, 2, {{42, 0.25f}, {7, 0.125f}}},
            Retraced{Retraced::End::gave_way, {4, 9}},
            readable,
            life,
            Compared{3, Retraced::End::whole, {{0.25f, {0.5f, 0.125f}}, {2, {1, 0}}}, {{1.5f, 2.5f}, 0.75f}},
            ReadersPicture{{.token = 4, .position = 9, .heads = {{kda, 1, false, 0.25f, -1.5f}, {c->shape.layers(Site::log_sum_exp)[0], 0, true, 0.5f, 0.5f}}}},
            LeftPicture{{{{0.5f, -0.25f, 1}, {0.5f, 0.25f, 1}}, kda, 1, 9, 7}},
            rules};
}

// What a program of before hands on the memory has written is shorter.
TEST(Recording, OneOfBeforeHandsIsReadAsUnderNone) {
    const TraceShape none;
    for (Event e : {Event(PromptFed{7, {1, 2}, {{1, 2}}}), Event(AnswerBegun{3, {{"user", "hi"}}, {}})}) {
        std::string bytes;
        FieldWriter out(bytes, none);
        write_event(e, out);
        ASSERT_EQ(bytes.back(), 0) << "how many hands";
        bytes.pop_back();
        FieldReader in(bytes, none);
        const auto again = read_event(e.index(), in);
        ASSERT_TRUE(again);
        if (const auto* fed = std::get_if<PromptFed>(&*again)) EXPECT_EQ(fed->hands, nullptr);
        if (const auto* begun = std::get_if<AnswerBegun>(&*again)) EXPECT_EQ(begun->line.at(0).text, "hi");
    }
}

TEST(Crc32, IsThatOfZip) {
    EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
    EXPECT_EQ(crc32("6789", crc32("12345")), 0xCBF43926u);
    EXPECT_EQ(crc32("The quick brown fox jumps over the lazy dog"), 0x414FA339u);
}

TEST(Recording, KeepsEveryKindOfEvent) {
    TempFolder folder;
    const auto events = one_of_each();
    ASSERT_EQ(events.size(), std::variant_size_v<Event>);
    for (size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].index(), i) << "one of each, in order";
    write(folder / "a", events);
    const auto r = open(folder / "a");
    ASSERT_EQ(r->size(), events.size());
    EXPECT_EQ(r->damage(), "");
    std::vector<Event> again;
    for (size_t i = 0; i < r->size(); ++i) {
        EXPECT_EQ(r->nanoseconds(i), static_cast<int64_t>(i) * kMillisecond);
        auto e = r->event(i);
        ASSERT_TRUE(e) << i;
        ASSERT_EQ(e->index(), i);
        again.push_back(std::move(*e));
    }
    // Every field is in the file or rounded the same way again: written once more, the file is the same.
    write(folder / "b", again);
    EXPECT_EQ(read_bytes(folder / "a"), read_bytes(folder / "b"));

    const auto& made = std::get<TokenMade>(again[6]);
    EXPECT_EQ(made.text, "\xe2\x82");
    EXPECT_EQ(made.nanoseconds, 123456789);
    EXPECT_EQ(made.memory.cache, int64_t{1} << 40);
    EXPECT_EQ(made.top[1].id, 7);
    EXPECT_EQ(std::get<PromptFed>(again[5]).ids, (std::vector<int32_t>{1, 2, 263}));
    ASSERT_TRUE(std::get<PromptFed>(again[5]).hands);
    EXPECT_EQ(*std::get<PromptFed>(again[5]).hands, every_hand());
    ASSERT_TRUE(std::get<AnswerBegun>(again[17]).hands);
    EXPECT_EQ(*std::get<AnswerBegun>(again[17]).hands, every_hand()) << "exactly: nothing of it is rounded";
    EXPECT_EQ(std::get<AnswerDone>(again[8]).phases.head, 6);
    EXPECT_EQ(std::get<AnswerDone>(again[8]).closing, 7);
    EXPECT_EQ(std::get<AnswerBegun>(again[17]).line[0].text, "Füße\n");
    EXPECT_EQ(std::get<AnswerBegun>(again[17]).sampling.seed, UINT64_MAX - 1);
    EXPECT_EQ(std::get<AttentionPicture>(again[15]).weights, (std::vector<float>{0.5f, -0.25f, 0, 0, 0.125f}));
    EXPECT_EQ(std::get<AttentionPicture>(again[15]).decay_only, (std::vector<float>{1, 0.5f, 0, 0, 0.125f}));
    EXPECT_EQ(std::get<AttentionPicture>(again[15]).before, 0.0625f);
    EXPECT_EQ(std::get<CacheRolled>(again[19]).dropped, 512);
    EXPECT_EQ(std::get<PromptFed>(again[5]).answers, (std::vector<Span>{{1, 2}}));
    EXPECT_EQ(std::get<Considered>(again[21]).top[1].probability, 0.125f);
    EXPECT_EQ(std::get<Retraced>(again[22]).tokens, (Span{4, 9}));
    const auto& readable = std::get<ReadablePicture>(again[23]);
    EXPECT_EQ(readable.cosine, (std::vector<float>{1, 0.5f, -0.25f}));
    EXPECT_TRUE(std::isnan(readable.ratio[1]));
    EXPECT_EQ(readable.measured[2], 0.25f);
    EXPECT_EQ(readable.carried.channels, (std::vector<int>{3, 1}));
    EXPECT_EQ(readable.with, -1);
    const auto& life = std::get<LifePicture>(again[24]);
    ASSERT_EQ(life.heads.size(), 2u);
    EXPECT_EQ(life.heads[0].left, (std::vector<float>{1, -0.25f}));
    EXPECT_TRUE(life.heads[1].cache);
    EXPECT_EQ(life.probability[0], std::pair(int64_t{5}, 0.25f));
    const auto& rules = std::get<RulesPicture>(again[28]);
    ASSERT_EQ(rules.rules.size(), kRules.size());
    EXPECT_EQ(rules.own, Rule::gated_deltanet);
    EXPECT_EQ(rules.rules[3].state.S[1], 0.5f);
    EXPECT_EQ(rules.rules[3].state.K, r->header().card->shape.key_dim);
    EXPECT_EQ(rules.rules[4].norm, (std::vector<float>{1, 2, 4}));
    EXPECT_EQ(rules.rules[0].readable.cosine[2], -0.5f);
    const auto& readers = std::get<ReadersPicture>(again[26]);
    ASSERT_EQ(readers.heads.size(), 2u);
    EXPECT_EQ(readers.position, 9);
    EXPECT_EQ(readers.heads[0].share, -1.5f);
    EXPECT_TRUE(readers.heads[1].cache);
    EXPECT_EQ(std::get<Compared>(again[25]).tokens.at(1).divergence, 2);
    EXPECT_EQ(std::get<Compared>(again[25]).states, (StatesApart{{1.5f, 2.5f}, 0.75f}));
    EXPECT_EQ(std::get<StatesKept>(again[20]).nanoseconds, 5);
    EXPECT_EQ(std::get<StatesKept>(again[20]).trouble, "") << "where somebody's files lie is not in a recording";

    const auto& before = std::get<Readings>(events[7]).values;
    const auto& after = std::get<Readings>(again[7]).values;
    const TraceShape& s = r->header().card->shape;
    ASSERT_EQ(after.size(), before.size());
    const auto decays = static_cast<int64_t>(s.layers(Site::log_decay).size()) * s.width(Site::log_decay);
    for (int64_t i = 0; i < s.size(); ++i) {
        const float b = before[static_cast<size_t>(i)], a = after[static_cast<size_t>(i)];
        if (std::isnan(b)) {
            EXPECT_TRUE(std::isnan(a));
        } else if (i < decays) {
            EXPECT_LE(std::abs(std::log2(a / b)), 26.0 / 253 / 2 * 1.001) << "half a step";
        } else {
            EXPECT_NEAR(a, b, std::abs(b) / 2048) << "f16";
        }
    }
}

TEST(Recording, TheCardAndTheTextsComeAlong) {
    TempFolder folder;
    write(folder / "a", one_of_each());
    const auto r = open(folder / "a");
    const RecordingHeader& h = r->header();
    EXPECT_EQ(h.title, "A test");
    EXPECT_EQ(h.date, "1970-01-01 00:00 UTC");
    EXPECT_EQ(h.card->recorded, "1970-01-01 00:00 UTC, a script");
    EXPECT_EQ(h.card->name, "scripted");
    EXPECT_EQ(h.card->twin, TwinKind::recorded);
    EXPECT_EQ(to_json(h.card->config), to_json(shape("tiny")));
    EXPECT_EQ(h.card->tokenizer->bytes(42), " w42");
    EXPECT_EQ(h.card->tokenizer->bytes(7), " w7") << "a candidate";
    EXPECT_EQ(h.card->tokenizer->bytes(43), "") << "never seen";
    EXPECT_TRUE(h.card->tokenizer->is_special(263));
    const auto peeked = Recording::peek(folder / "a");
    ASSERT_TRUE(peeked);
    EXPECT_EQ(peeked->about, "It shows nothing.");
}

TEST(Recording, LogDecaysAtTheEdges) {
    TempFolder folder;
    const auto c = card();
    Readings r{0, std::vector<float>(static_cast<size_t>(c->shape.size()), NAN)};
    const std::vector<float> values{0, -0.f, 1, -1e-30f, -1e30f, -INFINITY, NAN, -1};
    std::copy(values.begin(), values.end(), r.values.begin());
    write(folder / "a", {r, Readings{1, std::vector<float>(r.values.size(), NAN)}});
    const auto file = open(folder / "a");
    const auto got = std::get<Readings>(*file->event(0)).values;
    EXPECT_EQ(got[0], 0);
    EXPECT_EQ(got[1], 0);
    EXPECT_EQ(got[2], 0);
    EXPECT_FLOAT_EQ(got[3], -std::exp2(-21.f));
    EXPECT_FLOAT_EQ(got[4], -32);
    EXPECT_FLOAT_EQ(got[5], -32);
    EXPECT_TRUE(std::isnan(got[6]));
    EXPECT_NEAR(got[7], -1, 0.037);
    EXPECT_TRUE(std::get<Readings>(*file->event(1)).values.empty()) << "nothing was captured";
}

TEST(Recording, ATornFileGivesAllWholeEvents) {
    TempFolder folder;
    const std::vector<Event> events{PromptFed{0, {1, 2}}, TokenMade{.answer = 0, .position = 2, .id = 3, .text = "x"}, PhaseChanged{Phase::ready}};
    write(folder / "a", events);
    const std::string bytes = read_bytes(folder / "a");
    uint32_t head = 0;
    std::memcpy(&head, bytes.data() + 12, 4);
    write_bytes(folder / "torn", bytes);
    size_t least = events.size();
    for (size_t n = bytes.size() + 1; n-- > 0;) {
        fs::resize_file(folder / "torn", n);
        const auto r = Recording::open(folder / "torn");
        if (n < 20 + head) {
            ASSERT_FALSE(r) << n;
            EXPECT_THAT(r.error().message, HasSubstr((folder / "torn").string()));
            continue;
        }
        ASSERT_TRUE(r) << n;
        ASSERT_LE((*r)->size(), least) << "fewer bytes, fewer events";
        least = (*r)->size();
        for (size_t i = 0; i < least; ++i) EXPECT_EQ((*r)->event(i)->index(), events[i].index());
    }
    EXPECT_EQ(least, 0u);
    EXPECT_EQ(open(folder / "a")->damage(), "");
    write_bytes(folder / "torn", bytes.substr(0, bytes.size() - 3));
    EXPECT_THAT(open(folder / "torn")->damage(), HasSubstr("bytes are torn; all 2 whole events are shown"));
}

TEST(Recording, ADamagedRecordIsLeftOut) {
    TempFolder folder;
    write(folder / "a", {PromptFed{0, {1}}, PhaseChanged{Phase::ready}, EventsDropped{9}});
    std::string bytes = read_bytes(folder / "a");
    bytes[bytes.size() - 16] ^= 1;  // the last record has 14 bytes, 8 of them head; this lies in the fields of the one before
    write_bytes(folder / "b", bytes);
    const auto r = open(folder / "b");
    EXPECT_EQ(r->size(), 2u);
    EXPECT_THAT(r->damage(), HasSubstr("1 of its records cannot be read; all 2 whole events are shown"));
}

TEST(Recording, WhatIsNoRecordingIsSaid) {
    TempFolder folder;
    EXPECT_THAT(Recording::open(folder / "none").error().message, HasSubstr("none: No such file or directory"));
    EXPECT_THAT(Recording::open(folder.path()).error().message, HasSubstr("is not a file"));
    for (const char* bytes : {"", "hello, I am a text and quite long", "KLPRUN\r\n\0\0\0\0"}) {
        write_bytes(folder / "x", bytes);
        EXPECT_THAT(Recording::open(folder / "x").error().message, HasSubstr("is not a recorded run (.klprun)"));
    }
    write(folder / "a", {});
    std::string bytes = read_bytes(folder / "a");
    bytes[8] = 2;
    write_bytes(folder / "newer", bytes);
    const std::string message = Recording::open(folder / "newer").error().message;
    EXPECT_EQ(message, (folder / "newer").string() + " was recorded by a newer version of this program (format 2; this one reads up to 1)");
    EXPECT_EQ(Recording::peek(folder / "newer").error().message, message);
}

TEST(Recording, NeverOverwritesAndOneModelOnly) {
    TempFolder folder;
    write(folder / "a", {});
    EXPECT_THAT(RecordingWriter::create(folder / "a", header()).error().message, HasSubstr("a exists already"));
    EXPECT_THAT(RecordingWriter::create(folder / "no/b", header()).error().message, HasSubstr("No such file or directory"));
    auto w = RecordingWriter::create(folder / "b", header());
    EXPECT_TRUE(w->append(Loaded{card()}, 0));
    EXPECT_THAT(w->append(Loaded{scripted_card()}, 0).error().message, HasSubstr("another model was loaded"));
    EXPECT_FALSE(w->append(PhaseChanged{}, 0));
}

TEST(Recording, AFullDiskIsOneSentenceAndTheFileStaysWhole) {
    TempFolder folder;
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    auto w = RecordingWriter::create(folder / "a", header());
    const rlimit small{.rlim_cur = 20'000, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    std::string said;
    int appended = 0;
    for (; said.empty() && appended < 100; ++appended) {
        (void)w->append(scripted_readings(card()->shape, appended), appended);
        if (auto done = w->flush(); !done) said = done.error().message;
    }
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(said, (folder / "a").string() + ": File too large; the recording ends here");
    EXPECT_EQ(w->append(EventsDropped{1}, 0).error().message, said) << "the same again";
    const auto r = open(folder / "a");
    EXPECT_EQ(r->damage(), "");
    EXPECT_EQ(static_cast<int>(r->size()), appended - 1);
}

// Lies behind right checksums: nothing may be believed that the bytes do not hold.
TEST(Recording, LiesNeverCrash) {
    TempFolder folder;
    write(folder / "a", one_of_each());
    const std::string bytes = read_bytes(folder / "a");
    std::mt19937_64 random(1);
    for (int round = 0; round < 3000; ++round) {
        std::string s = bytes;
        for (size_t n = 1 + random() % 4; n > 0; --n) {
            const size_t at = 12 + random() % (s.size() - 12);
            switch (random() % 4) {
                case 0:
                    s[at] = static_cast<char>(random());
                    break;
                case 1:
                    s.erase(at, random() % 20);
                    break;
                case 2:
                    s.insert(at, std::string(1 + random() % 9, '\xff'));
                    break;
                default:
                    s.insert(at, s.substr(12 + random() % (s.size() - 12), random() % 40));
            }
        }
        if (round % 4) {  // checksums and lengths that fit, as far as they can
            for (size_t at = 12; at + 8 < s.size();) {
                uint32_t length = 0;
                std::memcpy(&length, s.data() + at, 4);
                length = static_cast<uint32_t>(std::min<size_t>(length, s.size() - at - 8));
                const uint32_t sum = crc32(std::string_view(s).substr(at + 8, length));
                std::memcpy(s.data() + at, &length, 4), std::memcpy(s.data() + at + 4, &sum, 4);
                at += 8 + length;
            }
        }
        fs::remove(folder / "x");  // cheaper than to write over it
        write_bytes(folder / "x", s);
        auto r = Recording::open(folder / "x");
        if (!r) {
            EXPECT_EQ(r.error().message.find('\n'), std::string::npos);
            EXPECT_THAT(r.error().message, HasSubstr((folder / "x").string()));
            continue;
        }
        for (size_t i = 0; i < (*r)->size(); ++i) {
            const auto e = (*r)->event(i);
            if (!e) continue;
            if (const auto* readings = std::get_if<Readings>(&*e)) {
                EXPECT_TRUE(readings->values.empty() || static_cast<int64_t>(readings->values.size()) == (*r)->header().card->shape.size());
            }
            if (const auto* picture = std::get_if<StatePicture>(&*e)) {
                EXPECT_EQ(picture->values.size(), static_cast<size_t>(picture->rows * picture->columns));
            }
        }
        ReplayRun replay(*r, [] { return 0; });
        replay.seek(replay.tokens());
        for (replay.drain(); replay.seeking();) replay.drain();
        replay.seek(0);
        replay.drain();
    }
}

// --- Playing ----------------------------------------------------------------------------------------------------------

// What a screen knows, added up from events.
struct Screen {
    std::vector<int32_t> ids;
    std::map<int64_t, float> readings;  // one value of each, by position
    std::string answer;
    std::string question;
    std::optional<int64_t> picture;
    Phase phase{};
    int loaded = 0, troubles = 0;
    bool done = false;

    void take(const std::vector<Event>& events) {
        for (const Event& e : events) {
            if (std::get_if<Loaded>(&e)) {
                ids.clear(), readings.clear(), answer.clear(), question.clear(), picture.reset(), done = false;
                ++loaded;
            }
            if (std::get_if<Trouble>(&e)) ++troubles;
            if (const auto* fed = std::get_if<PromptFed>(&e)) {
                ASSERT_LE(fed->first, static_cast<int64_t>(ids.size()));
                ids.resize(static_cast<size_t>(fed->first));
                ids.insert(ids.end(), fed->ids.begin(), fed->ids.end());
                readings.erase(readings.lower_bound(fed->first), readings.end());
            }
            if (const auto* made = std::get_if<TokenMade>(&e)) {
                ASSERT_EQ(made->position, static_cast<int64_t>(ids.size()));
                ids.push_back(made->id);
                answer += made->text;
            }
            if (const auto* r = std::get_if<Readings>(&e)) {
                ASSERT_LT(r->position, static_cast<int64_t>(ids.size()));
                readings[r->position] = r->values[0];
            }
            if (const auto* begun = std::get_if<AnswerBegun>(&e)) answer.clear(), question = begun->line.back().text, done = false;
            if (const auto* p = std::get_if<StatePicture>(&e)) picture = p->position;
            if (const auto* p = std::get_if<PhaseChanged>(&e)) phase = p->phase;
            if (std::get_if<AnswerDone>(&e)) done = true;
        }
    }
    bool operator==(const Screen& o) const {
        return ids == o.ids && readings == o.readings && answer == o.answer && question == o.question && picture == o.picture && done == o.done;
    }
};

// Three answers; the third is the second one again, so the sequence goes back. Ten tokens each, one millisecond between events.
std::vector<Event> three_answers() {
    const auto c = card();
    std::vector<Event> all;
    int64_t length = 0;
    const auto answer = [&](int number, int64_t first, const std::string& question) {
        all.push_back(AnswerBegun{number, {{"user", question}}, {}});
        all.push_back(PhaseChanged{Phase::prefill, 0, 4});
        all.push_back(PromptFed{first, {1, 2, 3, number}});
        for (int64_t i = 0; i < 4; ++i) all.push_back(scripted_readings(c->shape, first + i));
        all.push_back(PhaseChanged{Phase::decoding});
        length = first + 4;
        for (int i = 0; i < 10; ++i) {
            all.push_back(TokenMade{.answer = number, .position = length, .id = 10 * number + i, .text = std::to_string(i)});
            all.push_back(scripted_readings(c->shape, length++));
            if (i % 4 == 3) {
                StatePicture picture{c->shape.layers(Site::beta)[0], 0, length, c->shape.value_dim, c->shape.key_dim, {}};
                picture.values.resize(static_cast<size_t>(picture.rows * picture.columns));
                all.push_back(picture);
            }
        }
        all.push_back(PromptFed{length, {263}});
        all.push_back(scripted_readings(c->shape, length++));
        all.push_back(AnswerDone{.answer = number, .tokens = 10});
        all.push_back(PhaseChanged{Phase::ready});
    };
    answer(1, 0, "one");
    answer(2, length, "two");
    answer(3, 15, "two again");
    return all;
}

class Replay : public ::testing::Test {
protected:
    Replay() {
        write(folder_ / "a", three_answers());
        recording_ = open(folder_ / "a");
    }
    std::unique_ptr<ReplayRun> replay() {
        return std::make_unique<ReplayRun>(recording_, [this] { return now_; });
    }
    static Screen all_of(ReplayRun& run) {
        Screen screen;
        screen.take(run.drain());
        while (run.seeking()) screen.take(run.drain());
        return screen;
    }
    TempFolder folder_;
    std::shared_ptr<const Recording> recording_;
    int64_t now_ = 5;
};

TEST_F(Replay, BeginsLoadedAndWaits) {
    const auto run = replay();
    Screen screen = all_of(*run);
    EXPECT_EQ(screen.loaded, 1);
    EXPECT_EQ(screen.troubles, 0);
    EXPECT_FALSE(screen.question.empty()) << "the first question is there, and what was fed of it";
    EXPECT_TRUE(screen.answer.empty());
    EXPECT_FALSE(screen.done);
    EXPECT_EQ(screen.phase, Phase::ready);
    now_ += 10'000 * kMillisecond;
    EXPECT_TRUE(run->drain().empty());
    EXPECT_EQ(run->tokens(), 30);
    EXPECT_EQ(run->token(), 0);
}

TEST_F(Replay, PlaysAtItsPace) {
    for (const double speed : {0.25, 1.0, 16.0}) {
        const auto run = replay();
        Screen screen = all_of(*run);
        run->set_speed(speed);
        run->play();
        // Tokens were a millisecond or two apart; at speed 1 they come a thirtieth of a second apart.
        const auto wait = [&](double shown) {
            for (int i = 0; i < 100; ++i) now_ += static_cast<int64_t>(shown / speed / 100), screen.take(run->drain());
        };
        wait(1e9 / 30 * 5.5);
        EXPECT_EQ(run->token(), 5) << speed;
        EXPECT_EQ(screen.answer, "01234");
        EXPECT_EQ(screen.phase, Phase::decoding);
        wait(1e9 / 30 * 2);
        EXPECT_EQ(run->token(), 7);
        wait(1e9 / 30 * 120);
        EXPECT_FALSE(run->playing());
        EXPECT_EQ(run->token(), 30);
        EXPECT_EQ(screen.phase, Phase::ready);
        EXPECT_EQ(screen.question, "two again");
        EXPECT_EQ(screen.ids.size(), 30u);
        EXPECT_TRUE(screen.done);
        EXPECT_NEAR(static_cast<double>(run->duration()), 30 * 1e9 / 30 + 2 * 0.7e9, 0.1e9) << "tokens, and two moments to read";
    }
    const auto run = replay();
    run->set_speed(1000);
    EXPECT_EQ(run->speed(), 16);
    run->set_speed(0);
    EXPECT_EQ(run->speed(), ReplayRun::kSlowest);
}

TEST_F(Replay, LongWaitsAreCutAndALongSleepIsNotCaughtUp) {
    write(folder_ / "slow", {PhaseChanged{Phase::decoding}, TokenMade{.position = 0, .id = 1}, TokenMade{.position = 1, .id = 2}},
          int64_t{3600} * 1'000'000'000);
    ReplayRun run(open(folder_ / "slow"), [this] { return now_; });
    EXPECT_EQ(run.duration(), 2'000'000'000);
    run.drain();
    run.play();
    now_ += int64_t{1'000'000} * 1'000'000'000;  // the lid was closed
    run.drain();
    EXPECT_EQ(run.nanoseconds(), 1'000'000'000);
    EXPECT_EQ(run.token(), 1);
}

TEST_F(Replay, PauseAndStep) {
    const auto run = replay();
    Screen screen = all_of(*run);
    run->play();
    run->step(3);
    EXPECT_FALSE(run->playing());
    screen.take(run->drain());
    EXPECT_EQ(screen.answer, "012");
    EXPECT_EQ(screen.phase, Phase::ready);
    run->step(1), screen.take(run->drain());
    EXPECT_EQ(screen.answer, "0123");
    EXPECT_EQ(screen.picture, 8);
    run->step(-2), screen.take(run->drain());
    EXPECT_EQ(screen.answer, "01");
    run->step(-100), screen.take(run->drain());
    EXPECT_EQ(run->token(), 0);
    run->step(100), screen.take(run->drain());
    EXPECT_EQ(run->token(), 30);
    run->play();  // again from the beginning
    screen.take(run->drain());
    EXPECT_EQ(run->token(), 0);
    EXPECT_TRUE(run->playing());
}

TEST_F(Replay, SeekingIsAsPlaying) {
    std::vector<Screen> played;  // after n tokens, from the start
    for (int64_t n = 0; n <= 30; ++n) {
        const auto run = replay();
        run->seek(n);
        played.push_back(all_of(*run));
    }
    // Played with the clock, the screens are the same just before the next token.
    {
        const auto run = replay();
        Screen screen = all_of(*run);
        run->play();
        int64_t seen = 0;
        for (Screen before = screen; run->playing(); before = screen) {
            now_ += kMillisecond / 2;
            screen.take(run->drain());
            if (run->token() == seen + 1 && before.question == played[static_cast<size_t>(seen)].question) {
                EXPECT_EQ(before.ids, played[static_cast<size_t>(seen)].ids);
                EXPECT_EQ(before.readings, played[static_cast<size_t>(seen)].readings);
                EXPECT_EQ(before.picture, played[static_cast<size_t>(seen)].picture);
            }
            seen = run->token();
        }
        EXPECT_TRUE(screen == played[30]);
    }
    // From anywhere to anywhere.
    std::mt19937 random(3);
    const auto run = replay();
    Screen screen = all_of(*run);
    for (int i = 0; i < 500; ++i) {
        const auto n = static_cast<int64_t>(random() % 31);
        run->seek(n);
        do screen.take(run->drain());
        while (run->seeking());
        ASSERT_EQ(run->token(), n);
        ASSERT_EQ(screen.ids, played[static_cast<size_t>(n)].ids) << n;
        ASSERT_EQ(screen.readings, played[static_cast<size_t>(n)].readings) << n;
        ASSERT_EQ(screen.answer, played[static_cast<size_t>(n)].answer) << n;
        ASSERT_EQ(screen.question, played[static_cast<size_t>(n)].question) << n;
        ASSERT_EQ(screen.done, played[static_cast<size_t>(n)].done) << n;
        if (played[static_cast<size_t>(n)].picture) {
            ASSERT_EQ(screen.picture, played[static_cast<size_t>(n)].picture) << n;
        }
    }
}

TEST_F(Replay, GoingBackCostsOneAnswer) {
    const auto run = replay();
    run->seek(18);
    all_of(*run);
    run->seek(15);
    const auto events = run->drain();
    EXPECT_LT(events.size(), 40u) << "the second answer, and nothing of the first";
    EXPECT_TRUE(std::get_if<PromptFed>(&events[0]));
}

TEST(Recording, APictureOfAttentionThatEndsWithItsWeightsIsRead) {
    TempFolder folder;
    AttentionPicture picture = std::get<AttentionPicture>(one_of_each()[15]);
    write(folder / "a", {picture});
    std::string bytes = read_bytes(folder / "a");
    size_t at = 12, length = 0;  // of the last record
    for (size_t next = at; next < bytes.size(); next += 8 + length) std::memcpy(&length, &bytes[at = next], 4);
    length -= 1 + 2 * picture.decay_only.size() + sizeof picture.before;
    bytes.resize(at + 8 + length);
    const uint32_t sum = crc32(std::string_view(bytes).substr(at + 8));
    std::memcpy(&bytes[at], &length, 4), std::memcpy(&bytes[at + 4], &sum, 4);
    write_bytes(folder / "old", bytes);
    const auto r = open(folder / "old");
    EXPECT_EQ(r->damage(), "");
    const auto e = r->event(r->size() - 1);
    ASSERT_TRUE(e);
    EXPECT_EQ(std::get<AttentionPicture>(*e).weights, picture.weights);
    EXPECT_TRUE(std::get<AttentionPicture>(*e).decay_only.empty());
}

TEST(Recording, APointOfARaceWithoutItsSpreadIsRead) {
    TempFolder folder;
    write(folder / "a", {one_of_each()[13]});
    std::string bytes = read_bytes(folder / "a");
    size_t at = 12, length = 0;  // of the last record
    for (size_t next = at; next < bytes.size(); next += 8 + length) std::memcpy(&length, &bytes[at = next], 4);
    length -= 4 * sizeof(double);
    bytes.resize(at + 8 + length);
    const uint32_t sum = crc32(std::string_view(bytes).substr(at + 8));
    std::memcpy(&bytes[at], &length, 4), std::memcpy(&bytes[at + 4], &sum, 4);
    write_bytes(folder / "old", bytes);
    const auto r = open(folder / "old");
    EXPECT_EQ(r->damage(), "");
    const auto e = r->event(r->size() - 1);
    ASSERT_TRUE(e);
    const RacePoint& p = std::get<RacePoint>(*e);
    EXPECT_EQ(p.twin_ns, 2.5);
    EXPECT_FALSE(p.hybrid_spread.known() || p.twin_spread.known());
}

TEST_F(Replay, ALensThatOpensGetsTheNewestPicture) {
    const auto run = replay();
    run->seek(20);
    Screen screen = all_of(*run);
    const auto newest = screen.picture;
    ASSERT_TRUE(newest);
    screen.picture.reset();
    Interest interest;
    const int layer = card()->shape.layers(Site::beta)[0];
    interest.state = {{layer, 0}};
    run->watch(interest);
    screen.take(run->drain());
    EXPECT_EQ(screen.picture, newest);
    run->watch(interest);
    EXPECT_TRUE(run->drain().empty()) << "once";
    interest.state = {{layer, 1}};
    run->watch(interest);
    EXPECT_TRUE(run->drain().empty()) << "of this head there is none";
}

TEST_F(Replay, LoopsWhenAsked) {
    const auto run = replay();
    all_of(*run);
    run->set_loop(true);
    run->set_speed(16);
    run->play();
    int rounds = 0;
    for (int64_t before = 0; rounds < 3; before = run->token()) {
        now_ += 10 * kMillisecond;
        run->drain();
        if (run->token() < before) ++rounds;
    }
    EXPECT_TRUE(run->playing());
}

TEST_F(Replay, WhatOnlyAModelCanDoIsRefusedWithAdvice) {
    const auto run = replay();
    run->drain();
    for (const Command& c : std::vector<Command>{MakeAnswer{.answer = 9}, GoTo{}, LoadModel{}, ProbeAttention{}, StartRace{}, ProbeReadable{},
                                                 ProbeLife{.token = 3}, ProbeReaders{.token = 3}, ProbeLeft{.position = 3}, ProbeRules{.position = 3}}) {
        run->post(c);
        const auto events = run->drain();
        ASSERT_EQ(events.size(), 1u);
        const auto& trouble = std::get<Trouble>(events[0]);
        EXPECT_THAT(trouble.error.message, HasSubstr("this is a recording"));
        EXPECT_NE(trouble.advice, "");
        EXPECT_EQ(trouble.answer, std::holds_alternative<MakeAnswer>(c) ? 9 : -1);
    }
}

TEST_F(Replay, WhatWasCapturedCanBeAskedForAgain) {
    const auto events = one_of_each();
    write(folder_ / "each", events);
    ReplayRun run(open(folder_ / "each"), [] { return 0; });
    const auto races = [](const std::vector<Event>& all) {
        return std::count_if(all.begin(), all.end(),
                             [](const Event& e) { return std::holds_alternative<RacePoint>(e) || std::holds_alternative<RaceDone>(e); });
    };
    EXPECT_EQ(races(run.drain()), 2) << "a race is there from the beginning";
    run.seek(run.tokens());
    while (run.seeking()) EXPECT_EQ(races(run.drain()), 0) << "and comes once";
    run.drain();
    const auto& picture = std::get<AttentionPicture>(events[15]);
    run.post(ProbeAttention{picture.layer, picture.head, picture.position});
    EXPECT_EQ(std::get<AttentionPicture>(run.drain()[0]).weights, picture.weights);
    run.post(ProbeReadable{.layer = picture.layer, .head = 1, .position = 9, .token = 8, .cut = true});
    EXPECT_EQ(std::get<ReadablePicture>(run.drain()[0]).measured.size(), 3u);
    run.post(ProbeReadable{.layer = picture.layer, .head = 1, .position = 9, .token = 8});
    EXPECT_THAT(std::get<Trouble>(run.drain()[0]).error.message, HasSubstr("was not captured")) << "that one was measured";
    run.post(ProbeLife{.token = 4});
    EXPECT_EQ(std::get<LifePicture>(run.drain()[0]).heads.size(), 2u);
    run.post(ProbeReaders{.token = 4});
    EXPECT_EQ(std::get<ReadersPicture>(run.drain()[0]).position, 9);
    run.post(ProbeReaders{.token = 4, .position = 8});
    EXPECT_THAT(std::get<Trouble>(run.drain()[0]).error.message, HasSubstr("was not captured"));
    run.post(ProbeLeft{picture.layer, 1, 12});
    EXPECT_EQ(std::get<LeftPicture>(run.drain()[0]).left, (std::vector<float>{0.5f, -0.25f, 1}));
    run.post(ProbeRules{picture.layer, 1, 12});
    EXPECT_EQ(std::get<RulesPicture>(run.drain()[0]).position, 9);
    run.post(ProbeRules{picture.layer, 0, 12});
    EXPECT_THAT(std::get<Trouble>(run.drain()[0]).error.message, HasSubstr("was not captured")) << "that is another head";
    run.post(StartRace{});
    const auto race = run.drain();
    EXPECT_EQ(std::get<RacePoint>(race[0]).context, 4096);
    EXPECT_EQ(std::get<RaceDone>(race[1]).twin, TwinKind::trained);
}

TEST_F(Replay, ATornRecordingSaysSoFirst) {
    const std::string bytes = read_bytes(folder_ / "a");
    write_bytes(folder_ / "torn", bytes.substr(0, bytes.size() / 2));
    ReplayRun run(open(folder_ / "torn"), [] { return 0; });
    EXPECT_EQ(all_of(run).troubles, 1);
    run.seek(run.tokens());
    std::vector<Trouble> ends;
    while (run.seeking() || ends.empty())
        for (const Event& e : run.drain())
            if (const auto* trouble = std::get_if<Trouble>(&e)) ends.push_back(*trouble);
    ASSERT_EQ(ends.size(), 1u) << "the answer that it was torn in ends";
    EXPECT_EQ(ends[0].error.kind, Error::interrupted);
    EXPECT_EQ(ends[0].answer, 2);
}

TEST(ReplayOfARollingCache, GoingBackTellsWhatItHeldThen) {
    TempFolder folder;
    const auto c = card();
    std::vector<Event> events{Loaded{c}};
    int64_t position = 0;
    for (int answer = 1; answer <= 3; ++answer) {
        for (Event& e : scripted_answer(*c, answer, position, 10)) {
            if (const auto* made = std::get_if<TokenMade>(&e)) position = made->position + 1;
            if (std::holds_alternative<AnswerDone>(e) && answer > 1) events.push_back(CacheRolled{256 * answer});
            events.push_back(std::move(e));
        }
    }
    write(folder / "a", events);
    ReplayRun run(open(folder / "a"));
    const auto dropped = [&] {
        int64_t last = -1;
        while (run.seeking())
            for (const Event& e : run.drain())
                if (const auto* rolled = std::get_if<CacheRolled>(&e)) last = rolled->dropped;
        for (const Event& e : run.drain())
            if (const auto* rolled = std::get_if<CacheRolled>(&e)) last = rolled->dropped;
        return last;
    };
    run.seek(run.tokens());
    EXPECT_EQ(dropped(), 768);
    run.seek(22);
    EXPECT_EQ(dropped(), 512);
    run.seek(5);
    EXPECT_EQ(dropped(), 0);
}

}  // namespace
}  // namespace klp

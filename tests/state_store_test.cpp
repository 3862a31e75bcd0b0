// States on disk: what comes back is what was kept, on any device; what is torn, damaged, foreign or old is said and replayed; budgets and full disks.
#include "core/model/state_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <random>

#include "core/model/checkpoint.h"
#include "core/model/generate.h"
#include "core/model/snapshot_pool.h"
#include "tests/checkpoints.h"
#include "tests/devices.h"

namespace klp {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;
using testing::HasSubstr;

class States : public testing::Test {
protected:
    void SetUp() override {
        write_tiny_spec(folder / "model");
        model = open("cpu");
        ws.emplace(model->backend());
        store = made();
        std::mt19937 random(1);
        for (int i = 0; i < 300; ++i) ids.push_back(static_cast<int32_t>(random() % 32));
    }
    std::shared_ptr<const Model> open(const std::string& device, const std::string& name = "model") {
        auto checkpoint = open_checkpoint(folder / name);
        EXPECT_TRUE(checkpoint) << (checkpoint ? "" : checkpoint.error().message);
        auto on = device == "simulated_gpu" ? cuda_on_cpu::make_backend(0, "") : *make_backend(device, 1);
        auto loaded = Model::load(on, checkpoint->config, checkpoint->source);
        EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
        return *loaded;
    }
    std::unique_ptr<StateStore> made() {
        auto s = StateStore::open(folder / "states");
        EXPECT_TRUE(s) << (s ? "" : s.error().message);
        return std::move(*s);
    }
    std::span<const int32_t> first(size_t n) const { return std::span(ids).first(n); }
    Sequence fed(size_t n) {
        Sequence sequence(model);
        EXPECT_TRUE(sequence.feed(first(n), *ws));
        return sequence;
    }
    void keep(const Sequence& sequence, const std::string& owner) {
        store->keep(sequence.snapshot(), sequence.model(), owner);
        store->wait();
    }
    std::vector<fs::path> files() const {
        std::vector<fs::path> all;
        for (const auto& entry : fs::directory_iterator(folder / "states"))
            if (entry.path().extension() == ".klpstate") all.push_back(entry.path());
        std::sort(all.begin(), all.end());
        return all;
    }
    TempFolder folder;
    std::shared_ptr<const Model> model;
    std::optional<Workspace> ws;
    std::unique_ptr<StateStore> store;
    Ids ids;
};

TEST_F(States, ATalkOpensWhereItStood) {
    const Sequence kept = fed(270);  // more than a page
    keep(kept, "a chat");
    store = made();  // another program
    Sequence sequence(model);
    SnapshotPool pool(int64_t{1} << 30);
    pool.look_in(store.get());
    const SnapshotPool::Move cost = pool.cost(sequence, first(280));
    EXPECT_TRUE(cost.from_file);
    EXPECT_EQ(cost.replayed, 10);
    auto move = pool.go(sequence, first(280), *ws);
    ASSERT_TRUE(move) << move.error().message;
    EXPECT_TRUE(move->from_file);
    EXPECT_EQ(move->replayed, 10);
    EXPECT_EQ(move->restored_bytes, static_cast<int64_t>(fs::file_size(files()[0])));
    EXPECT_EQ(move->note, "");
    move = pool.go(sequence, first(270), *ws);
    ASSERT_TRUE(move);
    EXPECT_FALSE(move->from_file) << "it is in memory now";
    EXPECT_EQ(sequence.tokens(), kept.tokens());
    EXPECT_EQ(sequence.state(0, "S"), kept.state(0, "S")) << "to the last bit";
    EXPECT_EQ(sequence.state(1, "conv"), kept.state(1, "conv"));
    EXPECT_EQ(sequence.cache(3, 0, 270), kept.cache(3, 0, 270));
    Sequence twin = kept.fork();
    ASSERT_TRUE(sequence.feed(std::span(ids).subspan(270), *ws));
    const std::vector<float> logits = ws->logits;
    ASSERT_TRUE(twin.feed(std::span(ids).subspan(270), *ws));
    EXPECT_EQ(ws->logits, logits);
}

TEST_F(States, ADeviceReadsWhatAnotherWrote) {
    for (const auto& [from, to] : {std::pair("cpu", "simulated_gpu"), {"simulated_gpu", "cpu"}, {"simulated_gpu", "simulated_gpu"}}) {
        model = open(from);
        ws.emplace(model->backend());
        const Sequence kept = fed(40);
        keep(kept, "a chat");
        const auto other = open(to);
        Sequence sequence(other);
        const auto found = store->nearest(sequence, first(50));
        ASSERT_TRUE(found) << from << " to " << to;
        EXPECT_EQ(found->tokens, 40);
        auto frozen = store->read(*found, sequence, first(50));
        ASSERT_TRUE(frozen) << frozen.error().message;
        sequence.restore(**frozen);
        EXPECT_EQ(sequence.state(0, "S"), kept.state(0, "S"));
        EXPECT_EQ(sequence.cache(3, 0, 40), kept.cache(3, 0, 40));
        for (const auto& f : files()) fs::remove(f);
    }
}

TEST_F(States, WhatRolledComesBackRolled) {
    Sequence sequence(model, 64);
    ASSERT_TRUE(sequence.set_rolling(true));
    ASSERT_TRUE(sequence.feed(first(200), *ws));
    keep(sequence, "a chat");
    Sequence again(model, 64), wider(model, 128);
    const auto found = store->nearest(again, ids);
    ASSERT_TRUE(found);
    EXPECT_FALSE(store->nearest(wider, ids)) << "one with more context has dropped less by then";
    auto frozen = store->read(*found, again, ids);
    ASSERT_TRUE(frozen) << frozen.error().message;
    again.restore(**frozen);
    EXPECT_EQ(again.dropped(), sequence.dropped());
    EXPECT_EQ(again.cache(3, 0, again.rows()), sequence.cache(3, 0, sequence.rows()));
}

TEST_F(States, ATouchedMemoryIsFoundUnderTheSameHandsOnly) {
    using What = Intervention::What;
    const auto hands = [](float amount, int64_t hidden) {
        return std::make_shared<const Interventions>(
            Interventions{{.what = What::gates, .layers = {0}, .from = 20, .amount = amount}, {.what = What::hide, .from = 100, .tokens = {5, 5 + hidden}}});
    };
    Sequence kept(model);
    ASSERT_TRUE(kept.touch(hands(2, 30)));
    ASSERT_TRUE(kept.feed(first(200), *ws));
    keep(kept, "a chat");
    store = made();
    Sequence again(model), untouched(model), stronger(model), other_rows(model);
    ASSERT_TRUE(again.touch(hands(2, 30)));
    ASSERT_TRUE(stronger.touch(hands(3, 30)));
    ASSERT_TRUE(other_rows.touch(hands(2, 31)));
    for (const Sequence* wrong : {&untouched, &stronger, &other_rows}) EXPECT_FALSE(store->nearest(*wrong, ids));
    const auto found = store->nearest(again, ids);
    ASSERT_TRUE(found);
    auto frozen = store->read(*found, again, ids);
    ASSERT_TRUE(frozen) << frozen.error().message;
    again.restore(**frozen);
    EXPECT_EQ(again.hidden(), kept.hidden());
    EXPECT_EQ(again.rows(), 170);
    EXPECT_EQ(again.state(0, "S"), kept.state(0, "S"));
    ASSERT_TRUE(again.feed(std::span(ids).subspan(200), *ws));
    const std::vector<float> logits = ws->logits;
    ASSERT_TRUE(kept.feed(std::span(ids).subspan(200), *ws));
    EXPECT_EQ(ws->logits, logits) << "to the last bit";

    // Hands that have not done anything yet make no difference.
    Sequence later(model), before(model);
    ASSERT_TRUE(later.touch(std::make_shared<const Interventions>(Interventions{{.what = What::beta, .from = 150, .amount = 0}})));
    ASSERT_TRUE(before.feed(first(150), *ws));
    keep(before, "another");
    EXPECT_EQ(store->nearest(later, ids)->tokens, 150);
}

TEST_F(States, FindsTheLongestBeginningOfTheSameModel) {
    keep(fed(100), "one");
    keep(fed(200), "two");
    Ids other = ids;
    other[150] ^= 1;
    const Sequence like(model);
    EXPECT_EQ(store->nearest(like, ids)->tokens, 200);
    EXPECT_EQ(store->nearest(like, first(199))->tokens, 100);
    EXPECT_EQ(store->nearest(like, other)->tokens, 100);
    EXPECT_FALSE(store->nearest(like, first(99)));
    other[0] ^= 1;
    EXPECT_FALSE(store->nearest(like, other));

    // The same shape with other weights is another model, and one changed number in a matrix makes it so.
    fs::copy(folder / "model", folder / "tuned");
    std::string bytes = read_bytes(folder / "tuned" / "model.safetensors");
    for (size_t at = bytes.size() / 2; at < bytes.size(); at += 8) bytes[at] = static_cast<char>(bytes[at] ^ 1);
    write_bytes(folder / "tuned" / "model.safetensors", bytes);
    const auto tuned = open("cpu", "tuned");
    EXPECT_NE(tuned->identity(), model->identity());
    EXPECT_FALSE(store->nearest(Sequence(tuned), ids));
    EXPECT_EQ(open("naive")->identity(), model->identity()) << "the device does not matter";

    const auto drawn = Model::load(*make_backend("cpu", 1), shape("tiny-spec"), synthetic_weights(shape("tiny-spec"), DType::f32, 1));
    ASSERT_TRUE(drawn);
    EXPECT_EQ((*drawn)->identity(), 0u) << "no file says what its weights are";
    EXPECT_EQ((*model->attention_twin())->identity(), 0u);
}

TEST_F(States, OfEachOwnerOneIsKept) {
    keep(fed(100), "one");
    keep(fed(120), "two");
    keep(fed(140), "one");
    EXPECT_EQ(files().size(), 2u);
    EXPECT_EQ(store->nearest(Sequence(model), first(130))->tokens, 120);
    keep(fed(140), "one");
    EXPECT_EQ(files().size(), 2u);
    const auto kept = store->kept();
    EXPECT_EQ(kept.count, 2);
    int64_t bytes = 0;
    for (const auto& f : files()) bytes += static_cast<int64_t>(fs::file_size(f));
    EXPECT_EQ(kept.bytes, bytes);
    EXPECT_EQ(kept.budget, kStateBudget);
    EXPECT_GT(kept.written, 0);
}

// Every place where a file may end or be wrong: the talk is replayed to the same memory, and a sentence says why.
TEST_F(States, WhatIsTornOrDamagedIsSaidAndReplayed) {
    const Sequence truth = fed(270);
    keep(truth, "a chat");
    const fs::path file = files()[0];
    const std::string whole = read_bytes(file);
    const int64_t ids_end = 40 + 270 * 4;
    std::vector<std::pair<std::string, std::string>> cases;  // bytes, what the sentence says
    for (int64_t n : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{8}, int64_t{11}, int64_t{15}, int64_t{23}, int64_t{31}, int64_t{39}, int64_t{40}, int64_t{41},
                      ids_end - 1, ids_end, ids_end + 1, ids_end + 512, static_cast<int64_t>(whole.size()) / 2, static_cast<int64_t>(whole.size()) - 5,
                      static_cast<int64_t>(whole.size()) - 4, static_cast<int64_t>(whole.size()) - 1})
        cases.emplace_back(whole.substr(0, static_cast<size_t>(n)), "is torn");
    cases.emplace_back(whole + "x", "is torn");
    const auto flipped = [&](size_t at, int bit) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
        return bytes;
    };
    cases.emplace_back(flipped(0, 0), "is no state of a model");
    cases.emplace_back(flipped(8, 0), "older version");
    cases.emplace_back(flipped(12, 5), "is torn");  // more rows would be hidden, and the file longer
    cases.emplace_back(flipped(15, 7), "is damaged: it hides more tokens than it has");
    cases.emplace_back(flipped(16, 3), "is of another model");
    cases.emplace_back(flipped(24, 0), "is of another talk");
    cases.emplace_back(flipped(32, 0), "is of another talk");
    std::mt19937 random(3);
    for (const size_t at : {size_t{40}, static_cast<size_t>(ids_end), whole.size() / 2, whole.size() - 4, whole.size() - 1})
        cases.emplace_back(flipped(at, 5), "checksum");
    for (int i = 0; i < 200; ++i)
        cases.emplace_back(flipped(static_cast<size_t>(40 + random() % (whole.size() - 40)), static_cast<int>(random() % 8)), "checksum");
    for (const auto& [bytes, says] : cases) {
        write_bytes(file, bytes);
        Sequence sequence(model);
        SnapshotPool pool(0);
        pool.look_in(store.get());
        auto move = pool.go(sequence, first(270), *ws);
        ASSERT_TRUE(move) << move.error().message;
        EXPECT_THAT(move->note, HasSubstr(says)) << bytes.size() << " of " << whole.size() << " bytes";
        EXPECT_THAT(move->note, HasSubstr(file.filename().string()));
        EXPECT_EQ(std::count(move->note.begin(), move->note.end(), '\n'), 0);
        EXPECT_FALSE(move->from_file);
        EXPECT_EQ(move->replayed, 270);
        EXPECT_EQ(sequence.state(0, "S"), truth.state(0, "S"));
        EXPECT_FALSE(fs::exists(file)) << "it is of no use to anybody";
    }
    // A newer program's is left to it.
    write_bytes(file, flipped(9, 0));
    Sequence sequence(model);
    SnapshotPool pool(0);
    pool.look_in(store.get());
    auto move = pool.go(sequence, first(270), *ws);
    ASSERT_TRUE(move);
    EXPECT_THAT(move->note, HasSubstr("newer version"));
    EXPECT_TRUE(fs::exists(file));
    // Names that are none are passed over.
    fs::remove(file);
    for (const char* name : {"x.klpstate", "-.klpstate", "1-2-3-4.klpstate", "ffffffffffffffffff-1-0-1-1.klpstate", "1--5-0-1-1.klpstate"})
        write_bytes(folder / "states" / name, "nothing");
    EXPECT_FALSE(store->nearest(sequence, ids));
    fs::create_directory(folder / "states" / "a folder.klpstate");
    EXPECT_FALSE(store->nearest(sequence, ids));
}

TEST_F(States, TheLeastRecentlyUsedMakeRoom) {
    const auto age = [&](int hours) {  // of the file that was written last
        for (const auto& f : files())
            if (fs::file_time_type::clock::now() - fs::last_write_time(f) < std::chrono::minutes(10))
                fs::last_write_time(f, fs::file_time_type::clock::now() - std::chrono::hours(hours));
    };
    keep(fed(100), "one"), age(3);
    keep(fed(110), "two"), age(2);
    keep(fed(120), "three"), age(1);
    const Sequence like(model);
    ASSERT_TRUE(store->read(*store->nearest(like, first(100)), like, first(100)));  // used
    const auto all = store->kept().bytes;
    ASSERT_TRUE(store->set_budget(all + 3000));
    EXPECT_EQ(made()->budget(), all + 3000) << "for every program";
    keep(fed(130), "four");
    EXPECT_TRUE(store->nearest(like, first(100)));
    EXPECT_FALSE(store->nearest(like, first(119)) && store->nearest(like, first(119))->tokens == 110) << "the oldest went";
    EXPECT_EQ(store->nearest(like, first(129))->tokens, 120);
    EXPECT_LE(store->kept().bytes, all + 3000);

    ASSERT_TRUE(store->set_budget(1000));
    EXPECT_EQ(store->kept().bytes, 0);
    keep(fed(130), "four");
    EXPECT_EQ(files().size(), 0u);
    EXPECT_THAT(store->kept().trouble, HasSubstr("may have"));
    EXPECT_EQ(store->kept().trouble, "") << "said once";
    ASSERT_TRUE(store->set_budget(0));
    keep(fed(130), "four");
    EXPECT_EQ(store->kept().trouble, "") << "nobody wants any";
}

TEST_F(States, AFullDiskIsSaidAndLosesNothing) {
    keep(fed(100), "one");
    const std::string before = read_bytes(files()[0]);
    // As on a full disk, a write ends early.
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1000, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    keep(fed(120), "one");
    setrlimit(RLIMIT_FSIZE, &old);
    EXPECT_THAT(store->kept().trouble, HasSubstr("is not kept"));
    ASSERT_EQ(files().size(), 1u);
    EXPECT_EQ(read_bytes(files()[0]), before);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder / "states"), {}), 1) << "no half file stays";
    keep(fed(120), "one");
    EXPECT_EQ(store->nearest(Sequence(model), first(130))->tokens, 120) << "with room again it goes on";

    write_bytes(folder / "file", "");
    const auto none = StateStore::open(folder / "file" / "states");
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error().message, HasSubstr("file"));
}

TEST_F(States, TheTalkGoesOnWhileItIsWritten) {
    Sequence sequence = fed(10);
    for (size_t n = 10; n < 290; n += 10) {
        store->keep(sequence.snapshot(), *model, "a chat");
        ASSERT_TRUE(sequence.feed(std::span(ids).subspan(n, 10), *ws));
    }
    store->keep(sequence.snapshot(), *model, "a chat");
    store->wait();
    ASSERT_EQ(files().size(), 1u);
    Sequence again(model);
    auto frozen = store->read(*store->nearest(again, ids), again, ids);
    ASSERT_TRUE(frozen) << frozen.error().message;
    EXPECT_EQ((*frozen)->position(), 290);
    again.restore(**frozen);
    EXPECT_EQ(again.cache(3, 0, 290), sequence.cache(3, 0, 290));
}

}  // namespace
}  // namespace klp

// A conversation's tree: wherever one goes, the memory is that of the words on the way there, and nothing that was said is lost.
#include "core/runs/conversation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/model/checkpoint.h"
#include "core/model/snapshot_pool.h"
#include "tests/talker.h"

namespace klp {
namespace {

class TalkTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() { talker_ = new Talker; }
    static void TearDownTestSuite() { delete talker_; }

    void SetUp() override {
        ASSERT_EQ(talker_->error, "");
        auto checkpoint = open_checkpoint(talker_->folder());
        ASSERT_TRUE(checkpoint) << checkpoint.error().message;
        auto backend = make_backend("cpu", 1);
        ASSERT_TRUE(backend) << backend.error().message;
        auto model = Model::load(*backend, checkpoint->config, checkpoint->source);
        ASSERT_TRUE(model) << model.error().message;
        model_ = *model;
        tokenizer_ = checkpoint->tokenizer;
        ws_ = std::make_unique<Workspace>(**backend);
    }

    Conversation begin(int64_t context = 0, int64_t budget = int64_t{1} << 30) {
        auto talk = Conversation::begin(model_, tokenizer_, context, budget);
        EXPECT_TRUE(talk) << (talk ? "" : talk.error().message);
        return std::move(*talk);
    }
    GenerateOptions brief(int64_t budget = 6, uint64_t seed = 1) {
        GenerateOptions options;
        options.budget = budget;
        options.sampling.seed = seed;
        return options;
    }
    void ask(Conversation& talk, const std::string& text, uint64_t seed = 1) {
        auto answer = talk.ask(text, *ws_, brief(6, seed));
        ASSERT_TRUE(answer) << answer.error().message;
    }

    std::vector<float> next_logits(const Sequence& at) {
        Sequence copy = at.fork();
        const int32_t id = 65;
        EXPECT_TRUE(copy.feed({&id, 1}, *ws_));
        return ws_->logits;
    }
    // The law: the sequence stands where the tip's line ends, and goes on as one that was fed these tokens from the start.
    void expect_true_memory(const Conversation& talk) {
        std::vector<int32_t> said;
        for (int i : talk.line(talk.tip())) said.insert(said.end(), talk.node(i).tokens.begin(), talk.node(i).tokens.end());
        ASSERT_EQ(talk.sequence().tokens(), said);
        ASSERT_EQ(talk.node(talk.tip()).end, talk.sequence().position());
        Sequence fresh(model_);
        ASSERT_TRUE(fresh.feed(said, *ws_));
        const std::vector<float> expected = next_logits(fresh), got = next_logits(talk.sequence());
        // Prefill in another split is the same to rounding: bf16 products, a dozen layers of width 100 or so; a wrong memory is off by the logits' own size.
        for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(got[i], expected[i], 0.02) << "logit " << i;
    }

    static inline Talker* talker_ = nullptr;
    std::shared_ptr<const Model> model_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::unique_ptr<Workspace> ws_;
};

TEST_F(TalkTest, EveryTurnEndsClosed) {
    Conversation talk = begin();
    ask(talk, "hello");
    EXPECT_EQ(talk.sequence().tokens().back(), 256);  // <|im_end|>, although the answer ran into its budget
    ask(talk, "again");
    EXPECT_EQ(talk.turn(), 2);
    expect_true_memory(talk);
}

TEST_F(TalkTest, UndoLeavesTheOldLineAsABranch) {
    Conversation talk = begin();
    ask(talk, "one");
    ask(talk, "two");
    const int old = talk.tip(), branch = talk.branch();
    ASSERT_TRUE(talk.rewind(1, *ws_, nullptr));
    EXPECT_EQ(talk.turn(), 1);
    EXPECT_NE(talk.branch(), branch);
    expect_true_memory(talk);
    ask(talk, "another two");
    expect_true_memory(talk);
    ASSERT_TRUE(talk.go_to_branch(branch, *ws_, nullptr));
    EXPECT_EQ(talk.tip(), old);
    expect_true_memory(talk);
}

TEST_F(TalkTest, UndoingTwiceMakesOneNewBranchNotTwo) {
    Conversation talk = begin();
    ask(talk, "one");
    ask(talk, "two");
    ask(talk, "three");
    ASSERT_TRUE(talk.rewind(2, *ws_, nullptr));
    ASSERT_TRUE(talk.rewind(1, *ws_, nullptr));
    EXPECT_EQ(talk.branches().size(), 2u);
    ASSERT_TRUE(talk.go_to_branch(1, *ws_, nullptr));
    EXPECT_EQ(talk.branches().size(), 1u);  // the other one said nothing of its own
    EXPECT_EQ(talk.turn(), 3);
}

TEST_F(TalkTest, RegeneratingAnswersTheSameQuestionAnew) {
    Conversation talk = begin();
    ask(talk, "one");
    const int first = talk.tip();
    auto again = talk.regenerate(*ws_, brief(6, 99));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_NE(talk.tip(), first);
    EXPECT_EQ(talk.node(talk.tip()).parent, talk.node(first).parent);
    EXPECT_EQ(talk.turn(), 1);
    expect_true_memory(talk);
}

TEST_F(TalkTest, AForkIsASecondLineFromHere) {
    Conversation talk = begin();
    ask(talk, "one");
    const int fork = talk.fork();
    ask(talk, "on the fork");
    ASSERT_TRUE(talk.go_to_branch(1, *ws_, nullptr));
    EXPECT_EQ(talk.turn(), 1);
    ask(talk, "on the first");
    ASSERT_TRUE(talk.go_to_branch(fork, *ws_, nullptr));
    EXPECT_EQ(talk.turn(), 2);
    EXPECT_EQ(talk.node(talk.line(talk.tip())[2]).text, "on the fork");
    expect_true_memory(talk);
}

TEST_F(TalkTest, WithoutABudgetForSnapshotsTheWayBackIsReplayed) {
    Conversation talk = begin(0, 0);
    ask(talk, "one");
    ask(talk, "two");
    ask(talk, "three");
    const int end = talk.tip();
    ASSERT_TRUE(talk.rewind(1, *ws_, nullptr));
    expect_true_memory(talk);
    ask(talk, "elsewhere");
    const auto cost = talk.cost(end);
    EXPECT_EQ(cost.replayed, talk.node(end).end) << "nothing on the way is at hand, so all of it is replayed";
    auto moved = talk.go_to(end, *ws_, nullptr);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->replayed, cost.replayed);
    expect_true_memory(talk);
}

TEST_F(TalkTest, APinnedPlaceKeepsItsMemory) {
    Conversation talk = begin(0, 0);
    ask(talk, "one");
    talk.pin();
    const int here = talk.tip();
    ask(talk, "two");
    EXPECT_EQ(talk.cost(here).replayed, 0);
    ASSERT_TRUE(talk.go_to(here, *ws_, nullptr));
    expect_true_memory(talk);
}

TEST_F(TalkTest, AMessageThatDoesNotFitChangesNothing) {
    Conversation talk = begin(100);
    ask(talk, "one");
    const auto before = talk.sequence().tokens();
    auto refused = talk.ask(std::string(100, 'x'), *ws_, brief());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Error::failure);
    EXPECT_EQ(talk.remedy(), Conversation::Remedy::make_room);
    EXPECT_FALSE(talk.rewind(7, *ws_, nullptr));
    EXPECT_EQ(talk.remedy(), Conversation::Remedy::none) << "of another error";
    EXPECT_NE(refused.error().message.find("100"), std::string::npos) << refused.error().message;
    EXPECT_EQ(talk.sequence().tokens(), before);
    EXPECT_EQ(talk.turn(), 1);
    ask(talk, "two");
    expect_true_memory(talk);
}

TEST_F(TalkTest, AFullContextKeepsTheAnswer) {
    Conversation talk = begin(40);
    GenerateOptions endless = brief(1000);
    endless.stop = {-1};  // which no noise says
    auto answer = talk.ask("one", *ws_, endless);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->generation.end, Generation::End::context);
    EXPECT_FALSE(answer->closed);
    EXPECT_EQ(talk.turn(), 1);
    EXPECT_FALSE(talk.ask("two", *ws_, brief()));
    ASSERT_TRUE(talk.rewind(0, *ws_, nullptr));
    ask(talk, "two");
    expect_true_memory(talk);
}

TEST_F(TalkTest, ACancelledPrefillChangesNothing) {
    Conversation talk = begin();
    ask(talk, "one");
    const auto before = talk.sequence().tokens();
    std::atomic<bool> cancel{true};
    GenerateOptions options = brief();
    options.cancel = &cancel;
    for (const size_t length : {size_t{10}, size_t{600}}) {
        auto stopped = talk.ask(std::string(length, 'x'), *ws_, options);
        ASSERT_FALSE(stopped);
        EXPECT_EQ(stopped.error().kind, Error::interrupted);
        EXPECT_EQ(talk.sequence().tokens(), before);
    }
    ask(talk, "two");
    expect_true_memory(talk);
}

TEST_F(TalkTest, AnInterruptedReadingGoesOnWhereItStopped) {
    const std::string text = std::string(2000, 'x') + "?";
    Conversation whole = begin();
    ask(whole, "one");
    ask(whole, text);

    Conversation talk = begin();
    ask(talk, "one");
    const auto before = talk.sequence().tokens();
    std::atomic<bool> cancel{false};
    GenerateOptions options = brief();
    options.cancel = &cancel;
    int64_t longest = 0;
    for (const int64_t at : {1024, 0}) {  // before which pass of the rest Ctrl-C comes
        ws_->on_pass = [&](int64_t done, int64_t total) { longest = std::max(longest, total), cancel = done >= at; };
        cancel = false;
        auto stopped = talk.ask(text, *ws_, options);
        ASSERT_FALSE(stopped);
        EXPECT_EQ(stopped.error().kind, Error::interrupted);
        EXPECT_EQ(talk.remedy(), Conversation::Remedy::same_again) << stopped.error().message;
        EXPECT_EQ(talk.sequence().tokens(), before) << "what was not answered was not said";
    }
    ws_->on_pass = nullptr, cancel = false;
    auto answer = talk.ask(text, *ws_, options);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_LT(answer->prompt_tokens, longest - 1500) << "1,024 and then 512 or more were there";
    EXPECT_EQ(talk.sequence().tokens(), whole.sequence().tokens());
    expect_true_memory(talk);

    // Something else in between, and a Ctrl-C between the message and its answer.
    ws_->on_pass = [&](int64_t done, int64_t) { cancel = done >= 512; };
    ASSERT_FALSE(talk.ask(std::string(1500, 'y'), *ws_, options));
    ws_->on_pass = nullptr, cancel = false;
    ask(talk, "three");
    expect_true_memory(talk);
    ws_->on_pass = [&](int64_t, int64_t) { cancel = true; };
    auto read = talk.ask(std::string(300, 'z'), *ws_, options);
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find("after the whole message"), std::string::npos) << read.error().message;
    ws_->on_pass = nullptr, cancel = false;
    answer = talk.ask(std::string(300, 'z'), *ws_, options);
    ASSERT_TRUE(answer);
    EXPECT_LT(answer->prompt_tokens, 20);
    expect_true_memory(talk);
}

TEST_F(TalkTest, AnInterruptedWayBackGoesOnWhereItStopped) {
    Conversation talk = begin(0, 0);  // nothing is frozen
    ask(talk, std::string(2000, 'x'));
    ask(talk, "two");
    std::atomic<bool> cancel{false};
    ws_->on_pass = [&](int64_t done, int64_t) { cancel = done >= 1024; };
    ASSERT_FALSE(talk.rewind(1, *ws_, &cancel));
    expect_true_memory(talk);
    ws_->on_pass = nullptr, cancel = false;
    auto move = talk.rewind(1, *ws_, &cancel);
    ASSERT_TRUE(move);
    EXPECT_LT(move->replayed, 2000 - 1024);
    expect_true_memory(talk);
}

TEST_F(TalkTest, APoolGoesOnWhereACancelStoppedIt) {
    const std::vector<int32_t> target(2000, 65);
    for (const bool keeps : {true, false}) {
        SnapshotPool pool(int64_t{1} << 30);
        Sequence sequence(model_);
        std::atomic<bool> cancel{false};
        auto stopped = pool.go(
            sequence, target, *ws_, &cancel, [&](int64_t done, int64_t) { cancel = done >= 1024; }, keeps);
        ASSERT_FALSE(stopped);
        EXPECT_EQ(stopped.error().message, std::string("interrupted after 1024 of 2000 tokens") + (keeps ? "; the same again goes on from there" : ""));
        EXPECT_EQ(sequence.position(), 0);
        cancel = false;
        auto move = pool.go(sequence, target, *ws_, &cancel);
        ASSERT_TRUE(move);
        EXPECT_EQ(move->replayed, keeps ? 2000 - 1024 : 2000);
        Sequence fresh(model_);
        ASSERT_TRUE(fresh.feed(target, *ws_));
        EXPECT_EQ(sequence.tokens(), fresh.tokens());
        const auto a = next_logits(sequence), b = next_logits(fresh);
        for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 0.02);
    }
}

TEST_F(TalkTest, ALongQuestionIsNotReplayedForAnotherAnswer) {
    Conversation talk = begin();
    ask(talk, std::string(500, 'x'));
    auto again = talk.regenerate(*ws_, brief(6, 99));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_LT(again->prompt_tokens, 100);
    expect_true_memory(talk);
}

TEST_F(TalkTest, ASystemPromptOpensTheNextConversation) {
    Conversation talk = begin();
    talk.set_system("be brief");
    ask(talk, "one");
    EXPECT_EQ(talk.node(talk.line(talk.tip())[0]).role, "system");
    talk.set_system("be long");
    ask(talk, "two");
    EXPECT_EQ(talk.node(talk.line(talk.tip())[0]).text, "be brief") << "a conversation keeps the one it began with";
    ASSERT_TRUE(talk.restart(*ws_));
    ask(talk, "three");
    EXPECT_EQ(talk.node(talk.line(talk.tip())[0]).text, "be long");
    expect_true_memory(talk);
}

TEST_F(TalkTest, ToolsAreDeclaredFirstAndWhatTheyReturnIsFedAsTheTemplateWritesIt) {
    Conversation talk = begin();
    talk.set_tools(tool_declaration(R"([{"type": "function", "function": {"name": "ping"}}])").value());
    talk.set_system("Be brief.");
    ask(talk, "hi");
    const auto prompt = encode(*tokenizer_, {.messages = {{.role = "system", .content = "Be brief."}, {.role = "user", .content = "hi"}},
                                             .tools_json = R"([{"function": {"name": "ping"}, "type": "function"}])"});
    ASSERT_TRUE(prompt);
    const auto& all = talk.sequence().tokens();
    ASSERT_GT(all.size(), prompt->size());
    EXPECT_EQ(std::vector<int32_t>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(prompt->size())), *prompt);

    const int64_t before = talk.sequence().position();
    const std::vector<Message> returns{{.role = "tool", .content = "21", .tool_call_id = "functions.ping:0"},
                                       {.role = "tool", .content = "22", .tool_call_id = "functions.ping:1"}};
    ASSERT_TRUE(talk.ask(returns, *ws_, brief()));
    const auto more = encode(*tokenizer_, {.messages = returns});
    EXPECT_EQ(std::vector<int32_t>(all.begin() + before, all.begin() + before + static_cast<int64_t>(more->size())), *more);
    const std::vector<int> line = talk.line(talk.tip());
    ASSERT_EQ(line.size(), 6u) << "each return is a message of its own";
    EXPECT_EQ(talk.node(line[3]).text, "21");
    EXPECT_EQ(talk.node(line[4]).text, "22");
    EXPECT_EQ(talk.turn(), 2);
    expect_true_memory(talk);
}

TEST_F(TalkTest, AFullContextRollsOn) {
    Conversation talk = begin(96);
    ASSERT_TRUE(talk.set_on_full(OnFull::roll));
    for (int i = 0; i < 8; ++i) ask(talk, "Question number " + std::to_string(i));
    EXPECT_EQ(talk.turn(), 8);
    const Sequence& sequence = talk.sequence();
    EXPECT_GT(sequence.position(), 96);
    EXPECT_GT(sequence.dropped(), 0);
    EXPECT_LE(sequence.rows(), 96);
    // Going back and coming again is the same memory as never having left.
    const std::vector<float> here = sequence.cache(3, 0, sequence.rows());
    ASSERT_TRUE(talk.rewind(1, *ws_, nullptr));
    EXPECT_EQ(talk.sequence().dropped(), talk.sequence().dropped_at(talk.sequence().position()));
    ASSERT_TRUE(talk.go_to_branch(1, *ws_, nullptr));
    EXPECT_EQ(talk.sequence().cache(3, 0, talk.sequence().rows()), here);
    // A message that is longer than the context is read all the same.
    ask(talk, std::string(200, 'x'));
    EXPECT_EQ(talk.turn(), 9);
    ASSERT_TRUE(talk.set_on_full(OnFull::stop));
    EXPECT_FALSE(talk.ask(std::string(200, 'x'), *ws_, brief()));
    EXPECT_EQ(talk.turn(), 9);
}

TEST_F(TalkTest, AFullContextIsSummedUp) {
    Conversation talk = begin(640);
    talk.set_system("Be brief.");
    std::vector<Conversation::Summary> made;
    ASSERT_TRUE(talk.set_on_full(OnFull::summarise, [&](const Conversation::Summary& s) { made.push_back(s); }));
    int whole = 0;
    for (int i = 0; i < 40; ++i) {
        const int before = talk.tip();
        const size_t known = made.size();
        ask(talk, "Question number " + std::to_string(i));
        EXPECT_LE(talk.sequence().position(), 640);
        EXPECT_EQ(talk.sequence().dropped(), 0);
        std::vector<int32_t> said;
        for (int n : talk.line(talk.tip())) said.insert(said.end(), talk.node(n).tokens.begin(), talk.node(n).tokens.end());
        ASSERT_EQ(talk.sequence().tokens(), said);
        if (made.size() == known) continue;
        // The new line: the system prompt with the summary, the last exchange word for word, and the question.
        const std::vector<int> line = talk.line(talk.tip());
        if (line.size() == 3) continue;  // noise takes many ids: this summary left no room for the last exchange
        ASSERT_EQ(line.size(), 5u);
        ++whole;
        EXPECT_EQ(talk.node(line[0]).text, "Be brief.\n\nWhat was said so far: " + made.back().text);
        EXPECT_EQ(talk.node(line[1]).text, talk.node(talk.node(before).parent).text);
        EXPECT_EQ(talk.node(line[2]).text, talk.node(before).text);
        const auto stays = std::find_if(talk.branches().begin(), talk.branches().end(), [&](const auto& b) { return b.number == made.back().branch; });
        ASSERT_NE(stays, talk.branches().end()) << "the whole talk is a branch";
        EXPECT_EQ(stays->tip, before);
    }
    EXPECT_GE(made.size(), 2u);
    EXPECT_GE(whole, 1);

    // Interrupted, nothing has happened.
    Conversation again = begin(160);
    ASSERT_TRUE(again.set_on_full(OnFull::summarise));
    for (int i = 0; i < 2; ++i) ask(again, "Question number " + std::to_string(i));
    const int tip = again.tip();
    const int64_t position = again.sequence().position();
    const std::atomic<bool> stop = true;
    GenerateOptions options = brief(100);
    options.cancel = &stop;
    const auto answer = again.ask("Another question that is long enough to need room", *ws_, options);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, Error::interrupted);
    EXPECT_EQ(again.tip(), tip);
    EXPECT_EQ(again.sequence().position(), position);
}

TEST_F(TalkTest, ALineOfAnEarlierTalkIsGoneOnWith) {
    Conversation talk = begin();
    ask(talk, "First");
    ask(talk, "Second");
    std::vector<Conversation::Said> line;
    for (int i : talk.line(talk.tip())) line.push_back({talk.node(i).role, talk.node(i).text, talk.node(i).tokens});
    const SnapshotPtr memory = talk.node(talk.tip()).memory;
    for (const SnapshotPtr& with : {memory, SnapshotPtr()}) {
        Conversation next = begin();
        auto moved = next.adopt(line, with, *ws_, nullptr);
        ASSERT_TRUE(moved) << moved.error().message;
        EXPECT_EQ(moved->replayed, with ? 0 : talk.sequence().position());
        EXPECT_EQ(next.turn(), 2);
        expect_true_memory(next);
        ask(next, "Third");
        EXPECT_EQ(next.turn(), 3);
    }
    Conversation small = begin(20);
    EXPECT_FALSE(small.adopt(line, nullptr, *ws_, nullptr)) << "it does not fit";
    EXPECT_EQ(small.tip(), 0);
    ask(small, "a");
}

TEST_F(TalkTest, HandsAnswerTheLastQuestionOnABranchOfItsOwn) {
    Conversation talk = begin();
    ask(talk, "My name is Tom.");
    ask(talk, "What is it?");
    const int plain = talk.tip(), first = talk.branch();
    const int64_t question = talk.last_question();
    const std::vector<int32_t> said = talk.node(plain).tokens;
    using What = Intervention::What;

    auto touched = talk.touch({.what = What::beta, .amount = 0}, false, *ws_, brief());
    ASSERT_TRUE(touched) << touched.error().message;
    EXPECT_NE(talk.branch(), first);
    EXPECT_EQ(talk.touched()->at(0).from, question);
    EXPECT_EQ(talk.turn(), 2);
    const int mute = talk.tip();
    const auto memory = [&] { return talk.sequence().state(0, "S"); };
    const std::vector<float> of_mute = memory();

    // How far the answer before is from what would be said now: as two sequences say that are fed from the beginning.
    auto apart = talk.apart(plain, *ws_, nullptr);
    ASSERT_TRUE(apart) << apart.error().message;
    Sequence before = talk.sequence().fork(), now = talk.sequence().fork();
    std::vector<int32_t> line;
    for (const int i : talk.line(plain)) line.insert(line.end(), talk.node(i).tokens.begin(), talk.node(i).tokens.end());
    const size_t judged = apart->tokens.size(), fed = line.size() - judged - 1;
    EXPECT_EQ(judged, 7u) << "the six tokens of the answer and the end of its turn";
    ASSERT_TRUE(before.touch(nullptr));
    for (Sequence* s : {&before, &now}) {
        if (s == &now) s->reset();
        ASSERT_EQ(s->position(), 0);
        ASSERT_TRUE(s->feed(std::span<const int32_t>(line).first(fed), *ws_));
    }
    auto truth = tell_apart(before, now, std::span<const int32_t>(line).subspan(fed), *ws_);
    ASSERT_TRUE(truth);
    double sum = 0;
    for (size_t i = 0; i < judged; ++i) {
        EXPECT_NEAR(apart->tokens[i].divergence, truth->tokens[i].divergence, 2e-3 + 0.01f * truth->tokens[i].divergence) << i;  // passes are cut elsewhere
        sum += double{truth->tokens[i].divergence};
    }
    EXPECT_GT(sum, 1e-3);
    auto own = talk.apart(mute, *ws_, nullptr);
    ASSERT_TRUE(own);
    for (const TokenApart& t : own->tokens) EXPECT_EQ(t.divergence, 0) << "an answer beside itself";
    EXPECT_EQ(talk.tip(), mute);
    EXPECT_EQ(memory(), of_mute);

    // Back, and there again: each with its own memory.
    ASSERT_TRUE(talk.go_to_branch(first, *ws_, nullptr));
    EXPECT_EQ(talk.touched(), nullptr);
    expect_true_memory(talk);
    ASSERT_TRUE(talk.go_to(mute, *ws_, nullptr));
    EXPECT_EQ(memory(), of_mute);
    ASSERT_TRUE(talk.touched());
    ask(talk, "And now?");
    EXPECT_TRUE(talk.touched()) << "what is asked on is under it too";
    ASSERT_TRUE(talk.rewind(2, *ws_, nullptr));
    EXPECT_EQ(memory(), of_mute);
    ASSERT_TRUE(talk.rewind(1, *ws_, nullptr));
    EXPECT_EQ(talk.touched(), nullptr) << "before it, nothing was touched";
    expect_true_memory(talk);

    // One that changes nothing says the same with the same seed.
    ASSERT_TRUE(talk.go_to(plain, *ws_, nullptr));
    ASSERT_TRUE(talk.touch({.what = What::gates, .amount = 1}, false, *ws_, brief()));
    EXPECT_EQ(talk.node(talk.tip()).tokens, said);

    // The whole line under it.
    ASSERT_TRUE(talk.go_to(plain, *ws_, nullptr));
    ASSERT_TRUE(talk.touch({.what = What::beta, .layers = {0}, .amount = 0}, true, *ws_, brief()));
    EXPECT_EQ(talk.touched()->at(0).from, 0);
    EXPECT_EQ(talk.sequence().position(), talk.node(talk.tip()).end);
    for (const float value : memory()) EXPECT_EQ(value, 0);
    ASSERT_TRUE(talk.touch({.what = What::read, .layers = {0}, .amount = 0}, true, *ws_, brief()));
    EXPECT_EQ(talk.touched()->size(), 2u) << "hands add up";

    // A transplant of its own memory is none.
    ASSERT_TRUE(talk.go_to(plain, *ws_, nullptr));
    ASSERT_TRUE(talk.rewind(1, *ws_, nullptr));
    talk.pin();
    auto its_own = talk.state_at(talk.tip(), 0, {});
    ASSERT_TRUE(its_own);
    ASSERT_TRUE(talk.go_to(plain, *ws_, nullptr));
    ASSERT_TRUE(talk.touch({.what = What::put, .layers = {0}, .state = *its_own}, false, *ws_, brief()));
    EXPECT_EQ(talk.node(talk.tip()).tokens, said);
}

TEST_F(TalkTest, WhatCannotBeTouchedLeavesTheTalkAsItWas) {
    Conversation talk = begin();
    EXPECT_FALSE(talk.touch({.what = Intervention::What::beta}, false, *ws_, brief()));
    ask(talk, "one");
    const int tip = talk.tip();
    const size_t branches = talk.branches().size();
    const auto expect_as_it_was = [&] {
        EXPECT_EQ(talk.tip(), tip);
        EXPECT_EQ(talk.branches().size(), branches);
        EXPECT_EQ(talk.touched(), nullptr);
        expect_true_memory(talk);
    };
    EXPECT_FALSE(talk.touch({.what = Intervention::What::gates, .layers = {99}}, false, *ws_, brief()));
    expect_as_it_was();
    const std::atomic<bool> at_once = true;
    GenerateOptions stopped = brief();
    stopped.cancel = &at_once;
    for (const bool whole : {false, true}) {
        auto broken = talk.touch({.what = Intervention::What::gates, .amount = 2}, whole, *ws_, stopped);
        ASSERT_FALSE(broken);
        EXPECT_EQ(broken.error().kind, Error::interrupted);
        expect_as_it_was();
    }
}

}  // namespace
}  // namespace klp

// Sentences of the lenses from numbers, the glossary under them, and what the gates left over the tokens that were really fed.
#include <cmath>

#include "app/gui/panels/fed_decay.h"
#include "app/gui/panels/glossary.h"
#include "app/gui/panels/half_life.h"
#include "app/gui/panels/words.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

TEST(Words, OfDecaySayHowManyChannelsKeepAMessage) {
    words::Decay d{.what = "your first message", .since = 106, .channels = 768, .kept = 80, .by_layer = {{0, 60}, {1, 20}}};
    EXPECT_EQ(words::of(d), "Of 768 channels, 80 would still hold half of your first message, 106 tokens back; most are in layer 0.");
    d.by_layer = {{0, 30}, {1, 25}, {2, 25}};
    EXPECT_EQ(words::of(d), "Of 768 channels, 80 would still hold half of your first message, 106 tokens back; layer 0 has most of them, 30.");
    d.by_layer = {{0, 0}, {1, 80}};
    EXPECT_TRUE(words::of(d).endsWith("; all of them are in layer 1."));
    d.by_layer = {{0, 80}};
    EXPECT_TRUE(words::of(d).endsWith("106 tokens back.")) << "one layer has nothing to be told apart from";
    d.kept = 0, d.best = 0.314, d.best_layer = 2, d.best_head = 3;
    EXPECT_EQ(words::of(d),
              "None of 768 channels would still hold half of your first message, 106 tokens back. The one that keeps it best, in layer 2, head 3, holds 31 %.");
    d.best = 1e-9;
    EXPECT_TRUE(words::of(d).endsWith("holds less than 1 %."));
    d.kept = 768, d.since = 1;
    EXPECT_EQ(words::of(d), "All 768 channels would still hold half of your first message, 1 token back, or more.");
    d.since = 0;
    EXPECT_TRUE(words::of(d).startsWith("Nothing has been fed after your first message"));
    EXPECT_EQ(words::of_gates(768, 12.3f, "token 4"), "At token 4 half of 768 channels have a half-life below 12.3 tokens.");
    EXPECT_EQ(words::of_gates(0, NAN, "token 4"), "");
}

TEST(Words, OfAStateSayHowFullItIs) {
    words::State s{.layer = 1, .head = 2, .rank = 6.6, .most = 32, .wrote = 0.124, .token = "token 41 “green”", .instead_of = {}, .from = {}, .to = {}};
    EXPECT_EQ(words::of(s), "Layer 1, head 2 uses about 7 of its 32 directions; token 41 “green” rewrote 12 % of it.");
    s.wrote = NAN;
    EXPECT_EQ(words::of(s), "Layer 1, head 2 uses about 7 of its 32 directions after token 41 “green”.");
    s.instead_of = "token 46";
    EXPECT_TRUE(words::of(s).endsWith("after token 41 “green”, the nearest that was recorded to token 46."));
    s.from = "A", s.to = "now", s.changed = 0.4;
    EXPECT_EQ(words::of(s), "From A to now the state of layer 1, head 2 changed by 40 % of its size, along about 7 of 32 directions.");
    s.rank = NAN;
    EXPECT_EQ(words::of(s), "From A to now the state of layer 1, head 2 did not change.");
    s.from.clear();
    EXPECT_TRUE(words::of(s).contains("is empty"));
}

TEST(Words, OfAttentionSayWhatIsRead) {
    const words::Read cache{"“baker”", 0.951, 41}, state{"“I”", 0.02, 3};
    EXPECT_EQ(words::of("“a”", cache, state),
              "Reading at “a”: the cache takes 95 % from “baker”, 41 tokens back; the state takes most from “I”, 3 tokens back.");
    EXPECT_EQ(words::of("“a”", words::Read{"“a”", 0.5, 0}, {}), "Reading at “a”: the cache takes 50 % from this very token.");
    EXPECT_EQ(words::of("“a”", {}, {}), "");
}

TEST(Words, OfAFactsLifeSayWhoHoldsIt) {
    words::Life l{.token = "token 7 “green”", .back = 56, .state = std::pair(0, 1), .left = 0.37, .decay = 0.56, .probability = {}};
    EXPECT_EQ(words::of(l), "56 tokens later the state of layer 0, head 1 holds 37 % of token 7 “green”; decay alone would have left 56 %.");
    l.probability = 0.999;
    EXPECT_TRUE(words::of(l).endsWith("56 %. An answer since then gave it more than 99 %."));
    l.left = -0.2;
    EXPECT_TRUE(words::of(l).startsWith("56 tokens later no state holds token 7 “green” any more; decay alone would have left 56 % in layer 0, head 1."));
    l.back = 0;
    EXPECT_EQ(words::of(l), "Token 7 “green” is the last token: nothing has become of it yet.");
    EXPECT_EQ(words::of(words::Life{.token = "token 7", .back = 3, .state = {}, .probability = {}}), "") << "a model of caches alone";
}

TEST(Words, OfExpertsMemoryRaceAndLogits) {
    EXPECT_EQ(words::of(words::Experts{128, 1, 3, 1.62, 2, 24}),
              "Over the last 128 tokens, expert 3 of layer 1 was picked 1.6 times as often as an even share; 2 of 24 experts were never picked.");
    EXPECT_EQ(words::of(words::Experts{49, 1, 3, 1.62, 1, 24, true}),
              "Over the 49 tokens chosen, expert 3 of layer 1 was picked 1.6 times as often as an even share; 1 of 24 experts was never picked.");
    EXPECT_TRUE(words::of(words::Experts{128, 1, 3, 1.62, 0, 24}).endsWith("an even share; each of the 24 experts was picked at least once."));
    words::Memory m{.name = "This conversation", .tokens = 173, .mine = 300'000, .twin = 1'050'000, .multi_head = {}, .crossover = 390};
    EXPECT_EQ(words::of(m), "This conversation of 173 tokens holds 293 KiB; its same-shapes twin would hold 1.0 MiB, 3.5 times as much.");
    m.twin = 100'000;
    EXPECT_TRUE(words::of(m).endsWith("its same-shapes twin would hold 97.7 KiB, which is less: from 390 tokens on it holds more."))
        << words::of(m).toStdString();
    m.twin.reset();
    EXPECT_EQ(words::of(m), "This conversation of 173 tokens holds 293 KiB.");
    m.multi_head = 3'000'000;
    EXPECT_TRUE(words::of(m).contains("multi-head attention would hold 2.9 MiB, 10 times as much")) << words::of(m).toStdString();
    EXPECT_EQ(words::of(words::Race{4096, 5e5, 1e6, 24, 100, TwinKind::trained}),
              "At 4,096 tokens of context this model made 2,000 tokens/s, its trained twin 1,000: 2.00 times as fast, with 24 % of the memory.");
    EXPECT_TRUE(words::of(words::Race{64, 2e6, 1e6, 300, 100, TwinKind::synthetic}).endsWith("2.00 times as slow, with 3.0 times of the memory."));
    EXPECT_EQ(words::of(words::Race{}), "");
    words::Logits l{"“Rome”", 0.93, 0.3, 0, "“Paris”", 0.04};
    EXPECT_EQ(words::of(l), "“Rome” was the first choice, with 93 %; next came “Paris” with 4 %. The model was as unsure as between 1.3 equal choices.");
    l.rank = 2;
    EXPECT_TRUE(words::of(l).startsWith("“Rome” was drawn as choice 3, with 93 %; the first was “Paris” with 4 %")) << words::of(l).toStdString();
    l.probability = 0.998;
    EXPECT_TRUE(words::of(l).contains("with more than 99 %"));
    l.probability = 0.93;
    l.entropy = 0.02;
    EXPECT_TRUE(words::of(l).endsWith("The model was sure."));
    l.entropy = NAN, l.next.clear();
    EXPECT_EQ(words::of(l), "“Rome” was drawn as choice 3, with 93 %.");
}

TEST(Glossary, FindsItsWordsInOneAndMany) {
    const QString text = "Of 768 channels, 80 have half-lives that its same-shapes twin, a keyhole and headless layers know.";
    QStringList found;
    for (const TermPlace& place : terms_in(text)) found << text.mid(place.first, place.size) + "=" + place.term->word;
    EXPECT_EQ(found.join(" "), "channels=channel half-lives=half-life same-shapes twin=same-shapes twin layers=layer");
    for (const Term& term : glossary()) EXPECT_TRUE(term.meaning.endsWith('.')) << term.word.toStdString();
}

TEST(FedDecay, IsTheHalfLifeThatWouldHaveLeftAsMuch) {
    EXPECT_FLOAT_EQ(fed_half_life(10 * std::log(0.5), 10), 1);
    EXPECT_FLOAT_EQ(fed_half_life(std::log(0.5), 300), 300);
    EXPECT_TRUE(std::isinf(fed_half_life(0, 5)));
    EXPECT_TRUE(std::isnan(fed_half_life(0, 0)));

    ScriptedSession s;
    s.answer(20);
    const TraceStore& trace = s.session->trace();
    const auto sum = [&](int64_t first, int64_t last, int layer, int at) {
        double all = 0;
        for (int64_t p = first; p <= last; ++p) all += double(trace.shape().of(Site::log_decay, layer, trace.readings(p))[static_cast<size_t>(at)]);
        return all;
    };
    FedDecay fed;
    ASSERT_TRUE(fed.follow(trace, 4, 20));
    EXPECT_EQ(fed.first(), 5);
    EXPECT_EQ(fed.tokens(), 16);
    ASSERT_EQ(fed.sums().size(), 3u * 4 * 32);
    EXPECT_NEAR(fed.sums()[1 * 128 + 70], sum(5, 20, 1, 70), 1e-9);
    EXPECT_NEAR(double(fed.half_life(200)), -16 * std::log(2) / sum(5, 20, 1, 72), 1e-3);
    ASSERT_TRUE(fed.follow(trace, 4, 31));  // goes on
    EXPECT_NEAR(fed.sums()[0], sum(5, 31, 0, 0), 1e-9);
    ASSERT_TRUE(fed.follow(trace, 4, 8));  // and back
    EXPECT_NEAR(fed.sums()[0], sum(5, 8, 0, 0), 1e-9);

    // A token nobody read: what was left is known behind it only.
    s.script->play({PromptFed{32, {1, 2, 3, 4}}, scripted_readings(trace.shape(), 34), scripted_readings(trace.shape(), 35)});
    s.session->tick();
    ASSERT_TRUE(fed.follow(trace, 4, 35));
    EXPECT_EQ(fed.first(), 34);
    EXPECT_EQ(fed.tokens(), 2);
    EXPECT_NEAR(fed.sums()[0], sum(34, 35, 0, 0), 1e-9);
}

TEST(Selection, KeepsHeadsOfStatesAndOfCachesApart) {
    Selection at;
    at.fit({4, {0, 1, 2}, {3}, 4, 2, 32});
    EXPECT_EQ(at.state(), (Head{0, 0}));
    EXPECT_EQ(at.cache(), (Head{3, 0}));
    at.set_head(1, 3);
    at.set_head(3, 1);
    EXPECT_EQ(at.layer(), 3);
    EXPECT_EQ(at.head(), 1);
    EXPECT_EQ(at.state(), (Head{1, 3})) << "a cache's head is another thing";
    at.set_expert(2, 5);
    EXPECT_EQ(at.state(), (Head{2, 3}));
    EXPECT_EQ(at.cache(), (Head{3, 1}));
    at.fit({2, {0, 1}, {}, 2, 0, 16});  // another model
    EXPECT_EQ(at.state(), (Head{0, 1}));
    EXPECT_EQ(at.layer(), 1);
}

}  // namespace
}  // namespace klp::gui

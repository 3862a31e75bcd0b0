// A chat on disk: whatever happens to program, disk and file, what was said is there again, on the branch where it was said.
#include "core/runs/chat.h"
#include "core/runs/on_full.h"
#include "core/runs/run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <random>

namespace klp {
namespace {

namespace fs = std::filesystem;

class ChatTest : public ::testing::Test {
protected:
    ChatTest() {
        std::string pattern = (fs::temp_directory_path() / "klp-chat-XXXXXX").string();
        home = mkdtemp(pattern.data());
    }
    ~ChatTest() override {
        fs::permissions(home, fs::perms::owner_all);
        fs::remove_all(home);
    }
    static std::string bytes(const fs::path& file) {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static void write(const fs::path& file, std::string_view text) { std::ofstream(file, std::ios::binary) << text; }
    static std::unique_ptr<Chat> reopen(const fs::path& file, std::string* note = nullptr) {
        std::string said;
        auto chat = Chat::open(file, said);
        EXPECT_TRUE(chat) << (chat ? "" : chat.error().message);
        if (note)
            *note = said;
        else
            EXPECT_EQ(said, "");
        return chat ? std::move(*chat) : nullptr;
    }
    // Two turns, the first answered twice.
    static void talk(Chat& chat) {
        chat.set_info({.title = "Needles", .system = "Be brief.", .preset = "Precise", .sampling = Sampling{.temperature = 0.25f, .seed = 9}, .predict = 99});
        const int hi = chat.add({.role = "user", .text = "hi", .time = 100});
        const int first = chat.add({.parent = hi, .role = "assistant", .open = true, .time = 101, .model = "demo"});
        const int32_t ids[] = {4, 5, 6};
        chat.more(first, "Hel", {ids, 2});
        chat.more(first, "lo\n\"you\" – ü", {ids + 2, 1});
        chat.end(first, false, {.tokens = 3, .decode_ns = 1000, .seed = 18446744073709551615u, .end = "stop_token"});
        chat.add({.parent = first, .role = "user", .text = "more", .time = 102});
        chat.add({.parent = chat.tip(), .role = "assistant", .text = "no", .ids = {1}, .time = 103});
        chat.add({.parent = hi, .role = "assistant", .text = "Hello again", .ids = {8, 9}, .time = 104});
        chat.stand(4);
    }
    static void expect_same(const Chat& a, const Chat& b) {
        ASSERT_EQ(a.count(), b.count());
        for (int i = 1; i <= a.count(); ++i) EXPECT_EQ(a.message(i), b.message(i)) << i;
        EXPECT_EQ(a.tip(), b.tip());
        EXPECT_EQ(a.info().title, b.info().title);
        EXPECT_EQ(a.info().system, b.info().system);
        EXPECT_EQ(a.info().predict, b.info().predict);
    }
    fs::path home;
};

TEST_F(ChatTest, IsATreeWhoseBranchesStay) {
    Chat chat;
    talk(chat);
    EXPECT_EQ(chat.line(), (std::vector<int>{1, 2, 3, 4}));
    EXPECT_EQ(chat.children(1), (std::vector<int>{2, 5}));
    EXPECT_EQ(chat.ends(), (std::vector<int>{4, 5}));
    EXPECT_EQ(chat.messages_below(2), 3);
    chat.stand(5);
    EXPECT_EQ(chat.newest_below(1), 5);
    chat.stand(4);
    EXPECT_EQ(chat.newest_below(1), 4);
    chat.remove(2);
    EXPECT_EQ(chat.tip(), 5);
    EXPECT_EQ(chat.children(1), std::vector<int>{5});
    EXPECT_EQ(chat.ends(), std::vector<int>{5});
    EXPECT_EQ(chat.count(), 5);
    chat.restore(2);
    EXPECT_EQ(chat.children(1), (std::vector<int>{2, 5}));
}

TEST_F(ChatTest, ComesBackFromItsFile) {
    Chat chat(home / "a.jsonl");
    EXPECT_FALSE(fs::exists(home / "a.jsonl"));
    talk(chat);
    ASSERT_TRUE(chat.save(true));
    EXPECT_EQ(chat.unsaved_bytes(), 0u);
    const auto again = reopen(home / "a.jsonl");
    expect_same(chat, *again);
    EXPECT_EQ(again->info().sampling->seed, 9u);
    EXPECT_EQ(again->message(2).stats->seed, 18446744073709551615u);
}

TEST_F(ChatTest, HandsOnTheMemoryComeBackAndAreWrittenOnce) {
    using What = Intervention::What;
    const auto list = [](Interventions all) { return std::make_shared<const Interventions>(std::move(all)); };
    auto first = std::make_unique<Chat>(home / "a.jsonl");
    Chat& chat = *first;
    talk(chat);
    ASSERT_TRUE(chat.save(true));
    EXPECT_EQ(bytes(home / "a.jsonl").find("\"version\":2"), std::string::npos) << "a chat without hands is one that older programs know whole";
    EXPECT_EQ(chat.hands(4), nullptr);
    const auto one = list({{.what = What::put, .layers = {0}, .from = 7, .state = std::vector<float>(999, 0.1f)}});
    const int touched = chat.add({.parent = 1, .role = "assistant", .text = "Hullo", .ids = {8}, .time = 105, .hands = one, .beside = 2});
    const int asked = chat.add({.parent = touched, .role = "user", .text = "why?", .time = 106});
    EXPECT_EQ(chat.hands(asked), one) << "what follows is under them";
    chat.add({.parent = asked, .role = "assistant", .text = "so", .time = 107, .hands = list(*one)});
    const auto two = list({one->at(0), {.what = What::gates, .from = 7, .amount = 2}});
    chat.add({.parent = asked, .role = "assistant", .text = "and", .time = 108, .hands = two});
    chat.add({.parent = asked, .role = "assistant", .text = "none", .time = 109, .hands = list({})});
    EXPECT_EQ(chat.hands(chat.tip()), nullptr) << "an empty list is none";
    ASSERT_TRUE(chat.save(true));
    const std::string file = bytes(home / "a.jsonl");
    const auto count = [&](const std::string& what) {
        int n = 0;
        for (size_t at = file.find(what); at != file.npos; at = file.find(what, at + 1)) ++n;
        return n;
    };
    EXPECT_EQ(count("{\"hands\":["), 2);
    const auto again = reopen(home / "a.jsonl");
    expect_same(chat, *again);
    ASSERT_TRUE(again->hands(asked));
    EXPECT_EQ(*again->hands(asked), *one);
    const std::string json = chat.export_json();
    chat.stand(touched);
    const std::string markdown = chat.export_markdown();
    first.reset();  // it is written to by one
    again->add({.parent = asked, .role = "assistant", .text = "more", .time = 110, .hands = list(*two)});
    ASSERT_TRUE(again->save(true));
    EXPECT_EQ(bytes(home / "a.jsonl").size() - file.size() < 300, true) << "a list that is in the file is only named";
    expect_same(*again, *reopen(home / "a.jsonl"));

    // Exported and imported, all of it.
    auto imported = Chat::import_json(json, "it", home / "b.jsonl");
    ASSERT_TRUE(imported) << imported.error().message;
    EXPECT_EQ((*imported)->count(), again->count() - 1);
    for (int i = 1; i < again->count(); ++i) EXPECT_EQ((*imported)->message(i), again->message(i)) << i;
    ASSERT_TRUE((*imported)->save(true));
    expect_same(**imported, *reopen(home / "b.jsonl"));
    EXPECT_NE(markdown.find("*another state put into layer 0 at token 7*"), std::string::npos);

    // Hands of a newer program are none that this one knows: the line is said to be lost, the rest is there.
    write(home / "c.jsonl",
          "{\"klp\":\"chat\",\"version\":1}\n{\"hands\":[{\"what\":\"pray\"}]}\n{\"message\":{\"id\":1,\"parent\":0,\"role\":\"assistant\",\"hands\":1}}\n");
    std::string note;
    EXPECT_EQ(reopen(home / "c.jsonl", &note)->hands(1), nullptr);
    EXPECT_NE(note.find("one line could not be read"), std::string::npos);
}

TEST_F(ChatTest, OnlyGrows) {
    Chat chat(home / "a.jsonl");
    std::string before;
    talk(chat);
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(chat.save(i % 2 == 0));
        const std::string now = bytes(home / "a.jsonl");
        ASSERT_EQ(now.substr(0, before.size()), before);
        before = now;
        if (i == 0) chat.remove(5);
        if (i == 1) chat.stand(2);
        if (i == 2) chat.set_info({.title = "Other"});
    }
    EXPECT_NE(before.find("Hello again"), std::string::npos);
}

// Killed at any moment: the file may end at any byte.
TEST_F(ChatTest, EveryTornFileGivesItsWholeRecords) {
    {
        Chat chat(home / "a.jsonl");
        talk(chat);
        ASSERT_TRUE(chat.save(true));
    }
    const std::string all = bytes(home / "a.jsonl");
    const size_t first = all.find('\n');
    for (size_t size = first; size <= all.size(); ++size) {
        const fs::path file = home / "torn.jsonl";
        write(file, all.substr(0, size));
        std::string note;
        auto chat = reopen(file, &note);
        ASSERT_TRUE(chat);
        const auto lines = std::count(all.begin(), all.begin() + static_cast<int64_t>(size), '\n');
        const bool whole = size == all.size() || all[size] == '\n' || all[size - 1] == '\n';
        EXPECT_EQ(note.empty(), whole) << size << ": " << note;
        if (!whole) {
            EXPECT_NE(note.find("one line could not be read"), std::string::npos);
        }
        EXPECT_LE(chat->count(), lines);
        if (chat->count() == 2 && !chat->message(2).stats) {
            EXPECT_TRUE(chat->message(2).open);
        }
        // And one goes on behind it.
        const int said = chat->count();
        chat->add({.parent = chat->tip(), .role = "user", .text = "and then?"});
        ASSERT_TRUE(chat->save(false));
        chat.reset();
        chat = reopen(file, &note);
        ASSERT_EQ(chat->count(), said + 1);
        EXPECT_EQ(chat->message(said + 1).text, "and then?");
        fs::remove(file);
    }
}

TEST_F(ChatTest, DamageNeverHurts) {
    {
        Chat chat(home / "a.jsonl");
        talk(chat);
        ASSERT_TRUE(chat.save(true));
    }
    const std::string all = bytes(home / "a.jsonl");
    std::mt19937 random(3);
    for (int round = 0; round < 200; ++round) {
        std::string torn = all;
        for (int i = 0; i < 3; ++i) {
            const size_t at = random() % torn.size();
            if (random() % 2)
                torn[at] = static_cast<char>(random());
            else
                torn.erase(at, random() % 40);
        }
        write(home / "b.jsonl", torn);
        std::string note;
        const auto chat = Chat::open(home / "b.jsonl", note);
        if (!chat) continue;
        for (int i = 1; i <= (*chat)->count(); ++i) EXPECT_LT((*chat)->message(i).parent, i);
        EXPECT_LE((*chat)->line().size(), 5u);
        (*chat)->newest_below(0);
    }
}

TEST_F(ChatTest, NewerRecordsArePassedOverAndKept) {
    write(home / "a.jsonl",
          "{\"klp\":\"chat\",\"version\":7}\n{\"poll\":{\"x\":1}}\n{\"message\":{\"id\":1,\"parent\":0,\"role\":\"user\",\"text\":\"hi\",\"mood\":3}}\n");
    std::string note;
    auto chat = reopen(home / "a.jsonl", &note);
    EXPECT_NE(note.find("newer version"), std::string::npos);
    ASSERT_EQ(chat->count(), 1);
    chat->add({.parent = 1, .role = "assistant", .text = "yes"});
    ASSERT_TRUE(chat->save(true));
    EXPECT_NE(bytes(home / "a.jsonl").find("\"poll\""), std::string::npos);
}

TEST_F(ChatTest, AnswerWithoutEndIsOpen) {
    {
        Chat chat(home / "a.jsonl");
        const int hi = chat.add({.role = "user", .text = "hi"});
        const int answer = chat.add({.parent = hi, .role = "assistant", .open = true});
        const int32_t ids[] = {4, 5};
        chat.more(answer, "Half an", ids);
        ASSERT_TRUE(chat.save(false));
        chat.more(answer, " answer", ids);  // the kill comes here
    }
    const auto chat = reopen(home / "a.jsonl");
    EXPECT_EQ(chat->message(2).text, "Half an");
    EXPECT_EQ(chat->message(2).ids, (std::vector<int32_t>{4, 5}));
    EXPECT_TRUE(chat->message(2).open);
}

TEST_F(ChatTest, AFullDiskKeepsEverythingAndWritesItLater) {
    Chat chat(home / "a.jsonl");
    chat.add({.role = "user", .text = "hi"});
    ASSERT_TRUE(chat.save(true));
    const auto size = static_cast<rlim_t>(fs::file_size(home / "a.jsonl"));
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit little{size + 10, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &little);
    chat.add({.parent = 1, .role = "assistant", .text = "a long answer"});
    auto saved = chat.save(true);
    setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(saved);
    EXPECT_NE(saved.error().message.find("a.jsonl"), std::string::npos);
    EXPECT_EQ(chat.message(2).text, "a long answer");
    EXPECT_EQ(fs::file_size(home / "a.jsonl"), size);  // no half record
    chat.add({.parent = 2, .role = "user", .text = "go on"});
    ASSERT_TRUE(chat.save(true));
    expect_same(chat, *reopen(home / "a.jsonl"));
}

TEST_F(ChatTest, AFolderThatCannotBeWrittenIsOneSentence) {
    write(home / "file", "");
    const auto folder = ChatFolder::open(home / "file" / "chats");
    ASSERT_FALSE(folder);
    EXPECT_NE(folder.error().message.find("file/chats"), std::string::npos);
    Chat chat(home / "nowhere" / "a.jsonl");
    chat.add({.role = "user", .text = "hi"});
    const auto saved = chat.save(true);
    ASSERT_FALSE(saved);
    EXPECT_NE(saved.error().message.find("nowhere/a.jsonl"), std::string::npos);
    EXPECT_EQ(chat.message(1).text, "hi");
}

TEST_F(ChatTest, TwoProgramsNeverMixTheirWords) {
    auto folder = ChatFolder::open(home / "chats");
    ASSERT_TRUE(folder);
    EXPECT_TRUE(folder->alone());
    auto second = ChatFolder::open(home / "chats");
    ASSERT_TRUE(second);
    EXPECT_FALSE(second->alone());

    const fs::path file = folder->new_file();
    Chat chat(file);
    talk(chat);
    ASSERT_TRUE(chat.save(true));
    auto other = reopen(file);
    chat.add({.parent = 4, .role = "user", .text = "from the first"});
    ASSERT_TRUE(chat.save(true));
    other->add({.parent = 4, .role = "user", .text = "from the second"});
    const auto saved = other->save(true);
    ASSERT_TRUE(saved) << saved.error().message;
    EXPECT_NE(saved->find("copy"), std::string::npos);
    EXPECT_NE(other->file(), file);
    EXPECT_EQ(folder->files().size(), 2u);
    expect_same(chat, *reopen(file));
    expect_same(*other, *reopen(other->file()));
    EXPECT_EQ(other->info().title, "Needles (copy)");
}

TEST_F(ChatTest, ExportsAndImports) {
    Chat chat;
    talk(chat);
    chat.remove(5);
    auto again = Chat::import_json(chat.export_json(), "x.json", home / "a.jsonl");
    ASSERT_TRUE(again) << again.error().message;
    expect_same(chat, **again);
    ASSERT_TRUE((*again)->save(true));
    expect_same(chat, *reopen(home / "a.jsonl"));

    auto plain = Chat::import_json(R"([{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a"}])", "y.json", {});
    ASSERT_TRUE(plain);
    EXPECT_EQ((*plain)->info().system, "s");
    EXPECT_EQ((*plain)->count(), 2);

    for (const char* bad : {"", "{", "[1]", R"({"tree":[{"id":2}]})", R"({"tree":[{"id":1,"parent":1,"role":"user"}]})", R"({"messages":3})"}) {
        const auto refused = Chat::import_json(bad, "bad.json", {});
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().message.rfind("bad.json", 0), 0u) << refused.error().message;
    }
    const std::pair<const char*, const char*> wrong[] = {
        {R"([{"role":"user","content":"q"},{"role":"wizard","content":"a"}])", "bad.json: messages[1].role is 'wizard'"},
        {R"([{"role":"user","content":"q"},{"role":"tool","tool_call_id":"x:0","content":"a"}])", "bad.json: messages[1].tool_call_id is 'x:0'"},
        {R"({"tree":[{"id":1,"role":"wizard"}]})", "bad.json: tree[0].role is 'wizard'"},
        {R"({"messages":[],"tools":[{"type":"function"}]})", "bad.json: tools: [0].function is not"}};
    for (const auto& [bad, said] : wrong) {
        const auto refused = Chat::import_json(bad, "bad.json", {});
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().message.rfind(said, 0), 0u) << refused.error().message;
    }
    const auto odd = Chat::import_json(
        R"({"info":{"sampling":{"temperature":9999,"top_p":-3,"top_k":99999999999,"seed":-1}},"tree":[{"id":1,"role":"assistant","text":"a","ids":[1,99999999999]}]})",
        "x", {});
    ASSERT_TRUE(odd) << odd.error().message;
    const Sampling s = *(*odd)->info().sampling;
    EXPECT_EQ(s.temperature, 100);
    EXPECT_EQ(s.top_p, 0);
    EXPECT_EQ(s.top_k, Sampling{}.top_k) << "a number that is none of its kind is as good as absent";
    EXPECT_EQ(s.seed, Sampling{}.seed);
    EXPECT_EQ((*odd)->message(1).ids, (std::vector<int32_t>{1, -1})) << "an id that no vocabulary has";

    const std::string text = chat.export_markdown();
    EXPECT_NE(text.find("# Needles\n"), std::string::npos);
    EXPECT_NE(text.find("## You\n\nhi\n"), std::string::npos);
    EXPECT_NE(text.find("## demo\n\nHello\n"), std::string::npos);
}

TEST_F(ChatTest, WhatTheModelIsToldBehindASummary) {
    Chat chat(home / "told.jsonl");
    ChatInfo info;
    info.system = "Be brief.", info.on_full = OnFull::summarise;
    chat.set_info(info);
    const auto say = [&](const char* role, const char* text) { return chat.add({.parent = chat.tip(), .role = role, .text = text}); };
    say("user", "one"), say("assistant", "two");
    const int u = say("user", "three"), a = say("assistant", "four");
    EXPECT_EQ(chat.told(a).system, "Be brief.");
    EXPECT_EQ(chat.told(a).ids.size(), 4u);
    const int s = say("summary", "We counted.");
    EXPECT_EQ(chat.told(s).system, "Be brief.\n\nWhat was said so far: We counted.");
    EXPECT_EQ(chat.told(s).ids, (std::vector<int>{u, a}));
    const int v = say("user", "five"), b = say("assistant", "six");
    EXPECT_EQ(chat.told(b).ids, (std::vector<int>{u, a, v, b}));
    EXPECT_EQ(chat.told(a).ids.size(), 4u) << "before it, everything";
    say("summary", "We counted on.");
    const int w = say("user", "seven");
    EXPECT_EQ(chat.told(w).system, "Be brief.\n\nWhat was said so far: We counted on.");
    EXPECT_EQ(chat.told(w).ids, (std::vector<int>{v, b, w}));
    chat.add({.parent = w, .role = "summary", .text = "Alone.", .alone = true});
    EXPECT_TRUE(chat.told(chat.tip()).ids.empty()) << "the exchange before it was too long to stay";
    chat.stand(w);
    say("summary", "And again.");
    const int x = say("summary", "Twice.");
    EXPECT_EQ(chat.told(x).system, "Be brief.\n\nWhat was said so far: Twice.");
    EXPECT_EQ(chat.line().size(), 11u) << "nothing is lost";
    ASSERT_TRUE(chat.save(true));
    std::string note;
    const auto again = Chat::open(home / "told.jsonl", note);
    ASSERT_TRUE(again);
    expect_same(chat, **again);
    EXPECT_EQ((*again)->info().on_full, OnFull::summarise);
    EXPECT_EQ((*again)->message(s).role, "summary");
    const std::string json = chat.export_json();
    EXPECT_EQ(json.substr(json.find("\"messages\""), json.find("\"stand\"") - json.find("\"messages\"")).find("summary"), std::string::npos)
        << "nobody else knows the role";
    EXPECT_NE(chat.export_markdown().find("## Summary"), std::string::npos);
}

TEST_F(ChatTest, OneRuleSaysWhetherTheLastExchangeStays) {
    const auto letters = [](const Part& part) { return static_cast<int64_t>(part.text.size()); };
    const std::vector<Part> line{
        {std::string(kToolsRole), "[]"}, {"system", "Be."}, {"user", "one"}, {"assistant", "two"}, {"user", "three"}, {"assistant", "four"}};
    const auto roles = [&](int64_t context) {
        std::string all;
        for (const Part& part : after_summary(line, "We counted.", letters, context)) all += part.role + ":" + part.text + " ";
        return all;
    };
    const std::string front = "tool_declare:[] system:Be.\n\nWhat was said so far: We counted. ";
    // 2 + 3 + 5 + 4 letters and 16 for the summary are 30: three quarters of 40.
    EXPECT_EQ(roles(40), front + "user:three assistant:four ");
    EXPECT_EQ(roles(39), front);
    EXPECT_TRUE(exchange_stays(14, 40));
    EXPECT_FALSE(exchange_stays(15, 40));
}

}  // namespace
}  // namespace klp

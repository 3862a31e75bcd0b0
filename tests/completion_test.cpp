// The stream of a server's answer, cut anywhere and wrong in every way, and what a client makes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/serve/completion.h"
#include "core/serve/event_stream.h"

namespace klp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> events(EventStream& stream, std::string_view bytes) { return stream.push(bytes).value_or(std::vector<std::string>{"too large"}); }

TEST(EventStream, EventsAreTheSameHoweverTheBytesAreCut) {
    const std::string bytes =
        "\xEF\xBB\xBF: hello\n\ndata: one\n\ndata:two\r\n\r\nevent: message\rdata: three\rdata: more\r\rid: 7\nretry: 10\n\ndata\n\ndata:  blank\n\n: ping\n\n"
        "datax: no\n\ndata: [DONE]\n\n";
    for (size_t cut = 1; cut <= bytes.size(); ++cut) {
        EventStream stream;
        std::vector<std::string> all;
        for (size_t at = 0; at < bytes.size(); at += cut)
            for (std::string& data : events(stream, std::string_view(bytes).substr(at, cut))) all.push_back(std::move(data));
        EXPECT_THAT(all, ElementsAre("one", "two", "three\nmore", "", " blank", "[DONE]")) << cut;
        EXPECT_EQ(stream.finish(), "");
    }
}

TEST(EventStream, HalfAnEventIsToldAtTheEndOnly) {
    EventStream stream;
    EXPECT_THAT(events(stream, "data: {\"a\":"), IsEmpty());
    EXPECT_THAT(events(stream, " 1"), IsEmpty());
    EXPECT_EQ(stream.finish(), "{\"a\": 1");
    EXPECT_EQ(stream.finish(), "");
}

TEST(EventStream, ALineWithoutAnEndIsBounded) {
    for (const std::string line : {"data: ", ": comment ", "x"}) {
        EventStream stream;
        const std::string piece(1 << 20, 'a');
        EXPECT_THAT(events(stream, line), IsEmpty());
        int taken = 0;
        while (stream.push(piece) && taken < 100) ++taken;
        EXPECT_LT(taken, 17);
        EXPECT_FALSE(stream.push("\n\n"));
    }
    EventStream many;  // lines that end, of an event that does not
    int taken = 0;
    while (many.push("data: " + std::string(1 << 20, 'a') + "\n") && taken < 100) ++taken;
    EXPECT_LT(taken, 17);
}

std::string said(const std::string& delta, const std::string& more = "") {
    return "data: {\"model\": \"m\", \"choices\": [{\"index\": 0, \"delta\": " + delta + more + "}]}\n\n";
}

struct Heard {
    std::string text, reasoning, trouble;
    ServedAnswer answer;
    int tokens = 0;
};
Heard hear(const std::string& bytes, size_t cut = 7, int64_t calls = 0) {
    AnswerListener listener(calls);
    Heard out;
    const auto take = [&](const std::vector<ServedPiece>& pieces) {
        for (const ServedPiece& p : pieces) out.text += p.text, out.reasoning += p.reasoning, out.tokens += static_cast<int>(p.tokens.size());
    };
    for (size_t at = 0; at < bytes.size() && out.trouble.empty(); at += cut) {
        std::vector<ServedPiece> pieces;
        if (const auto heard = listener.push(std::string_view(bytes).substr(at, cut), pieces); !heard) out.trouble = heard.error().message;
        take(pieces);
    }
    std::vector<ServedPiece> rest;
    const auto finished = listener.finish(rest);
    take(rest);
    if (out.trouble.empty() && !finished) out.trouble = finished.error().message;
    out.answer = listener.answer();
    return out;
}

TEST(AnswerListener, TextUsageAndEnd) {
    const Heard h =
        hear(said("{\"role\": \"assistant\", \"content\": \"\"}") + said("{\"content\": \" Hel\"}") + said("{\"content\": \"lo\"}") +
             said("{}", ", \"finish_reason\": \"stop\"") +
             "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 2, \"prompt_tokens_details\": {\"cached_tokens\": 4}}}\n\n"
             "data: [DONE]\n\n");
    EXPECT_EQ(h.trouble, "");
    EXPECT_EQ(h.text, " Hello");
    EXPECT_EQ(h.answer.text, " Hello");
    EXPECT_EQ(h.answer.finish, "stop");
    EXPECT_EQ(h.answer.model, "m");
    EXPECT_EQ(h.answer.prompt_tokens, 9);
    EXPECT_EQ(h.answer.tokens, 2);
    EXPECT_EQ(h.answer.cached_tokens, 4);
    EXPECT_EQ(h.answer.pieces, 2);
}

TEST(AnswerListener, ReasoningIsApartInEveryForm) {
    const std::string end = said("{}", ", \"finish_reason\": \"stop\"");
    for (const std::string& stream : {said("{\"reasoning_content\": \"think\"}") + said("{\"content\": \"\\n\\n\"}") + said("{\"content\": \"say\"}") + end,
                                      said("{\"reasoning\": \"think\"}") + said("{\"content\": \"say\"}") + end,
                                      said("{\"content\": \"<thi\"}") + said("{\"content\": \"nk>thi\"}") + said("{\"content\": \"nk</th\"}") +
                                          said("{\"content\": \"ink>\\n\\nsay\"}") + end,
                                      said("{\"content\": \"\\n <think>think</think>say\"}") + end}) {
        const Heard h = hear(stream);
        EXPECT_EQ(h.reasoning, "think") << stream;
        EXPECT_EQ(h.text.substr(h.text.find_first_not_of('\n')), "say") << stream;
        EXPECT_EQ(h.trouble, "");
    }
    EXPECT_EQ(hear(said("{\"content\": \"<thin ice\"}") + end).text, "<thin ice");
    EXPECT_EQ(hear(said("{\"content\": \"a <think> b\"}") + end).text, "a <think> b");
    EXPECT_EQ(hear(said("{\"content\": \"<th\"}") + end).text, "<th");
    EXPECT_EQ(hear(said("{\"content\": \"  \"}") + end).text, "  ");
}

TEST(AnswerListener, CallsOfToolsComeInPieces) {
    const Heard h =
        hear(said("{\"tool_calls\": [{\"index\": 0, \"id\": \"call_x\", \"type\": \"function\", \"function\": {\"name\": \"ping\", \"arguments\": \"\"}}]}") +
                 said("{\"tool_calls\": [{\"index\": 0, \"function\": {\"arguments\": \"{\\\"a\\\"\"}}]}") +
                 said("{\"tool_calls\": [{\"index\": 0, \"function\": {\"arguments\": \": 1}\"}}]}") +
                 said("{\"tool_calls\": [{\"index\": 1, \"id\": \"functions.pong:9\", \"function\": {\"name\": \"pong\"}}]}") +
                 said("{}", ", \"finish_reason\": \"tool_calls\"") + "data: [DONE]\n\n",
             7, 3);
    EXPECT_THAT(h.answer.calls, ElementsAre(ToolCall{"functions.ping:3", "{\"a\": 1}"}, ToolCall{"functions.pong:9", "{}"}));
}

TEST(AnswerListener, LogProbabilitiesBecomeProbabilities) {
    const Heard h = hear(said("{\"content\": \"a\"}",
                              ", \"logprobs\": {\"content\": [{\"token\": \"a\", \"logprob\": -0.6931471806, \"bytes\": [97], "
                              "\"top_logprobs\": [{\"token\": \"b\", \"logprob\": -9999}, {\"token\": \"a\", \"logprob\": "
                              "-0.6931471806}]}]}, \"finish_reason\": \"length\""));
    EXPECT_EQ(h.tokens, 1);
    AnswerListener listener;
    std::vector<ServedPiece> pieces;
    ASSERT_TRUE(listener.push(said("{\"content\": \"\"}",
                                   ", \"logprobs\": {\"content\": [{\"token\": \"?\", \"logprob\": -0.6931471806, \"bytes\": [195], "
                                   "\"top_logprobs\": [{\"token\": \"b\", \"logprob\": -9999}, {\"token\": \"?\", \"bytes\": [195], "
                                   "\"logprob\": -0.6931471806}]}]}"),
                              pieces));
    ASSERT_EQ(pieces.size(), 1u);
    const ServedToken& token = pieces[0].tokens[0];
    EXPECT_EQ(token.bytes, "\xC3");
    EXPECT_NEAR(token.probability, 0.5, 1e-6);
    EXPECT_EQ(token.top[0].first, "\xC3");
    EXPECT_EQ(token.top[1].second, 0);
}

TEST(AnswerListener, WhatIsWrongIsASentence) {
    const std::string begun = said("{\"content\": \"Hel\"}");
    EXPECT_EQ(hear(begun).trouble, "the answer was broken off");
    EXPECT_EQ(hear(begun + "data: {\"choices\": [{\"delta\": {\"content\": \"lo\"").trouble, "the answer was broken off");
    EXPECT_EQ(hear(begun + "data: {\"choices\": [{\"delta\": {\"content\": \"lo\"}, \"finish_reason\": \"stop\"}]}").text, "Hello");  // no empty line behind it
    EXPECT_EQ(hear(begun + "data: [DONE]").trouble, "");
    EXPECT_EQ(hear(begun + "data: {\"error\": {\"message\": \"out of pages\", \"code\": 503}}\n\n").trouble, "out of pages");
    EXPECT_EQ(hear(begun + "data: {\"error\": \"plainly\"}\n\n").trouble, "plainly");
    EXPECT_EQ(hear("data: {\"object\": \"error\", \"message\": \"old form\"}\n\n").trouble, "old form");
    EXPECT_THAT(hear(begun + "data: <html>\n\n").trouble, HasSubstr("is not valid JSON"));
    EXPECT_THAT(hear("data: {\"hello\": 1}\n\n").trouble, HasSubstr("no choices"));
    EXPECT_THAT(hear("data: [1]\n\n").trouble, HasSubstr("no choices"));
    for (size_t cut : {1, 7, 1000}) EXPECT_EQ(hear(begun + "data: {\"error\": \"x\"}\n\n", cut).text, "Hel");
    for (const std::string odd :
         {"{\"choices\": [7, null, {\"delta\": 3}, {\"delta\": {\"content\": 3, \"tool_calls\": {}}}, {\"delta\": {\"tool_calls\": [1]}}]}",
          "{\"choices\": [{\"logprobs\": {\"content\": [1, {\"bytes\": [999], \"token\": 3, \"top_logprobs\": [null]}]}}], \"usage\": 3}",
          "{\"choices\": [], \"usage\": {\"prompt_tokens\": -1, \"completion_tokens\": 1e300, \"prompt_tokens_details\": 1}}"})
        EXPECT_EQ(hear("data: " + odd + "\n\ndata: [DONE]\n\n").trouble, "") << odd;
}

TEST(AnswerListener, AnAnswerThatIsNotStreamedIsOneToo) {
    AnswerListener listener;
    std::vector<ServedPiece> pieces, rest;
    ASSERT_TRUE(listener.take(
        "{\"choices\": [{\"message\": {\"content\": \"all at once\"}, \"finish_reason\": \"stop\"}], \"usage\": {\"completion_tokens\": 3}}", pieces));
    EXPECT_TRUE(listener.finish(rest));
    EXPECT_EQ(listener.answer().text, "all at once");
    EXPECT_EQ(listener.answer().tokens, 3);
}

TEST(CompletionBody, SaysWhatWasSaidAndNothingElse) {
    ServedRequest r{.model = "m", .messages = {{.role = "user", .content = "hi \xff"}}};
    auto j = nlohmann::json::parse(completion_body(r));
    EXPECT_EQ(j, nlohmann::json::parse("{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"hi \xEF\xBF\xBD\"}], \"stream\": true, "
                                       "\"stream_options\": {\"include_usage\": true}}"));
    r.sampling.temperature = 0.7f, r.sampling.seed = UINT64_MAX, r.predict = 5, r.top = 30, r.tools = "[{\"type\": \"function\"}]";
    r.messages = {{.role = "assistant", .content = "", .tool_calls = {{"functions.ping:0", "{}"}}},
                  {.role = "tool", .content = "pong", .tool_call_id = "functions.ping:0"}};
    j = nlohmann::json::parse(completion_body(r));
    EXPECT_EQ(j["temperature"].dump(), "0.7");
    EXPECT_EQ(j["seed"], INT64_MAX);
    EXPECT_EQ(j["max_tokens"], 5);
    EXPECT_EQ(j["top_logprobs"], 20);
    EXPECT_EQ(j["tools"].size(), 1u);
    EXPECT_EQ(j["messages"][0]["tool_calls"][0]["function"]["name"], "ping");
    EXPECT_EQ(j["messages"][1]["tool_call_id"], "functions.ping:0");
}

}  // namespace
}  // namespace klp

#include "core/runs/served_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <utility>

#include "core/system.h"
#include "core/text/tool_calls.h"

namespace klp {

namespace {

// What an AnswerReader knows calls of tools by. Behind them ids that stand for tokens of prompts.
enum ServedControl : int32_t { section_begin, section_end, call_begin, call_argument, call_end, prompt_first = 16 };
constexpr int32_t kPromptIds = 512;
constexpr int kTold = 10;              // candidates of a token
constexpr size_t kTimes = 8;           // tokens whose time is told as a mean
constexpr int64_t kGlanceSeconds = 5;  // between two looks whether a server without figures is there
const std::string kThinkBegins = "<think>", kThinkEnds = "</think>\n\n";

std::shared_ptr<const Tokenizer> control_tokens() {
    std::map<int32_t, Tokenizer::Piece> pieces{{section_begin, {"<|tool_calls_section_begin|>", true}},
                                               {section_end, {"<|tool_calls_section_end|>", true}},
                                               {call_begin, {"<|tool_call_begin|>", true}},
                                               {call_argument, {"<|tool_call_argument_begin|>", true}},
                                               {call_end, {"<|tool_call_end|>", true}}};
    for (int32_t i = 0; i < kPromptIds; ++i) pieces[prompt_first + i] = {"…", false};
    return std::make_shared<const Tokenizer>(Tokenizer::of_pieces(std::move(pieces)));
}

std::string host_of(const std::string& url) {
    const size_t host = url.find("//") + 2;
    return url.substr(host, std::min(url.find('/', host), url.size()) - host);
}

}  // namespace

int32_t ServedVocabulary::id_of(const std::string& bytes) {
    const std::lock_guard lock(mutex_);
    const auto [at, is_new] = ids_.try_emplace(bytes, kFirst + static_cast<int32_t>(bytes_.size()));
    if (is_new) bytes_.push_back(bytes);
    return at->second;
}

std::string ServedVocabulary::bytes(int32_t id) const {
    const std::lock_guard lock(mutex_);
    return id >= kFirst && static_cast<size_t>(id - kFirst) < bytes_.size() ? bytes_[static_cast<size_t>(id - kFirst)] : "";
}

const ServedCard* served_card(const RunCard* card) {
    return card && card->recorded.empty() && card->device.name == kElsewhere ? static_cast<const ServedCard*>(card) : nullptr;
}

ServedRequest served_request(const std::vector<Part>& line) {
    ServedRequest out;
    std::vector<ToolCall> calls;  // of the last answer
    for (const Part& part : line) {
        if (part.role == kToolsRole) {
            out.tools = part.text;
            continue;
        }
        Message m{.role = part.role, .content = part.text, .tool_calls = part.tool_calls};
        if (part.role == "assistant") {
            calls = part.tool_calls;
            if (const size_t end = m.content.find(kThinkEnds); end != m.content.npos && m.content.starts_with(kThinkBegins))
                m.content.erase(0, end + kThinkEnds.size());  // no model is told what was thought before
        }
        for (const ToolCall& call : calls) {
            const std::string head = tool_return(call.id, "");
            if (part.role == "tool" && m.content.starts_with(head)) m.tool_call_id = call.id, m.content.erase(0, head.size());
        }
        out.messages.push_back(std::move(m));
    }
    return out;
}

ServedRun::ServedRun(Server server, const ServedModel& model, const std::optional<ModelConfig>& shape) : server_(std::move(server)) {
    card_ = std::make_shared<ServedCard>();
    card_->url = server_.url;
    card_->name = model.id, card_->folder = server_.url, card_->weights = "served";
    card_->device = {.name = kElsewhere, .hardware = server_.url, .detail = "OpenAI's API at " + host_of(server_.url)};
    card_->shape_known = shape.has_value();
    if (shape) {
        card_->config = *shape;
    } else {
        card_->config.num_hidden_layers = 1;  // so that nothing that counts layers meets none
        card_->config.layer_kinds = {"mla"};
    }
    card_->tokenizer = control_tokens();
    card_->context = model.context;
    events_.push_back(Loaded{card_});
    events_.push_back(PhaseChanged{Phase::ready});
    thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
    looker_ = std::jthread([this](std::stop_token stop) { look(stop); });
}

ServedRun::~ServedRun() {
    leaves_ = true;
    thread_.request_stop(), looker_.request_stop();
    cancel();
    wake_.notify_all();
    thread_.join(), looker_.join();
}

void ServedRun::post(Command command) {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
    ++posted_;
    wake_.notify_all();
}

void ServedRun::cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_until_ = posted_;
    cancel_ = true;
}

std::vector<Event> ServedRun::drain() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
}

void ServedRun::tell(Event event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
}

void ServedRun::loop(std::stop_token stop) {
    while (!stop.stop_requested()) {
        Command command;
        {
            std::unique_lock lock(mutex_);
            if (!wake_.wait(lock, stop, [&] { return !commands_.empty(); })) break;
            command = std::move(commands_.front());
            commands_.pop_front();
            cancel_ = ++begun_ <= cancelled_until_;
        }
        const auto* ask = std::get_if<MakeAnswer>(&command);
        try {
            handle(command);
        } catch (const std::exception& e) {
            tell(Trouble{{Error::device, e.what()}, "The text is kept.", ask ? ask->answer : -1});
        }
        tell(PhaseChanged{loaded_ ? Phase::ready : Phase::empty});
    }
}

void ServedRun::look(std::stop_token stop) {
    ServedStatus& status = *card_->status;
    bool tells = true;  // its figures
    for (int64_t seconds = 0; !stop.stop_requested(); ++seconds) {
        const std::map<std::string, double> metrics = tells ? served_metrics(server_, &leaves_) : std::map<std::string, double>();
        std::optional<Error> trouble;
        // One that makes an answer may have no time for another question.
        const bool asks = metrics.empty() && !making_ && (tells || !status.answers || failed_ || seconds % kGlanceSeconds == 0);
        if (asks) {
            if (const auto models = served_models(server_, &leaves_); !models) trouble = models.error();
            if (!trouble) tells = false, failed_ = false;
        }
        if (leaves_) return;
        {
            const std::lock_guard lock(status.mutex);
            status.load = served_load(metrics);
            if (asks) status.trouble = trouble ? trouble->message : "";
        }
        if (asks || !metrics.empty()) {
            if (!trouble && !status.answers.exchange(!trouble)) tells = true;  // another one, maybe
            status.answers = !trouble;
        }
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
    }
}

void ServedRun::handle(const Command& command) {
    if (const auto* ask = std::get_if<MakeAnswer>(&command)) return answer(*ask);
    if (const auto* cost = std::get_if<AskCost>(&command)) return tell(CostKnown{cost->request, {}});
    if (const auto* apart = std::get_if<Compare>(&command)) return tell(Compared{apart->request, Retraced::End::stopped});
    if (const auto* again = std::get_if<Retrace>(&command)) return tell(Retraced{Retraced::End::whole, again->tokens});
    if (std::holds_alternative<GoTo>(command)) {
        position_ = 0;
        tell(PromptFed{0, {}});
        return tell(Moved{});
    }
    if (std::holds_alternative<StartRace>(command))
        return tell(Trouble{{Error::usage, "a race needs the engine's inside, which a server does not show"},
                            "klp sweep --url URL --url URL measures two servers beside each other."});
    if (std::holds_alternative<UnloadModel>(command)) {
        loaded_ = false;
        return tell(Unloaded{});
    }
}

// Where the server has a tokenizer that counts messages, positions are the sequence's own; else they count what is made.
int64_t ServedRun::feed(const ServedRequest& request) {
    const int64_t tokens = served_prompt_tokens(server_, request, &cancel_);
    if (tokens <= 0) return 0;
    // Another prompt has other ids, so that what is known of one line is not taken for another's.
    size_t hash = 0;
    for (const Message& m : request.messages) hash = hash * 31 + std::hash<std::string>()(m.role + "\n" + m.content);
    if (position_ > tokens) position_ = 0;
    std::vector<int32_t> ids;
    for (int64_t i = position_; i < tokens; ++i) ids.push_back(prompt_first + static_cast<int32_t>((hash >> (i % 7 * 9)) % kPromptIds));
    tell(PromptFed{position_, std::move(ids)});
    return position_ = tokens;
}

void ServedRun::answer(const MakeAnswer& ask) {
    making_ = true;
    const auto made_it = [this](void*) { making_ = false; };
    const std::unique_ptr<void, decltype(made_it)> resting(this, made_it);
    if (!loaded_) return tell(Trouble{{Error::usage, "no model is loaded"}, "Load one first.", ask.answer});
    ServedRequest request = served_request(ask.line);
    if (request.messages.empty()) return tell(Trouble{{Error::usage, "there is nothing to answer"}, "", ask.answer});
    request.model = card_->name;
    const Sampling& s = ask.sampling;
    request.sampling = {.temperature = s.temperature, .seed = s.seed};
    if (s.top_k > 0) request.sampling.top_k = s.top_k;
    if (s.top_p < 1) request.sampling.top_p = s.top_p;
    if (s.min_p > 0) request.sampling.min_p = s.min_p;
    if (s.penalises()) request.sampling.repeat_penalty = s.repeat_penalty;
    request.predict = ask.predict;
    request.top = tells_candidates_ ? kTold : 0;  // whatever is looked at now: they cannot be asked for later
    tell(AnswerBegun{ask.answer, ask.line, ask.sampling});
    tell(PhaseChanged{Phase::prefill, 0, 1});
    const int64_t prompt = feed(request);
    if (card_->context > 0 && prompt > 0) request.predict = std::clamp<int64_t>(card_->context - prompt, 1, ask.predict);  // more would be refused
    int64_t made = 0;
    std::deque<std::pair<int64_t, bool>> times{
        {now_ns(), true}};  // of the last tokens, and whether one waited: several come in a packet, so one's time is a mean
    bool decoding = false, waited = false;
    const auto memory = [&](int64_t tokens) {
        if (!card_->shape_known) return MemoryUse{};
        const SequenceBytes b = sequence_bytes(card_->config, (tokens + kMlaPage - 1) / kMlaPage * kMlaPage, card_->cache_value_bytes);
        return MemoryUse{b.state, b.conv, b.cache};
    };
    const auto make = [&](int32_t id, std::string text, const ServedToken* token) {
        const int64_t now = now_ns();
        TokenMade e{.answer = ask.answer, .position = position_++, .id = id, .text = std::move(text)};
        const bool known = made == 0 || waited || std::any_of(times.begin() + 1, times.end(), [](const auto& t) { return t.second; });
        e.nanoseconds = known ? (now - times.front().first) / static_cast<int64_t>(times.size()) : 0;  // 0: nobody knows
        if (made == 0) times.clear();
        times.emplace_back(now, std::exchange(waited, false));
        if (times.size() > kTimes) times.pop_front();
        e.probability = e.entropy = NAN, e.rank = -1;
        if (token) {
            e.probability = token->probability;
            for (const auto& [bytes, p] : token->top) e.top.push_back({card_->words->id_of(bytes), p});
            const auto here = std::find_if(e.top.begin(), e.top.end(), [&](const Candidate& c) { return c.id == id; });
            e.rank = static_cast<int>(here - e.top.begin());
        }
        e.memory = memory(position_);
        ++made;
        tell(std::move(e));
    };
    bool thinks = false;  // what it thinks stands in front of the answer, between tags
    const OnPiece on_piece = [&](const ServedPiece& piece, const ServedAnswer&) {
        waited = waited || piece.waited;
        if (!std::exchange(decoding, true)) tell(PhaseChanged{Phase::decoding});
        if (!piece.reasoning.empty()) make(card_->words->id_of(piece.reasoning), (std::exchange(thinks, true) ? "" : kThinkBegins) + piece.reasoning, nullptr);
        if (!piece.text.empty() && std::exchange(thinks, false)) make(card_->words->id_of(kThinkEnds), kThinkEnds, nullptr);
        std::string told;
        for (const ServedToken& token : piece.tokens) told += token.bytes;
        if (!piece.tokens.empty() && told == piece.text) {
            for (const ServedToken& token : piece.tokens) make(card_->words->id_of(token.bytes), token.bytes, &token);
        } else if (!piece.text.empty()) {
            make(card_->words->id_of(piece.text), piece.text, piece.tokens.size() == 1 ? &piece.tokens[0] : nullptr);
        }
    };
    auto reply = ask_server(server_, request, on_piece, &cancel_);
    if (!reply && request.top > 0 && reply.error().kind != Error::interrupted) {  // some refuse log probabilities
        request.top = 0;
        if (auto again = ask_server(server_, request, on_piece, &cancel_)) tells_candidates_ = false, reply = std::move(again);
    }
    failed_ = (!reply && reply.error().kind != Error::interrupted) || (reply && reply->trouble && reply->trouble->kind != Error::interrupted);
    if (!reply) return tell(Trouble{reply.error(), "What was said is kept; send it again when the server answers.", ask.answer});
    for (const ToolCall& call : reply->answer.calls) {
        const bool first = &call == &reply->answer.calls.front(), end = &call == &reply->answer.calls.back();
        if (first) make(section_begin, "", nullptr);
        make(call_begin, "", nullptr);
        make(card_->words->id_of(call.id), call.id, nullptr);
        make(call_argument, "", nullptr);
        make(card_->words->id_of(call.arguments), call.arguments, nullptr);
        make(call_end, "", nullptr);
        if (end) make(section_end, "", nullptr);
    }
    const ServedAnswer& a = reply->answer;
    AnswerDone done{.answer = ask.answer, .tokens = a.tokens >= 0 ? a.tokens : made, .prompt_tokens = std::max<int64_t>(a.prompt_tokens, 0)};
    done.end = a.finish == "length" ? Generation::End::budget : reply->trouble ? Generation::End::cancelled : Generation::End::stop_token;
    done.first_token_ns = done.prefill_ns = reply->times.first_token_ns();
    // Of all its tokens, as if the first had taken as long as the others; 0: nobody knows.
    if (const double rate = reply->tokens_per_second(); std::isfinite(rate)) done.decode_ns = std::llround(static_cast<double>(done.tokens) * 1e9 / rate);
    done.seed = ask.sampling.seed;
    done.memory = memory(a.prompt_tokens >= 0 && a.tokens >= 0 ? a.prompt_tokens + a.tokens : prompt + made);
    if (reply->trouble && reply->trouble->kind != Error::interrupted) return tell(Trouble{*reply->trouble, "What came of the answer is kept.", ask.answer});
    tell(std::move(done));
}

}  // namespace klp

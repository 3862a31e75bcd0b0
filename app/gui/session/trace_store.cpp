#include "app/gui/session/trace_store.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "core/system.h"

namespace klp::gui {

namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kRowBytes = 200;     // of a token on the shelf, without readings and candidates
constexpr int64_t kAroundFocus = 256;  // tokens

float quantile(std::vector<float>& values, double q) {
    if (values.empty()) return kUnknown;
    const auto at = values.begin() + static_cast<int64_t>(q * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

bool fill(float& to, float from) {
    if (!std::isnan(to) || std::isnan(from)) return false;
    to = from;
    return true;
}

}  // namespace

int64_t trace_budget() { return std::clamp<int64_t>(system_memory().total / 32, int64_t{64} << 20, int64_t{512} << 20); }

void TraceStore::begin(std::shared_ptr<const RunCard> card) {
    cut(0);
    hands_.reset();
    card_ = std::move(card);
    shape_ = card_ ? card_->shape : TraceShape();
    if (live()) {
        const uint64_t before = std::exchange(shelf_model_, card_->identity);
        if (before == 0 || before != shelf_model_) shelf_.clear(), shelf_bytes_ = 0;
    }
    ++history_;
    newest_ = -1, thinned_ = 0, focus_ = -1;
}

void TraceStore::cut(int64_t position) {
    if (position >= size()) return;
    Piece piece{position, {std::make_move_iterator(tokens_.begin() + position), std::make_move_iterator(tokens_.end())}};
    tokens_.resize(static_cast<size_t>(position));
    for (const Token& t : piece.tokens) bytes_ -= t.bytes(), piece.bytes += t.bytes() + kRowBytes;
    ++history_;
    thinned_ = std::min(thinned_, position);
    if (live() && std::any_of(piece.tokens.begin(), piece.tokens.end(), [](const Token& t) { return t.row.made || !t.readings.empty(); })) {
        shelf_bytes_ += piece.bytes;
        shelf_.push_back(std::move(piece));
        thin();
    }
    find_newest();
}

void TraceStore::append(TokenRow row, std::vector<Candidate> top) {
    Token token{behind(), std::move(row), {}, std::move(top)};
    bytes_ += token.bytes();
    tokens_.push_back(std::move(token));
}

void TraceStore::fed(const PromptFed& event) {
    const int64_t first = std::clamp<int64_t>(event.first, 0, size());
    cut(first);
    hands_ = event.hands;
    for (int32_t id : event.ids) {
        TokenRow row;
        row.id = id;
        if (card_ && card_->tokenizer) row.text = std::string(card_->tokenizer->bytes(id));
        append(std::move(row), {});
    }
    for (const Span& a : event.answers)
        for (int64_t p = std::max(a.first, first); p < std::min(a.last, size()); ++p) {
            TokenRow& row = tokens_[static_cast<size_t>(p)].row;
            row.made = true;
            if (card_ && card_->tokenizer && card_->tokenizer->is_special(row.id)) row.text.clear();
        }
    for (auto piece = shelf_.rbegin(); live() && piece != shelf_.rend(); ++piece) take_from(*piece, first);
    std::erase_if(shelf_, [](const Piece& p) { return p.tokens.empty(); });
    find_newest();
}

void TraceStore::made(const TokenMade& event) {
    if (event.position < 0 || event.position > size()) return;  // a screen that began in the middle
    cut(event.position);
    TokenRow row;
    row.id = event.id, row.made = true, row.answer = event.answer, row.text = event.text;
    row.nanoseconds = static_cast<float>(event.nanoseconds), row.probability = event.probability;
    if (!event.top.empty()) row.entropy = event.entropy, row.rank = event.rank;
    append(std::move(row), event.top);
    thin();
}

void TraceStore::read(Readings&& event) {
    if (event.position < 0 || event.position >= size()) return;
    if (event.position <= newest_) ++history_;
    add_readings(tokens_[static_cast<size_t>(event.position)], std::move(event.values));
    newest_ = std::max(newest_, event.position);
    thin();
}

void TraceStore::weighed(const Considered& event) {
    if (event.position < 0 || event.position >= size()) return;
    Token& token = tokens_[static_cast<size_t>(event.position)];
    ++history_;
    token.row.probability = event.probability, token.row.entropy = event.entropy, token.row.rank = event.rank;
    bytes_ -= token.bytes();
    token.top = event.top;
    bytes_ += token.bytes();
}

// What was read before stays where the new readings say nothing.
void TraceStore::add_readings(Token& token, std::vector<float>&& values) {
    bytes_ -= token.bytes();
    if (token.readings.size() == values.size()) {
        for (size_t i = 0; i < values.size(); ++i)
            if (std::isnan(values[i])) values[i] = token.readings[i];
    }
    token.readings = std::move(values);
    bytes_ += token.bytes();
    summarise(token.row, token.readings);
}

bool TraceStore::take(Token& to, Token&& from) {
    bool something = false;
    if (from.row.made && !to.row.made) to.row.made = something = true;
    if (to.row.text.empty()) to.row.text = std::move(from.row.text);
    if (to.row.answer < 0) to.row.answer = from.row.answer;
    something |= fill(to.row.nanoseconds, from.row.nanoseconds);
    fill(to.row.probability, from.row.probability);
    if (fill(to.row.entropy, from.row.entropy)) to.row.rank = from.row.rank;
    bytes_ -= to.bytes();
    if (to.top.size() < from.top.size()) to.top = std::move(from.top), something = true;
    bytes_ += to.bytes();
    fill(to.row.state_norm, from.row.state_norm), fill(to.row.state_norm_p95, from.row.state_norm_p95);
    fill(to.row.update_norm, from.row.update_norm), fill(to.row.mean_log_decay, from.row.mean_log_decay);
    if (from.readings.size() != static_cast<size_t>(shape_.size()) || from.readings.empty()) return something;
    if (!to.readings.empty())  // the newer ones hold
        for (size_t i = 0; i < from.readings.size(); ++i)
            if (!std::isnan(to.readings[i])) from.readings[i] = to.readings[i];
    add_readings(to, std::move(from.readings));
    return true;
}

// The tokens of a piece from position `from` on that this line has too give what they know. The first that did.
std::optional<int64_t> TraceStore::take_from(Piece& piece, int64_t from) {
    const int64_t begin = std::max(piece.first, from), end = std::min(size(), piece.first + static_cast<int64_t>(piece.tokens.size()));
    std::optional<int64_t> told;
    int64_t p = begin;
    for (; p < end; ++p) {
        Token& theirs = piece.tokens[static_cast<size_t>(p - piece.first)];
        Token& mine = tokens_[static_cast<size_t>(p)];
        if (theirs.before != mine.before || theirs.row.id != mine.row.id) break;
        const int64_t bytes = theirs.bytes();
        if (take(mine, std::move(theirs)) && !told) told = p;
        piece.bytes -= bytes - theirs.bytes(), shelf_bytes_ -= bytes - theirs.bytes();
    }
    if (told) ++history_;
    if (begin == piece.first && p > begin) {  // it is all in this line now, and goes back to the shelf with it
        int64_t gone = 0;
        for (int64_t i = 0; i < p - begin; ++i) gone += piece.tokens[static_cast<size_t>(i)].bytes() + kRowBytes;
        piece.bytes -= gone, shelf_bytes_ -= gone;
        piece.tokens.erase(piece.tokens.begin(), piece.tokens.begin() + (p - begin));
        piece.first = p;
    }
    return told;
}

std::optional<int64_t> TraceStore::recall(TracePiece&& told) {
    Piece piece{told.first, {}, 0};
    uint64_t before = told.before;
    for (TokenTrace& t : told.tokens) {
        Token token{before, {}, std::move(t.readings), std::move(t.top)};
        before = hash_behind(before, t.id);
        TokenRow& row = token.row;
        row.id = t.id, row.made = t.made, row.nanoseconds = t.nanoseconds, row.probability = t.probability, row.entropy = t.entropy, row.rank = t.rank;
        if (static_cast<int64_t>(token.readings.size()) != shape_.size()) token.readings.clear();
        piece.bytes += token.bytes() + kRowBytes;
        piece.tokens.push_back(std::move(token));
    }
    shelf_bytes_ += piece.bytes;
    const auto first = take_from(piece, 0);
    if (piece.tokens.empty())
        shelf_bytes_ -= piece.bytes;
    else
        shelf_.push_back(std::move(piece));
    find_newest();
    thin();
    return first;
}

void TraceStore::find_newest() {
    for (newest_ = size() - 1; newest_ >= thinned_ && at(newest_).readings.empty();) --newest_;
    if (newest_ < thinned_) newest_ = -1;
}

// The shelf gives way first, then the oldest tokens of the line, but for those that somebody looks at.
void TraceStore::thin() {
    for (; bytes_ + shelf_bytes_ > budget_ && !shelf_.empty(); shelf_.pop_front()) shelf_bytes_ -= shelf_.front().bytes;
    for (; bytes_ > budget_ && thinned_ < size() - 16; ++thinned_) {
        Token& token = tokens_[static_cast<size_t>(thinned_)];
        if (focus_ >= 0 && std::abs(thinned_ - focus_) <= kAroundFocus) continue;
        bytes_ -= token.bytes();
        token.readings = {}, token.top = {};
    }
}

std::span<const float> TraceStore::readings(int64_t position) const {
    if (position < 0 || position >= size()) return {};
    return at(position).readings;
}

const std::vector<Candidate>& TraceStore::top(int64_t position) const {
    static const std::vector<Candidate> none;
    return position < 0 || position >= size() ? none : at(position).top;
}

bool TraceStore::lacks(int64_t position, const Interest& what) const {
    const Token& token = at(position);
    if (what.top > 0 && token.row.made && (what.top > 1 ? token.top.size() < 2 : std::isnan(token.row.entropy))) return true;
    for (int s = 0; s < kSites; ++s) {
        // In a chunk of a prompt a state has its norm at the end only; whoever asks for it asks for what was written too.
        const Site site = static_cast<Site>(s) == Site::state_norm ? Site::update_norm : static_cast<Site>(s);
        if (!what.sites[s] || shape_.layers(site).empty()) continue;
        const auto values = shape_.of(site, shape_.layers(site)[0], token.readings);
        if (values.empty() || std::isnan(values[0])) return true;
    }
    return false;
}

std::optional<Span> TraceStore::missing(const Interest& what, bool all) const {
    const auto among = [&](int64_t first, int64_t last) -> std::optional<Span> {
        first = std::max<int64_t>(0, first), last = std::min(last, size());
        while (first < last && !lacks(first, what)) ++first;
        if (first >= last) return {};
        int64_t end = std::min(last, first + kStretch);
        while (!lacks(end - 1, what)) --end;
        return Span{first, end};
    };
    const int64_t room = most() / 4 * 3;
    if (focus_ >= 0)
        if (auto found = among(focus_ - std::min(room, kAroundFocus), focus_ + std::min(room, kAroundFocus))) return found;
    if (auto found = among(size() - std::min(room, kLookedAt), size())) return found;
    return all ? among(size() - room, size()) : std::nullopt;
}

std::vector<TracePiece> TraceStore::pieces(Stored& stored) const {
    std::vector<TracePiece> all;
    int64_t end = -1;  // of the last piece
    uint64_t before = 0;
    for (int64_t p = 0; p < size(); ++p) {
        const Token& t = at(p);
        if (t.readings.empty() && !t.row.made) continue;
        const auto [known, is_new] = stored.try_emplace(hash_behind(t.before, t.row.id), !t.readings.empty());
        if (!is_new && (known->second || t.readings.empty())) continue;
        known->second = !t.readings.empty();
        if (end != p || t.before != before) all.push_back({p, t.before, {}});  // a piece's later hashes follow from its first
        before = hash_behind(t.before, t.row.id);
        all.back().tokens.push_back({t.row.id, t.row.made, t.row.nanoseconds, t.row.probability, t.row.entropy, t.row.rank, t.top, t.readings});
        end = p + 1;
    }
    return all;
}

void TraceStore::summarise(TokenRow& row, std::span<const float> values) {
    const auto gather = [&](Site site) -> std::vector<float>& {
        scratch_.clear();
        for (int layer : shape_.layers(site))
            for (float v : shape_.of(site, layer, values))
                if (!std::isnan(v)) scratch_.push_back(v);
        return scratch_;
    };
    row.state_norm = quantile(gather(Site::state_norm), 0.5);
    row.state_norm_p95 = quantile(scratch_, 0.95);
    row.update_norm = quantile(gather(Site::update_norm), 0.5);
    // Hundreds of channels a token: summed where they lie. A layer is captured whole or not at all.
    double sum = 0;
    int64_t count = 0;
    for (int layer : shape_.layers(Site::log_decay)) {
        const auto decays = shape_.of(Site::log_decay, layer, values);
        if (decays.empty() || std::isnan(decays[0])) continue;
        float part = 0;
        for (float v : decays) part += v;
        sum += part, count += static_cast<int64_t>(decays.size());
    }
    row.mean_log_decay = count == 0 ? kUnknown : static_cast<float>(sum / static_cast<double>(count));
}

}  // namespace klp::gui

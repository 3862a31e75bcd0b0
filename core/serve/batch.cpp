#include "core/serve/batch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/system.h"

namespace klp {

namespace {

// Tokens of prompts that one pass takes in beside answers that are being made: those wait for it.
constexpr int64_t kBeside = 128;

}  // namespace

struct Batch::Answer {
    BatchRequest request;
    Job cancel = std::make_shared<std::atomic<bool>>(false);
    int64_t begun_ns = now_ns();
    std::unique_ptr<Sequence> sequence;  // once it runs
    std::unique_ptr<Sampler> sampler;
    Choice choice;      // of the pass under way
    int32_t last = -1;  // picked, and fed by the next pass
    bool decodes = false;
    Generation made;
    int64_t cached = 0;

    int64_t left() const { return static_cast<int64_t>(request.prompt.size()) - sequence->position(); }  // of the prompt
    // How much of it the next pass may take: up to where a snapshot is kept.
    int64_t stretch() const {
        int64_t n = std::min(left(), sequence->pass_room());
        for (int64_t mark : request.marks)
            if (mark > sequence->position()) return std::min(n, mark - sequence->position());
        return n;
    }
};

Batch::Batch(std::shared_ptr<const Model> model, const BatchOptions& options)
    : model_(std::move(model)), options_(options), pool_(options.snapshot_bytes), ws_(model_->backend()) {
    context_ = Sequence(model_, options.context).context();
    thread_ = std::thread([this] { run(); });
}

Batch::~Batch() {
    leave();
    thread_.join();
}

void Batch::leave() {
    {
        const std::lock_guard lock(mutex_);
        leaves_ = true;
    }
    work_.notify_all();
}

Result<Batch::Job> Batch::submit(BatchRequest request) {
    const auto n = static_cast<int64_t>(request.prompt.size());
    if (n == 0) return fail(Error::usage, "the prompt has no tokens");
    for (int32_t id : request.prompt)
        if (id < 0 || id >= model_->config().vocab_size)
            return fail(Error::usage,
                        "the prompt has the id " + std::to_string(id) + ", outside the vocabulary of " + std::to_string(model_->config().vocab_size));
    if (n >= context_)
        return fail(Error::usage, "the prompt has " + std::to_string(n) + " tokens, and the context holds " + std::to_string(context_) + " with the answer's");
    if (request.hands)
        if (auto fits = check(*request.hands, model_->config()); !fits) return tl::unexpected(fits.error());
    auto answer = std::make_unique<Answer>();
    answer->request = std::move(request);
    Job job = answer->cancel;
    {
        const std::lock_guard lock(mutex_);
        if (leaves_) return fail(Error::device, "this server is ending");
        if (figures_.running + static_cast<int>(waiting_.size()) >= options_.parallel + options_.waiting)
            return fail(Error::device, std::to_string(waiting_.size()) + " requests are waiting already");
        waiting_.push_back(std::move(answer));
    }
    work_.notify_all();
    return job;
}

BatchFigures Batch::figures() const {
    const std::lock_guard lock(mutex_);
    BatchFigures now = figures_;
    now.waiting = static_cast<int>(waiting_.size());
    return now;
}

void Batch::run() {
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            work_.wait(lock, [&] { return leaves_ || !waiting_.empty() || !running_.empty(); });
            while (!leaves_ && !waiting_.empty() && static_cast<int>(running_.size()) < options_.parallel) {
                running_.push_back(std::move(waiting_.front()));
                waiting_.pop_front();
            }
            figures_.running = static_cast<int>(running_.size());
            if (leaves_) {
                for (auto& a : waiting_) *a->cancel = true, running_.push_back(std::move(a));
                waiting_.clear();
                for (auto& a : running_) *a->cancel = true;
            }
        }
        std::unique_lock<Turns> turn;
        if (options_.turns) turn = std::unique_lock(*options_.turns);
        for (auto it = running_.begin(); it != running_.end();) {
            Answer& a = **it;
            if (!*a.cancel) {
                if (!a.sequence) begin(a);
                ++it;
                continue;
            }
            a.made.end = Generation::End::cancelled;
            end(a, std::move(a.made));
            it = running_.erase(it);
        }
        if (!running_.empty()) step();
        MemoryUse use;
        for (const auto& a : running_)
            if (a->sequence) {
                const MemoryUse own = a->sequence->memory();
                use.state += own.state + own.conv, use.cache += own.cache;
            }
        const std::lock_guard lock(mutex_);
        figures_.running = static_cast<int>(running_.size());
        figures_.state_bytes = use.state, figures_.cache_bytes = use.cache;
        figures_.snapshots = pool_.count(), figures_.snapshot_bytes = pool_.bytes();
        if (leaves_ && running_.empty()) return;
    }
}

// Where a snapshot's tokens begin the prompt, it goes on from there; the prompt's last token is always fed, for its logits.
void Batch::begin(Answer& a) {
    a.sequence = std::make_unique<Sequence>(model_, options_.context);
    a.sampler = std::make_unique<Sampler>(a.request.sampling);
    const bool laid = a.sequence->touch(a.request.hands).has_value();
    KLP_CHECK(laid);  // submit() has looked
    const auto known = std::span<const int32_t>(a.request.prompt).first(a.request.prompt.size() - 1);
    const int64_t seen = static_cast<int64_t>(known.size()) - pool_.cost(*a.sequence, known).replayed;
    if (seen > 0 && pool_.go(*a.sequence, known.first(static_cast<size_t>(seen)), ws_)) a.cached = a.sequence->position();
}

void Batch::step() {
    // Every answer under way gets its next token; prompts share what is left, the first that came first.
    std::vector<Feed> feeds;
    std::vector<Answer*> fed;
    const bool any = std::any_of(running_.begin(), running_.end(), [](const auto& a) { return a->decodes; });
    int64_t room = any ? kBeside : model_->pass_tokens();
    for (const auto& each : running_) {
        Answer& a = *each;
        const int64_t n = a.decodes ? 1 : std::min(a.stretch(), room);
        if (n == 0) continue;
        if (!a.decodes) room -= n;
        const bool picks = a.decodes || n == a.left();
        if (picks) a.choice = a.sampler->next(a.request.candidates);
        const auto tokens = a.decodes ? std::span<const int32_t>(&a.last, 1)
                                      : std::span<const int32_t>(a.request.prompt).subspan(static_cast<size_t>(a.sequence->position()), static_cast<size_t>(n));
        feeds.push_back({.sequence = a.sequence.get(), .tokens = tokens, .choice = picks ? &a.choice : nullptr, .silent = !picks});
        fed.push_back(&a);
    }
    model_->forward(feeds, ws_);
    const int64_t took = ws_.times.total(), now = now_ns();
    int64_t prompt_tokens = 0, generated = 0;

    std::vector<std::pair<Answer*, Result<Generation>>> over;
    for (size_t i = 0; i < fed.size(); ++i) {
        Answer& a = *fed[i];
        Generation& g = a.made;
        if (a.decodes)
            g.decode_ns += took;
        else
            prompt_tokens += static_cast<int64_t>(feeds[i].tokens.size());
        if (!a.decodes && std::find(a.request.marks.begin(), a.request.marks.end(), a.sequence->position()) != a.request.marks.end()) pool_.keep(*a.sequence);
        if (!feeds[i].choice) continue;
        if (!a.decodes) g.prompt_tokens = a.left() == 0 ? static_cast<int64_t>(a.request.prompt.size()) : 0, g.prefill_ns = now - a.begun_ns, a.decodes = true;
        const Picked& picked = ws_.picked[i];
        const int64_t at = a.sequence->position();
        if (picked.id < 0) {
            over.emplace_back(&a, no_number(at));
            continue;
        }
        if (g.tokens.empty()) g.first_token_ns = now - a.begun_ns;
        const bool stops = std::find(a.request.stop.begin(), a.request.stop.end(), picked.id) != a.request.stop.end();
        bool enough = false;
        if (!stops) {
            g.tokens.push_back(picked.id);
            ++generated;
            enough = a.request.on_token && !a.request.on_token({picked.id, at, picked.probability, took, picked.entropy, picked.rank, picked.top});
        }
        a.last = picked.id;
        const bool spent = static_cast<int64_t>(g.tokens.size()) >= a.request.budget, full = a.sequence->room() == 0;
        if (!stops && !enough && !spent && !full) continue;
        g.end = stops ? Generation::End::stop_token : enough ? Generation::End::cancelled : spent ? Generation::End::budget : Generation::End::context;
        if (stops) pool_.keep(*a.sequence);  // the next question of this talk begins with all of this
        over.emplace_back(&a, std::move(g));
    }
    {
        const std::lock_guard lock(mutex_);
        figures_.prompt_tokens += prompt_tokens, figures_.generated_tokens += generated;
        ++figures_.passes, figures_.pass_ns += took;
    }
    for (auto& [a, how] : over) {
        end(*a, std::move(how));
        running_.remove_if([a = a](const auto& one) { return one.get() == a; });
    }
}

void Batch::end(Answer& a, Result<Generation> how) {
    {
        const std::lock_guard lock(mutex_);
        figures_.cached_tokens += a.cached;
        if (figures_.running > 0) --figures_.running;  // whoever hears of its end may ask again
        ++(!how ? figures_.failed : how->end == Generation::End::cancelled ? figures_.broken_off : figures_.finished);
    }
    if (a.request.on_end) a.request.on_end(how, a.cached);
}

}  // namespace klp

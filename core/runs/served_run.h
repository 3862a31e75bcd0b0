// A run whose model another program serves (client.h). It speaks the engine's commands and events as far as a server can: text, times, counts, and the
// candidates of tokens where the server tells log probabilities. What needs the engine's inside it answers with nothing, or with trouble and advice.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/runs/run.h"
#include "core/serve/client.h"

namespace klp {

// Bytes of tokens get ids here, for a server names none. Any thread.
class ServedVocabulary {
public:
    static constexpr int32_t kFirst = 1024;  // below: the control tokens of calls, and what stands for a prompt's tokens
    int32_t id_of(const std::string& bytes);
    std::string bytes(int32_t id) const;  // "": none of ours

private:
    mutable std::mutex mutex_;
    std::map<std::string, int32_t> ids_;
    std::deque<std::string> bytes_;
};

struct ServedStatus {                  // of the server, looked at while it rests too
    std::atomic<bool> answers = true;  // false: nobody does at its address
    std::mutex mutex;                  // of the rest
    std::string trouble;               // a sentence, where it does not answer
    ServedLoad load;
};

struct ServedCard : RunCard {
    std::string url;
    bool shape_known = false;  // else `config` says nothing
    std::shared_ptr<ServedVocabulary> words = std::make_shared<ServedVocabulary>();
    std::shared_ptr<ServedStatus> status = std::make_shared<ServedStatus>();
};
inline constexpr const char* kElsewhere = "elsewhere";  // the device's name
// Null: the model runs here, or is a recording.
const ServedCard* served_card(const RunCard* card);

class ServedRun final : public Run {
public:
    // The model is there at once: who makes the run has asked the server.
    ServedRun(Server server, const ServedModel& model, const std::optional<ModelConfig>& shape);
    ~ServedRun() override;

    void post(Command command) override;
    void cancel() override;                  // also what is posted and has not begun
    void watch(const Interest&) override {}  // all that a server tells is told
    std::vector<Event> drain() override;

private:
    void loop(std::stop_token stop);
    void look(std::stop_token stop);  // whether the server is there, and at its figures
    void tell(Event event);
    void handle(const Command& command);
    void answer(const MakeAnswer& ask);
    int64_t feed(const ServedRequest& request);  // says so; tokens of the prompt, 0 where nobody counts them

    const Server server_;
    std::shared_ptr<ServedCard> card_;
    bool loaded_ = true, tells_candidates_ = true;
    int64_t position_ = 0;  // of the sequence as it was told
    std::atomic<bool> cancel_ = false, leaves_ = false;
    std::atomic<bool> making_ = false, failed_ = false;  // an answer; the last one
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Command> commands_;
    std::vector<Event> events_;
    int64_t posted_ = 0, begun_ = 0, cancelled_until_ = 0;  // commands
    std::jthread thread_, looker_;                          // the last members: they must not outlive what they use
};

// The line as messages, its tools apart.
ServedRequest served_request(const std::vector<Part>& line);

}  // namespace klp

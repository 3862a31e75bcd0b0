#include "app/gui/frame/lab_worker.h"

#include <QThreadPool>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>

#include "app/gui/draw/language.h"

namespace klp::gui {

struct LabWorker::Shared {
    struct Save {
        size_t learner;
        std::string folder;
        std::function<void(const std::string&)> done;
    };
    std::mutex mutex;
    std::condition_variable wake;
    std::atomic<bool> cancel = false;  // the learning that is under way
    Seen seen;
    bool quit = false;
    int64_t more = 0;
    std::deque<Save> saves;

    void work(const LabSpec& spec);
    void save_what_is_asked(std::unique_lock<std::mutex>& lock, const LabRun& run);
};

void LabWorker::Shared::save_what_is_asked(std::unique_lock<std::mutex>& lock, const LabRun& run) {
    while (!saves.empty() && !quit) {
        const Save save = std::move(saves.front());
        saves.pop_front();
        lock.unlock();
        const Learner* learner = run.learner(save.learner);
        const auto saved = learner ? save_learner(*learner, run.spec().task, save.folder) : Result<void>();
        save.done(!learner ? Language::tr("It has not begun to learn.").toStdString() : saved ? "" : saved.error().message);
        lock.lock();
    }
}

void LabWorker::Shared::work(const LabSpec& spec) {
    LabRun run(spec);
    const auto tell = [&] {
        const std::lock_guard lock(mutex);
        seen.result = run.result(), ++seen.version;
    };
    LabHooks hooks{.cancel = &cancel};
    hooks.on_try = [&](const LabLearner&, const LabTry&) { tell(); };
    hooks.on_look = [&](const LabLearner&, const LabLook&) { tell(); };
    hooks.on_step = [&](const std::string& mixer, int64_t done, int64_t total) {
        std::unique_lock lock(mutex);
        seen.mixer = mixer, seen.done = done, seen.total = total, ++seen.version;
        do {
            save_what_is_asked(lock, run);
            wake.wait(lock, [&] { return !seen.paused || cancel || !saves.empty(); });
        } while (!saves.empty() && !quit);
    };
    tell();
    auto sound = run.search(hooks);
    for (int64_t steps = spec.steps; sound;) {
        {
            std::unique_lock lock(mutex);
            seen.phase = Phase::learning, ++seen.version;
            if (quit) return;
        }
        sound = run.learn(steps, hooks);
        tell();
        std::unique_lock lock(mutex);
        seen.phase = Phase::resting, seen.paused = false, ++seen.version;
        do {
            save_what_is_asked(lock, run);
            wake.wait(lock, [&] { return quit || more > 0 || !saves.empty(); });
        } while (!saves.empty() && !quit);
        if (quit) return;
        steps = std::exchange(more, 0), cancel = false;
    }
    const std::lock_guard lock(mutex);
    seen.phase = Phase::failed, seen.error = sound.error().message, ++seen.version;
}

LabWorker::LabWorker(LabSpec spec) : shared_(std::make_shared<Shared>()) {
    QThreadPool::globalInstance()->start([shared = shared_, spec = std::move(spec)] {
        QThreadPool::globalInstance()->releaseThread();  // others are not kept waiting for a thread
        try {
            shared->work(spec);
        } catch (const std::exception& trouble) {  // no memory
            const std::lock_guard lock(shared->mutex);
            shared->seen.phase = Phase::failed, shared->seen.error = trouble.what(), ++shared->seen.version;
        }
        QThreadPool::globalInstance()->reserveThread();
    });
}

LabWorker::~LabWorker() {
    const std::lock_guard lock(shared_->mutex);
    shared_->quit = shared_->cancel = true;
    shared_->wake.notify_all();
}

LabWorker::Seen LabWorker::seen() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->seen;
}
int64_t LabWorker::version() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->seen.version;
}

void LabWorker::pause(bool on) {
    const std::lock_guard lock(shared_->mutex);
    shared_->seen.paused = on, ++shared_->seen.version;
    shared_->wake.notify_all();
}
void LabWorker::stop() {
    const std::lock_guard lock(shared_->mutex);
    shared_->cancel = true;
    shared_->wake.notify_all();
}
void LabWorker::more(int64_t steps) {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->seen.phase != Phase::resting) return;
    shared_->more = steps, shared_->cancel = false;
    shared_->wake.notify_all();
}
void LabWorker::save(size_t learner, const std::string& folder, std::function<void(const std::string&)> done) {
    const std::lock_guard lock(shared_->mutex);
    shared_->saves.push_back({learner, folder, std::move(done)});
    shared_->wake.notify_all();
}

}  // namespace klp::gui

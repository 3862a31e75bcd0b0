// What the desktop program costs: decoding with every lens in sight beside decoding alone, in turn in one run, and the time of a turn of its event loop at
// 120 tokens a second. Runs without a screen:  klp_bench_desktop [tokens of an answer; 0: only the turns]
#include <QApplication>
#include <QDockWidget>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <algorithm>
#include <cstdio>
#include <thread>

#include "app/gui/frame/main_window.h"
#include "app/opener.h"
#include "core/runs/scripted_run.h"

namespace {

using namespace klp;
using namespace klp::gui;

double median(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
}
double cpu_ms() {  // of this thread
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) * 1e3 + double(t.tv_nsec) / 1e6;
}
double percentile(std::vector<double> v, double p) {
    std::sort(v.begin(), v.end());
    return v[static_cast<size_t>(p * double(v.size() - 1))];
}

MakeAnswer endless(int64_t tokens) {
    MakeAnswer ask{.answer = 1, .line = {{"user", "Tell me a long story.", {}, false}}, .predict = tokens};
    ask.sampling.temperature = 50;  // hardly ever a stop token
    ask.sampling.seed = 1;
    return ask;
}

// Tokens a second of the answer, whoever drains.
template <class Drain>
double speed(Run& run, int64_t tokens, Drain&& drain) {
    run.post(endless(tokens));
    for (;;) {
        for (const Event& e : drain())
            if (const auto* done = std::get_if<AnswerDone>(&e)) return tokens_per_second(done->tokens, done->decode_ns);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (!qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    const QTemporaryDir home;
    qputenv("XDG_CONFIG_HOME", home.path().toUtf8());
    qputenv("XDG_DATA_HOME", home.path().toUtf8());
    QElapsedTimer since_start;
    since_start.start();
    QApplication app(argc, argv);
    const int64_t tokens = argc > 1 ? std::atoll(argv[1]) : 3000;
    apply_theme(app, ThemeChoice::dark);

    // The engine alone: nobody watches, nobody draws.
    LiveRun alone(open_for_run);
    const auto patient = [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return alone.drain();
    };
    alone.post(LoadModel{});
    while (true) {
        const auto events = patient();
        if (std::any_of(events.begin(), events.end(), [](const Event& e) { return std::holds_alternative<Loaded>(e); })) break;
    }

    // The window, with all lenses side by side in two columns.
    Session session(std::make_unique<LiveRun>(open_for_run));
    Chats chats(session);
    MainWindow window(session, chats);
    window.resize(1440, 900);
    window.show();
    QCoreApplication::processEvents();
    std::printf("first picture          %6.0f ms after the start\n", double(since_start.nsecsElapsed()) / 1e6);
    std::vector<Event> seen;
    QEventLoop loop;  // sleeps between events, as the program's own does
    QObject::connect(&session, &Session::event_seen, [&](const Event& e) {
        if (!std::holds_alternative<AnswerDone>(e) && !std::holds_alternative<Loaded>(e)) return;
        seen.push_back(e);
        loop.quit();
    });
    const auto drawing = [&] {
        seen.clear();
        loop.exec();
        return seen;
    };
    session.post(LoadModel{});
    while (drawing().empty()) {
    }
    const auto docks = window.findChildren<QDockWidget*>();
    std::vector<double> by_itself, drawn;
    const auto rounds = [&](const char* what) {
        if (tokens == 0) return;
        by_itself.clear(), drawn.clear();
        for (int round = 0; round < 5; ++round) {
            by_itself.push_back(speed(alone, tokens, patient));
            drawn.push_back(speed(session.run(), tokens, drawing));
        }
        std::printf("%s  %6.0f tokens/s alone, %6.0f with the window: %.1f %% lost\n", what, median(by_itself), median(drawn),
                    100 * (1 - median(drawn) / median(by_itself)));
    };
    if (tokens > 0) {
        // What is kept of every token, and each part of it: beside a run that keeps nothing, in turn, so that a machine that others use does not tell on one.
        const auto keeps = [](std::initializer_list<Site> sites, int top) {
            Interest i;
            for (Site site : sites) i.sites[static_cast<int>(site)] = true;
            i.top = top;
            return i;
        };
        const std::pair<const char*, Interest> parts[] = {
            {"nothing", {}},
            {"gates", keeps({Site::log_decay, Site::beta}, 0)},
            {"norms", keeps({Site::state_norm, Site::update_norm}, 0)},
            {"experts, sums", keeps({Site::picks, Site::pick_weights, Site::log_sum_exp}, 0)},
            {"candidates", keeps({}, kCandidates)},
            {"everything",
             keeps({Site::log_decay, Site::beta, Site::state_norm, Site::update_norm, Site::picks, Site::pick_weights, Site::log_sum_exp}, kCandidates)}};
        std::vector<std::vector<double>> speeds(std::size(parts));
        for (int round = 0; round < 7; ++round)
            for (size_t i = 0; i < std::size(parts); ++i) {
                alone.watch(parts[i].second);
                speeds[i].push_back(speed(alone, tokens, patient));
            }
        alone.watch({});
        for (size_t i = 0; i < std::size(parts); ++i)
            std::printf("%-21s  %6.0f tokens/s, nobody draws: %.1f %% lost\n", parts[i].first, median(speeds[i]),
                        100 * (1 - median(speeds[i]) / median(speeds[0])));
    }
    // A turn of the event loop at 120 tokens a second, from a script.
    const auto turns = [&](const char* what) {
        auto script = std::make_unique<ScriptedRun>();
        ScriptedRun* play = script.get();
        session.set_run(std::move(script));
        const auto card = scripted_card();
        play->play({Loaded{card}, PhaseChanged{Phase::ready}});
        session.tick();
        QCoreApplication::processEvents();
        play->play(scripted_answer(*card, 1, 0, 2000));
        play->batch = 8;  // a token and its readings are two events: four tokens a turn, thirty turns a second
        std::vector<double> times, cpu;
        for (int i = 0; i < 300; ++i) {
            QElapsedTimer t;
            t.start();
            const double begun = cpu_ms();
            session.tick();
            QCoreApplication::sendPostedEvents();
            QCoreApplication::processEvents();
            times.push_back(double(t.nsecsElapsed()) / 1e6);
            cpu.push_back(cpu_ms() - begun);
        }
        std::printf("%-21s  a turn at 120 tokens/s: %.2f ms median, %.2f ms at p95; of this thread's CPU %.2f, %.2f\n", what, median(times),
                    percentile(times, .95), median(cpu), percentile(cpu, .95));
    };
    const auto all_in_sight = [&] {
        for (QDockWidget* dock : docks) {
            dock->setFloating(true);
            dock->resize(640, 420);
            dock->show();
        }
    };
    rounds("one lens in sight    ");
    for (const PanelRow& row : panels()) {
        window.show_panel(row.info.id);
        turns(row.info.id);
    }
    // A fact that is pinned is followed in the pauses, and decoding pays for none of it.
    session.set_run(std::make_unique<LiveRun>(open_for_run));
    session.post(LoadModel{});
    while (drawing().empty()) {
    }
    speed(session.run(), 8, drawing);
    session.selection().set_token(3);
    window.show_panel("life");
    rounds("a fact's life, pinned");
    session.selection().set_token(Selection::kNewest);
    session.set_run(std::make_unique<LiveRun>(open_for_run));
    session.post(LoadModel{});
    while (drawing().empty()) {
    }
    all_in_sight();
    rounds("every lens in sight  ");
    turns("every lens in sight");
    return 0;
}

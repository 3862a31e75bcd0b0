#include "app/gui/frame/monitor.h"

#include <QGridLayout>
#include <algorithm>
#include <cmath>
#include <utility>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"
#include "app/gui/frame/monitor_tile.h"
#include "app/gui/session/memory_model.h"
#include "app/gui/session/range.h"

namespace klp::gui {

namespace {

constexpr size_t kLeast = 60;  // seconds that a history is wide

QString text(const std::string& s) { return QString::fromStdString(s); }
QString number(double v) { return std::isnan(v) ? QStringLiteral("–") : local(short_number(v)); }

}  // namespace

Monitor::Monitor(Session& session, const MachineLoad& load, QWidget* parent) : QWidget(parent), session_(session), load_(load), grid_(new QGridLayout(this)) {
    setObjectName("monitor");
    setAccessibleName(tr("Monitor"));
    grid_->setContentsMargins(8, 8, 8, 8);
    grid_->setSpacing(8);
    grid_->setSizeConstraint(QLayout::SetNoConstraint);  // tiles in one column must not make the window higher than its screen
    speed_ = tile("monitor-speed", tr("Tokens a second"));
    time_ = tile("monitor-time", tr("Time per token, log"));
    memory_ = tile("monitor-memory", tr("State + cache"));
    entropy_ = tile("monitor-entropy", tr("Entropy of the next token, nats"));
    experts_ = tile("monitor-experts", tr("Expert balance"));
    norm_ = tile("monitor-norm", tr("State norm, median of heads"));
    update_ = tile("monitor-update", tr("Update norm, median of heads"));
    cpu_ = tile("monitor-cpu", tr("Processors"));
    ram_ = tile("monitor-ram", tr("Memory of this program"));
    gpu_ = tile("monitor-gpu", tr("GPU"));
    server_ = tile("monitor-server", tr("Server"));
    connect(&session, &Session::drained, this, [this] {
        if (isVisible() && !session_.frozen()) session_.draw_in_turn(this, [this] { refresh_model(); });
    });
    connect(&session, &Session::card_changed, this, [this] {
        balance_.begin(session_.trace().shape());
        if (isVisible()) refresh_model();
    });
    connect(&session, &Session::baseline_changed, this, &Monitor::refresh_model);
    connect(&load, &MachineLoad::sampled, this, [this] {
        if (isVisible()) refresh_machine();
    });
    balance_.begin(session.trace().shape());
    refresh_model();
    refresh_machine();
}

MonitorTile* Monitor::tile(const char* id, const QString& name) {
    auto* t = new MonitorTile(name, this);
    t->setObjectName(id);
    tiles_.push_back(t);
    return t;
}

// As many columns as leave a tile room for its figures.
void Monitor::arrange() {
    std::vector<MonitorTile*> shown;
    for (MonitorTile* t : tiles_)
        if (!t->isHidden() || (t != gpu_ && t != server_)) shown.push_back(t);
    const int columns = std::clamp(width() / 230, 1, 3);
    if (columns == columns_ && grid_->count() == static_cast<int>(shown.size())) return;
    columns_ = columns;
    while (grid_->count() > 0) delete grid_->takeAt(0);
    for (size_t i = 0; i < shown.size(); ++i) grid_->addWidget(shown[i], static_cast<int>(i) / columns, static_cast<int>(i) % columns);
}

void Monitor::refresh_model() {
    const Theme& t = theme_of(palette());
    const TraceStore& trace = session_.trace();
    const int64_t size = trace.size(), from = std::max<int64_t>(0, size - kTokens);
    std::vector<double> speeds, times, entropies, norms, p95s, updates;
    for (int64_t p = from; p < size; ++p) {
        const TokenRow& row = trace.row(p);
        const double ns = row.made && row.nanoseconds > 0 ? double(row.nanoseconds) : NAN;
        times.push_back(ns), speeds.push_back(1e9 / ns);
        entropies.push_back(row.entropy), norms.push_back(row.state_norm), p95s.push_back(row.state_norm_p95), updates.push_back(row.update_norm);
    }
    const auto newest = [](const std::vector<double>& values) {
        for (auto v = values.rbegin(); v != values.rend(); ++v)
            if (!std::isnan(*v)) return *v;
        return double(NAN);
    };
    const RangeTimes range = range_times(trace, from, size);
    speed_->show_value(number(session_.tokens_per_second()), tr("over the last second of decoding"), {{{speeds, t.accent, true, false}}, 0, false, false});
    time_->show_value(
        range.timed > 0 ? local(duration_text(newest(times))) : "–",
        range.timed > 0 ? tr("mean %1, worst %2").arg(local(duration_text(range.mean())), local(duration_text(range.worst))) : tr("no token was made yet"),
        {{{times, t.good, false, false}}, 0, false, true});
    const double unsure = newest(entropies);
    entropy_->show_value(std::isnan(unsure) ? QStringLiteral("–") : local(fixed(unsure, 2)), tr("0: the model is sure"),
                         {{{entropies, t.series[3], false, false}}, 0, false, false});
    norm_->show_value(number(newest(norms)), tr("dashed: 95th percentile"),
                      {{{norms, t.series[2], true, false}, {p95s, t.series[2], false, true}}, 0, false, false});
    update_->show_value(number(newest(updates)), tr("what each token writes"), {{{updates, t.series[3], true, false}}, 0, false, false});

    balance_.follow(trace);
    balance_.count(kTokens);
    int worst = -1;
    for (int row = 0; row < balance_.layers() && balance_.tokens() > 0; ++row)
        if (worst < 0 || balance_.imbalance(row).peak > balance_.imbalance(worst).peak) worst = row;
    MonitorTile::Curve loads{{}, t.hybrid, false, false};
    for (int e = 0; worst >= 0 && e < balance_.experts(); ++e) loads.values.push_back(balance_.load(worst, e));
    experts_->show_value(
        worst < 0 ? "–" : number(balance_.imbalance(worst).peak) + "×",
        worst < 0
            ? tr("no picks of experts are known")
            : tr("busiest of layer %1 over its mean; %2 of %3 idle").arg(balance_.layer(worst)).arg(balance_.imbalance(worst).unused).arg(balance_.experts()),
        {{loads}, 0, true, false});

    const RunCard* card = session_.card();
    if (!card) {
        memory_->show_value("–", tr("no model is loaded"), {});
    } else {
        const MemoryModel model = memory_model(card->config, card->cache_value_bytes);
        const Baseline with = session_.baseline();
        const Growth& other = with.twin || !with.multi_head ? model.twin : model.multi_head;
        const int64_t now = session_.memory().total(), theirs = other.at(in_pages(size)), span = std::max<int64_t>(1024, size * 2);
        MonitorTile::Curve mine{{}, t.hybrid, true, false}, its{{}, with.twin ? t.twin : t.third, false, true};
        for (int i = 0; i <= 60; ++i) {
            const int64_t tokens = in_pages(span * i / 60);
            mine.values.push_back(double(model.mine.at(tokens))), its.values.push_back(double(other.at(tokens)));
        }
        QString note = tr("to %1").arg(tokens_text(span));
        MonitorTile::Picture picture{{mine}, 0, false, false};
        if (with.twin || with.multi_head) {
            note = (with.twin ? tr("dashed: same-shapes twin %1 (computed)") : tr("dashed: multi-head %1 (computed)")).arg(local(bytes_text(theirs)));
            picture.curves.push_back(its);
        }
        memory_->show_value(now > 0 ? local(bytes_text(now)) : "–", note, std::move(picture));
    }
}

void Monitor::refresh_machine() {
    const Theme& t = theme_of(palette());
    const auto& all = load_.history();
    const LoadSample& now = load_.now();
    MonitorTile::Curve own{{}, t.hybrid, true, false}, machine{{}, t.muted, false, false}, ram{{}, t.hybrid, true, false}, used{{}, t.muted, false, false},
        gpu{{}, t.hybrid, true, false}, share{{}, t.hybrid, true, false}, running{{}, t.accent, false, false};
    for (size_t i = 0; i + all.size() < kLeast; ++i)  // the newest stands at the right
        for (auto* c : {&own, &machine, &ram, &used, &gpu, &share, &running}) c->values.push_back(NAN);
    for (const LoadSample& s : all) {
        own.values.push_back(s.own), machine.values.push_back(s.machine);
        ram.values.push_back(double(s.memory.own + s.memory.mapped)), used.values.push_back(double(s.system.total - s.system.available));
        gpu.values.push_back(s.gpu && s.gpu->busy >= 0 ? s.gpu->busy : NAN);
        share.values.push_back(s.server ? s.server->cache_share.value_or(NAN) : NAN);
        running.values.push_back(s.server ? s.server->running.value_or(NAN) : NAN);
    }
    const auto percent = [](double v) { return std::isnan(v) ? QStringLiteral("–") : local(percent_text(v)); };
    cpu_->show_value(percent(now.own), tr("this program; machine %1 (grey)").arg(percent(now.machine)), {{machine, own}, 1, false, false});
    ram_->show_value(local(bytes_text(now.memory.own + now.memory.mapped)),
                     now.system.total > 0 ? tr("%1 files; machine %2 of %3 (grey)")
                                                .arg(local(bytes_text(now.memory.mapped)), local(bytes_text(now.system.total - now.system.available)),
                                                     local(bytes_text(now.system.total)))
                                          : QString(),
                     {{used, ram}, now.system.total > 0 ? double(now.system.total) : 0, false, false});
    const std::pair was(gpu_->isHidden(), server_->isHidden());
    gpu_->setVisible(now.gpu.has_value());
    server_->setVisible(now.server && (now.server->cache_share || now.server->running));
    if (now.server && now.server->cache_share)
        server_->show_value(
            percent(*now.server->cache_share),
            now.server->running ? tr("of its cache in use; %1 running").arg(local(short_number(*now.server->running))) : tr("of its cache in use"),
            {{share}, 1, false, false});
    else if (now.server && now.server->running)
        server_->show_value(local(short_number(*now.server->running)), tr("requests running"), {{running}, 0, false, false});
    if (now.gpu)
        gpu_->show_value(
            now.gpu->busy < 0 ? "–" : local(percent_text(now.gpu->busy)),
            now.gpu->memory_used >= 0 ? tr("%1 of %2").arg(local(bytes_text(now.gpu->memory_used)), local(bytes_text(now.gpu->memory_total))) : QString(),
            {{gpu}, 1, false, false});
    if (was != std::pair(gpu_->isHidden(), server_->isHidden())) columns_ = 0;
    arrange();
}

void Monitor::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrange();
}

void Monitor::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    Interest wanted;
    for (Site site : {Site::state_norm, Site::update_norm, Site::picks}) wanted.sites[static_cast<int>(site)] = true;
    wanted.top = 1;
    session_.set_interest(this, wanted);
    refresh_model();
    refresh_machine();
}

void Monitor::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    session_.set_interest(this, {});
}

}  // namespace klp::gui

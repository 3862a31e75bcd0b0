#include "app/gui/frame/vitals.h"

#include <QHBoxLayout>
#include <QProgressBar>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/theme.h"
#include "app/gui/session/memory_model.h"
#include "core/runs/served_run.h"
#include "core/system.h"

namespace klp::gui {

Vitals::Vitals(Session& session, QWidget* parent) : QWidget(parent), session_(session), machine_(new MachineLoad(session, this)) {
    setAccessibleName("Vitals");
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(4, 0, 4, 0);
    row->setSpacing(14);
    const auto label = [&](const char* name, const char* tip) {
        auto* l = new Figure(this);
        l->setAccessibleName(name);
        l->setToolTip(tip);
        l->setFixedWidth(1);
        row->addWidget(l);
        return l;
    };
    speed_ = label("Speed", "Tokens a second while decoding, over about the last second of it");
    context_ = label("Context", "Tokens of this conversation, of those the model can hold");
    fullness_ = new QProgressBar(this);
    fullness_->setAccessibleName("Context used");
    fullness_->setFixedSize(64, 8);
    fullness_->setTextVisible(false);
    row->addWidget(fullness_);
    state_ = label("State", "KDA states and convolution tails: the same however long the conversation");
    cache_ = label("Cache", "MLA latents: grows with every token, in pages of 256");
    baseline_ = label("Baseline",
                      "What the full-attention twin (every mixer MLA) and plain multi-head attention would hold for the same tokens: computed, in whole pages. "
                      "Which of them is shown is chosen at Compare in the run bar");
    process_ = label("Process memory",
                     "Memory of this program, and of files that it reads where they lie (weights): the system takes those pages back when others need them");
    load_ = label("Load", "");
    row->addStretch(1);
    telemetry_ =
        label("Telemetry", "What watching took of the last answer's decoding time; and readings that came faster than they could be drawn and were left out");
    connect(&session_, &Session::drained, this, [this] {
        if (!timer_.isActive()) timer_.start(100);
    });
    connect(&session_, &Session::baseline_changed, this, &Vitals::refresh);
    connect(&timer_, &QTimer::timeout, this, &Vitals::refresh);
    connect(machine_, &MachineLoad::sampled, this, &Vitals::refresh_load);
    timer_.start(100);
    refresh();
}

void Vitals::fit() {
    int room = width() - layout()->contentsMargins().left() - layout()->contentsMargins().right();
    bool fits = true;
    for (QWidget* w : std::initializer_list<QWidget*>{speed_, context_, fullness_, state_, cache_, baseline_, load_, process_, telemetry_}) {
        room -= w->sizeHint().width() + layout()->spacing();
        if (w == fullness_) room -= fullness_->width() - fullness_->sizeHint().width();
        fits = fits && room + layout()->spacing() >= 0;
        if (w->isHidden() == fits) w->setVisible(fits);
    }
}

void Vitals::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fit();
}

void Vitals::refresh() {
    const RunCard* card = session_.card();
    const MemoryUse use = session_.memory();
    const auto text = [](const std::string& s) { return QString::fromStdString(s); };
    speed_->setText(std::isnan(session_.tokens_per_second()) ? QStringLiteral("– tokens/s") : text(short_number(session_.tokens_per_second()) + " tokens/s"));
    const int64_t n = session_.trace().size(), room = card ? card->context : 0, rolled = std::min(session_.rolled(), n);
    context_->setText(card && room == 0 ? text(plural(n, "token"))
                      : card            ? text(grouped(n - rolled) + " / " + grouped(room) + (rolled > 0 ? " + " + grouped(rolled) + " dropped" : ""))
                                        : QStringLiteral("– / –"));
    context_->setToolTip(rolled > 0 ? text("Of " + plural(n, "token") + " the cache holds the newest " + grouped(n - rolled) + "; " + grouped(rolled) +
                                           " were dropped from it. The KDA states have seen all of them")
                                    : QStringLiteral("Tokens of this conversation, of those the model can hold"));
    fullness_->setRange(0, 1000);
    fullness_->setValue(room > 0 ? static_cast<int>(1000 * (n - rolled) / room) : 0);
    state_->setText(text("state " + bytes_text(use.state + use.conv)));
    cache_->setText(text("cache " + bytes_text(use.cache)));
    std::string baseline;
    if (card && (!served_card(card) || served_card(card)->shape_known)) {
        const MemoryModel model = memory_model(card->config, card->cache_value_bytes);
        if (session_.baseline().twin) baseline = "twin " + bytes_text(model.twin.at(in_pages(n)));
        if (session_.baseline().multi_head) baseline += (baseline.empty() ? "" : "   ") + ("multi-head " + bytes_text(model.multi_head.at(in_pages(n))));
    }
    baseline_->setText(text(baseline));
    const ProcessMemory memory = process_memory();
    process_->setText(text("RAM " + bytes_text(memory.own) + " + " + bytes_text(memory.mapped) + " of files"));
    std::string telemetry;
    if (!std::isnan(session_.telemetry_share())) telemetry = "telemetry " + percent_text(session_.telemetry_share());
    if (session_.dropped() > 0) telemetry += (telemetry.empty() ? "" : ", ") + grouped(session_.dropped()) + " readings dropped";
    telemetry_->setText(text(telemetry));
    timer_.setInterval(session_.busy() ? 100 : 1000);
    fit();
}

void Vitals::refresh_load() {
    const auto text = [](const std::string& s) { return QString::fromStdString(s); };
    const LoadSample& now = machine_->now();
    if (const ServedCard* served = served_card(session_.card())) {
        const std::lock_guard lock(served->status->mutex);
        const ServedLoad& load = served->status->load;
        std::string line;
        if (load.running) line = "server " + short_number(*load.running) + " running" + (load.waiting ? ", " + short_number(*load.waiting) + " waiting" : "");
        if (load.cache_share) line += (line.empty() ? "server's cache " : ", cache ") + percent_text(*load.cache_share);
        if (load.state_bytes && load.cache_bytes) line += ", holds " + bytes_text(std::llround(*load.state_bytes + *load.cache_bytes));
        load_->setText(text(line));
        load_->setToolTip(tr("What the server's own figures (/metrics) say: all requests, not this conversation alone"));
    } else if (now.gpu) {
        const DeviceLoad& gpu = *now.gpu;
        std::string line = "GPU " + (gpu.busy < 0 ? "n/a" : percent_text(gpu.busy));
        if (gpu.memory_used >= 0) line += "   " + bytes_text(gpu.memory_used) + " of " + bytes_text(gpu.memory_total);
        std::string more = "The GPU, as its driver says: time in kernels over the last moments, memory of all programs";
        if (gpu.clock_mhz >= 0) more += "\n" + grouped(static_cast<int64_t>(gpu.clock_mhz)) + " MHz";
        if (gpu.watts >= 0) more += "\n" + fixed(gpu.watts, 0) + " W";
        if (gpu.celsius >= 0) more += "\n" + fixed(gpu.celsius, 0) + " °C";
        load_->setText(text(line));
        load_->setToolTip(text(more));
    } else if (!std::isnan(now.own)) {
        load_->setToolTip(QStringLiteral("CPU time of this program over the last second, of all cores"));
        load_->setText(text("CPU " + percent_text(now.own)));
    }
}

}  // namespace klp::gui

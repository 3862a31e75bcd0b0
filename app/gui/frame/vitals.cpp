#include "app/gui/frame/vitals.h"

#include <QHBoxLayout>
#include <QProgressBar>
#include <cmath>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"
#include "app/gui/session/memory_model.h"
#include "core/runs/served_run.h"
#include "core/system.h"

namespace klp::gui {

Vitals::Vitals(Session& session, QWidget* parent) : QWidget(parent), session_(session), machine_(new MachineLoad(session, this)) {
    setAccessibleName(tr("Vitals"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(4, 0, 4, 0);
    row->setSpacing(14);
    const auto label = [&](const QString& name, const QString& tip) {
        auto* l = new Figure(this);
        l->setAccessibleName(name);
        l->setToolTip(tip);
        l->setFixedWidth(1);
        row->addWidget(l);
        return l;
    };
    speed_ = label(tr("Speed"), tr("Tokens a second while decoding, over about the last second of it"));
    context_ = label(tr("Context"), tr("Tokens of this conversation, of those the model can hold"));
    fullness_ = new QProgressBar(this);
    fullness_->setAccessibleName(tr("Context used"));
    fullness_->setFixedSize(64, 8);
    fullness_->setTextVisible(false);
    row->addWidget(fullness_);
    state_ = label(tr("State"), tr("States and convolution tails: the same however long the conversation"));
    cache_ = label(tr("Cache"), tr("What attention keeps of every token: it grows with each, in pages of 256"));
    baseline_ = label(
        tr("Baseline"),
        tr("What the full-attention twin (attention in every layer) and plain multi-head attention would hold for the same tokens: computed, in whole pages. "
           "Which of them is shown is chosen at Compare in the run bar"));
    process_ =
        label(tr("Process memory"),
              tr("Memory of this program, and of files that it reads where they lie (weights): the system takes those pages back when others need them"));
    load_ = label(tr("Load"), "");
    row->addStretch(1);
    telemetry_ = label(tr("Telemetry"),
                       tr("What watching took of the last answer's decoding time; and readings that came faster than they could be drawn and were left out"));
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
    speed_->setText(tr("%1 tokens/s").arg(std::isnan(session_.tokens_per_second()) ? "–" : local(short_number(session_.tokens_per_second()))));
    const int64_t n = session_.trace().size(), room = card ? card->context : 0, rolled = std::min(session_.rolled(), n);
    context_->setText(card && room == 0 ? tokens_text(n)
                      : !card           ? QStringLiteral("– / –")
                      : rolled > 0      ? tr("%1 / %2 + %3 dropped").arg(local(grouped(n - rolled)), local(grouped(room)), local(grouped(rolled)))
                                        : local(grouped(n - rolled) + " / " + grouped(room)));
    context_->setToolTip(rolled > 0 ? tr("Of %1 the cache holds the newest %2; %3 were dropped from it. The KDA states have seen all of them")
                                          .arg(tokens_text(n), local(grouped(n - rolled)), local(grouped(rolled)))
                                    : tr("Tokens of this conversation, of those the model can hold"));
    fullness_->setRange(0, 1000);
    fullness_->setValue(room > 0 ? static_cast<int>(1000 * (n - rolled) / room) : 0);
    state_->setText(tr("state %1").arg(local(bytes_text(use.state + use.conv))));
    cache_->setText(tr("cache %1").arg(local(bytes_text(use.cache))));
    QStringList baseline;
    if (card && (!served_card(card) || served_card(card)->shape_known)) {
        const MemoryModel model = memory_model(card->config, card->cache_value_bytes);
        if (session_.baseline().twin) baseline << tr("same-shapes twin %1").arg(local(bytes_text(model.twin.at(in_pages(n)))));
        if (session_.baseline().multi_head) baseline << tr("multi-head %1").arg(local(bytes_text(model.multi_head.at(in_pages(n)))));
    }
    baseline_->setText(baseline.join("   "));
    const ProcessMemory memory = process_memory();
    process_->setText(tr("RAM %1 + %2 of files").arg(local(bytes_text(memory.own)), local(bytes_text(memory.mapped))));
    QStringList telemetry;
    if (!std::isnan(session_.telemetry_share())) telemetry << tr("telemetry %1").arg(local(percent_text(session_.telemetry_share())));
    if (session_.dropped() > 0) telemetry << Language::tr("%Ln reading(s) dropped", nullptr, session_.dropped());
    telemetry_->setText(telemetry.join(", "));
    timer_.setInterval(session_.busy() ? 100 : 1000);
    fit();
}

void Vitals::refresh_load() {
    const LoadSample& now = machine_->now();
    if (const ServedCard* served = served_card(session_.card())) {
        const std::lock_guard lock(served->status->mutex);
        const ServedLoad& load = served->status->load;
        QStringList line;
        if (load.running) line << tr("server: %1 running").arg(local(short_number(*load.running)));
        if (load.running && load.waiting) line << tr("%1 waiting").arg(local(short_number(*load.waiting)));
        if (load.cache_share) line << tr(line.empty() ? QT_TR_NOOP("server's cache %1") : QT_TR_NOOP("cache %1")).arg(local(percent_text(*load.cache_share)));
        if (load.state_bytes && load.cache_bytes) line << tr("holds %1").arg(local(bytes_text(std::llround(*load.state_bytes + *load.cache_bytes))));
        load_->setText(line.join(", "));
        load_->setToolTip(tr("What the server's own figures (/metrics) say: all requests, not this conversation alone"));
    } else if (now.gpu) {
        const DeviceLoad& gpu = *now.gpu;
        QStringList line{tr("GPU %1").arg(gpu.busy < 0 ? tr("n/a") : local(percent_text(gpu.busy)))};
        if (gpu.memory_used >= 0) line << tr("%1 of %2").arg(local(bytes_text(gpu.memory_used)), local(bytes_text(gpu.memory_total)));
        QStringList more{tr("The GPU, as its driver says: time in kernels over the last moments, memory of all programs")};
        if (gpu.clock_mhz >= 0) more << tr("%1 MHz").arg(local(grouped(static_cast<int64_t>(gpu.clock_mhz))));
        if (gpu.watts >= 0) more << tr("%1 W").arg(local(fixed(gpu.watts, 0)));
        if (gpu.celsius >= 0) more << tr("%1 °C").arg(local(fixed(gpu.celsius, 0)));
        load_->setText(line.join("   "));
        load_->setToolTip(more.join('\n'));
    } else if (!std::isnan(now.own)) {
        load_->setToolTip(tr("CPU time of this program over the last second, of all cores"));
        load_->setText(tr("CPU %1").arg(local(percent_text(now.own))));
    }
}

}  // namespace klp::gui
